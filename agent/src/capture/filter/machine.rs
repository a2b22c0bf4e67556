//! A machine for classic BPF, for tests: slow, plain, and stricter than the kernel's.
//!
//! What the kernel's checker refuses (`bpf_check_classic` in net/core/filter.c) panics here.

use super::assembler::{INSTRUCTIONS_MAX, Instruction};

/// Runs a program over a frame of which `bytes` were captured and that had `wire_bytes`; gives how
/// many bytes it lets through.
///
/// Bytes that were not captured read as zero: in the kernel they would be there.
pub(crate) fn run(program: &[Instruction], bytes: &[u8], wire_bytes: usize) -> u32 {
    assert!(!program.is_empty() && program.len() <= INSTRUCTIONS_MAX);
    let (mut a, mut x) = (0_u32, 0_u32);
    let mut slots = [None; 16];
    let mut at = 0;
    loop {
        let Instruction {
            code,
            leap_if_true,
            leap_if_false,
            operand,
        } = *program
            .get(at)
            .expect("a program does not run past its end");
        at += 1;
        let from_x = x.wrapping_add(operand);
        match code {
            0x20 | 0x28 | 0x30 | 0x40 | 0x48 | 0x50 => {
                let offset = if code & 0x40 == 0 { operand } else { from_x };
                let width = [4, 2, 1][usize::from(code >> 3 & 3)];
                let Some(number) = load(bytes, wire_bytes, offset, width) else {
                    return 0;
                };
                a = number;
            }
            0xb1 => {
                let Some(first) = load(bytes, wire_bytes, operand, 1) else {
                    return 0;
                };
                x = (first & 0x0f) * 4;
            }
            0x00 => a = operand,
            0x60 => a = slots[operand as usize].expect("a slot is written before it is read"),
            0x02 => slots[operand as usize] = Some(a),
            0x04 => a = a.wrapping_add(operand),
            0x0c => a = a.wrapping_add(x),
            0x1c => a = a.wrapping_sub(x),
            0x54 => a &= operand,
            0x64 => a = a.checked_shl(operand).expect("shifts below 32 bits"),
            0x74 => a = a.checked_shr(operand).expect("shifts below 32 bits"),
            0x05 => at += operand as usize,
            0x15 | 0x25 | 0x35 | 0x45 | 0x2d => {
                let is_true = match code {
                    0x15 => a == operand,
                    0x25 => a > operand,
                    0x35 => a >= operand,
                    0x45 => a & operand != 0,
                    _ => a > x,
                };
                at += usize::from(if is_true { leap_if_true } else { leap_if_false });
            }
            0x06 => return operand,
            0x07 => x = a,
            0x87 => a = x,
            code => panic!("instruction {code:#04x} is not used here"),
        }
    }
}

fn load(bytes: &[u8], wire_bytes: usize, offset: u32, width: usize) -> Option<u32> {
    let offset = usize::try_from(offset).ok()?;
    let end = offset.checked_add(width)?;
    if end > wire_bytes {
        return None;
    }
    let byte = |at: usize| u32::from(bytes.get(at).copied().unwrap_or(0));
    Some((offset..end).fold(0, |number, at| number << 8 | byte(at)))
}
