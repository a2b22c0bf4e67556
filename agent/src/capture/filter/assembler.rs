//! An assembler of classic BPF.
//!
//! Takes instructions and labels in the order they run, gives machine code the kernel accepts.
//!
//! - Jumps lead forwards only, as the kernel demands, so that every program ends.
//! - A conditional jump reaches 255 instructions far; where a label lies beyond, an unconditional one
//!   is put behind it. Assembling from the end makes that one pass: every target is already placed.
//! - A label that is used but never marked, marked twice, or lies behind its jump is a bug of the
//!   program's author and panics; so does a program that can run past its end.
//!
//! The instruction set is that of `linux/filter.h`; "The BSD Packet Filter" (McCanne and Jacobson,
//! USENIX 1993) describes it.

/// One instruction, laid out as `struct sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What to do.
    pub code: u16,
    /// How many instructions to leap over when a condition holds.
    pub leap_if_true: u8,
    /// How many when it does not.
    pub leap_if_false: u8,
    /// The operand.
    pub operand: u32,
}

/// A place in a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label(usize);

/// Where a load reads.
#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    /// So many bytes after the frame's beginning.
    Frame(u32),
    /// So many bytes after the place in X.
    X(u32),
}

/// A condition on A.
#[derive(Clone, Copy, Debug)]
pub(super) enum If {
    Is(u32),
    /// At least.
    From(u32),
    /// Any of these bits is set.
    HasAny(u32),
    MoreThanX,
}

#[derive(Clone, Copy, Debug)]
enum Line {
    Plain(Instruction),
    Branch(If, Target, Target),
    Go(Label),
    Mark(Label),
}

#[derive(Clone, Copy, Debug)]
enum Target {
    Next,
    Label(Label),
}

/// A program being written.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    lines: Vec<Line>,
    labels: usize,
}

// === impl Assembler ===

impl Assembler {
    /// A label, to be marked once.
    pub(super) fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels - 1)
    }

    /// The next instruction is where `label` leads.
    pub(super) fn mark(&mut self, label: Label) {
        self.lines.push(Line::Mark(label));
    }

    /// A = the byte there. A load that reads past the frame's end drops the frame.
    pub(super) fn load_u8(&mut self, at: At) {
        self.load(BYTE, at);
    }

    /// A = the two bytes there.
    pub(super) fn load_u16(&mut self, at: At) {
        self.load(HALF, at);
    }

    /// A = the four bytes there.
    pub(super) fn load_u32(&mut self, at: At) {
        self.load(WORD, at);
    }

    /// A = what a slot holds.
    pub(super) fn recall(&mut self, slot: u32) {
        self.plain(LD | MEM, slot);
    }

    /// Puts A into a slot.
    pub(super) fn keep(&mut self, slot: u32) {
        self.plain(ST, slot);
    }

    /// X = the length of the IPv4 header that begins there.
    pub(super) fn load_x_ipv4_header(&mut self, at: u32) {
        self.plain(LDX | BYTE | MSH, at);
    }

    /// X = A.
    pub(super) fn move_to_x(&mut self) {
        self.plain(MISC | TAX, 0);
    }

    /// A = X.
    pub(super) fn move_from_x(&mut self) {
        self.plain(MISC | TXA, 0);
    }

    /// A = a number.
    pub(super) fn set(&mut self, number: u32) {
        self.plain(LD | IMM, number);
    }

    /// A += a number.
    pub(super) fn add(&mut self, number: u32) {
        self.plain(ALU | ADD, number);
    }

    /// A += X.
    pub(super) fn add_x(&mut self) {
        self.plain(ALU | ADD | X, 0);
    }

    /// A -= X; wraps.
    pub(super) fn subtract_x(&mut self) {
        self.plain(ALU | SUB | X, 0);
    }

    /// A &= a number.
    pub(super) fn mask(&mut self, number: u32) {
        self.plain(ALU | AND, number);
    }

    /// A <<= so many bits.
    pub(super) fn shift_left(&mut self, bits: u32) {
        self.plain(ALU | LSH, bits);
    }

    /// A >>= so many bits.
    pub(super) fn shift_right(&mut self, bits: u32) {
        self.plain(ALU | RSH, bits);
    }

    /// Goes on at `label`.
    pub(super) fn go(&mut self, label: Label) {
        self.lines.push(Line::Go(label));
    }

    /// Goes on at `label` if the condition holds, else with the next instruction.
    pub(super) fn go_if(&mut self, condition: If, label: Label) {
        let line = Line::Branch(condition, Target::Label(label), Target::Next);
        self.lines.push(line);
    }

    /// Goes on at `label` unless the condition holds.
    pub(super) fn go_unless(&mut self, condition: If, label: Label) {
        let line = Line::Branch(condition, Target::Next, Target::Label(label));
        self.lines.push(line);
    }

    /// Lets at most so many bytes of the frame through; none at all drops it.
    pub(super) fn pass(&mut self, bytes_max: u32) {
        self.plain(RET, bytes_max);
    }

    /// The machine code.
    pub(super) fn assemble(self) -> Vec<Instruction> {
        let mut placed: Vec<Option<usize>> = vec![None; self.labels];
        // From the last instruction to the first: a position counts the instructions behind it.
        let mut code: Vec<Instruction> = Vec::with_capacity(self.lines.len());
        for line in self.lines.iter().rev() {
            let here = code.len();
            match *line {
                Line::Mark(Label(label)) => {
                    assert!(placed[label].is_none(), "a label is marked once");
                    placed[label] = Some(here);
                }
                Line::Plain(instruction) => code.push(instruction),
                Line::Go(label) => code.push(leap(distance(here, label, &placed))),
                Line::Branch(condition, yes, no) => {
                    let if_true = reach(&mut code, yes, here, &placed);
                    let if_false = reach(&mut code, no, here, &placed);
                    // What stands between the branch and `here` is at most two leaps.
                    let between = code.len() - here;
                    code.push(
                        condition
                            .instruction(if_true.leap_from(between), if_false.leap_from(between)),
                    );
                }
            }
        }
        code.reverse();
        let last = code.last().expect("a program has instructions");
        assert_eq!(last.code, RET, "a program ends by passing or dropping");
        assert!(code.len() <= INSTRUCTIONS_MAX, "the kernel takes no more");
        code
    }

    fn load(&mut self, width: u16, at: At) {
        match at {
            At::Frame(offset) => self.plain(LD | width | ABS, offset),
            At::X(offset) => self.plain(LD | width | IND, offset),
        }
    }

    fn plain(&mut self, code: u16, operand: u32) {
        self.lines.push(Line::Plain(Instruction {
            code,
            leap_if_true: 0,
            leap_if_false: 0,
            operand,
        }));
    }
}

/// Where one way of a branch leads, once its leap, if it needs one, is written.
enum Reach {
    /// So many instructions past what follows the branch's own leaps.
    Past(usize),
    /// To a leap with so many instructions written before it (that is, behind it in the program).
    Leap(usize),
}

impl Reach {
    /// The operand, with `between` leaps written for this branch.
    fn leap_from(&self, between: usize) -> u8 {
        let leap = match *self {
            Self::Past(past) => between + past,
            Self::Leap(written_before) => between - 1 - written_before,
        };
        u8::try_from(leap).expect("`reach` puts a leap where a branch is too short")
    }
}

fn reach(
    code: &mut Vec<Instruction>,
    target: Target,
    here: usize,
    placed: &[Option<usize>],
) -> Reach {
    let Target::Label(label) = target else {
        return Reach::Past(0);
    };
    let far = distance(here, label, placed);
    if far + LEAPS_OF_A_BRANCH <= usize::from(u8::MAX) {
        return Reach::Past(far);
    }
    let written_before = code.len() - here;
    code.push(leap(far + written_before));
    Reach::Leap(written_before)
}

/// How many instructions lie between the end of the line at `here` and the label.
fn distance(here: usize, Label(label): Label, placed: &[Option<usize>]) -> usize {
    let at = placed[label].expect("a label is marked behind every jump to it");
    here - at
}

fn leap(distance: usize) -> Instruction {
    Instruction {
        code: JMP,
        leap_if_true: 0,
        leap_if_false: 0,
        operand: u32::try_from(distance).expect("a program is short"),
    }
}

// === impl If ===

impl If {
    fn instruction(self, leap_if_true: u8, leap_if_false: u8) -> Instruction {
        let (code, operand) = match self {
            Self::Is(number) => (JMP | JEQ, number),
            Self::From(number) => (JMP | JGE, number),
            Self::HasAny(bits) => (JMP | JSET, bits),
            Self::MoreThanX => (JMP | JGT | X, 0),
        };
        Instruction {
            code,
            leap_if_true,
            leap_if_false,
            operand,
        }
    }
}

/// `BPF_MAXINSNS`.
pub(super) const INSTRUCTIONS_MAX: usize = 4096;
/// The most leaps written behind one branch: one for each way.
const LEAPS_OF_A_BRANCH: usize = 2;

// linux/bpf_common.h and linux/filter.h.
const LD: u16 = 0x00;
const LDX: u16 = 0x01;
const ST: u16 = 0x02;
const ALU: u16 = 0x04;
const JMP: u16 = 0x05;
const RET: u16 = 0x06;
const MISC: u16 = 0x07;
const WORD: u16 = 0x00;
const HALF: u16 = 0x08;
const BYTE: u16 = 0x10;
const IMM: u16 = 0x00;
const ABS: u16 = 0x20;
const IND: u16 = 0x40;
const MEM: u16 = 0x60;
const MSH: u16 = 0xa0;
const ADD: u16 = 0x00;
const SUB: u16 = 0x10;
const AND: u16 = 0x50;
const LSH: u16 = 0x60;
const RSH: u16 = 0x70;
const JEQ: u16 = 0x10;
const JGT: u16 = 0x20;
const JGE: u16 = 0x30;
const JSET: u16 = 0x40;
const X: u16 = 0x08;
const TAX: u16 = 0x00;
const TXA: u16 = 0x80;

#[cfg(test)]
mod tests {
    use super::super::machine::run;
    use super::*;

    /// Says whether the first byte is 7; `padding` instructions lie between the branch and what it
    /// leads to.
    fn is_seven(padding: usize, negated: bool) -> Vec<Instruction> {
        let mut asm = Assembler::default();
        let (yes, no) = (asm.label(), asm.label());
        asm.load_u8(At::Frame(0));
        if negated {
            asm.go_unless(If::Is(7), no);
            asm.go(yes);
        } else {
            asm.go_if(If::Is(7), yes);
            asm.go(no);
        }
        for _ in 0..padding {
            asm.set(0);
        }
        asm.mark(no);
        asm.pass(1);
        for _ in 0..padding {
            asm.set(0);
        }
        asm.mark(yes);
        asm.pass(2);
        asm.assemble()
    }

    #[test]
    fn both_ways_of_a_branch_lead_where_they_should_however_far() {
        for padding in [
            0, 1, 100, 124, 125, 126, 127, 128, 250, 252, 253, 254, 255, 256, 1_000,
        ] {
            for negated in [false, true] {
                let code = is_seven(padding, negated);
                assert_eq!(run(&code, &[7], 1), 2, "padding {padding}");
                assert_eq!(run(&code, &[8], 1), 1, "padding {padding}");
            }
        }
    }

    #[test]
    fn a_near_branch_costs_one_instruction() {
        assert_eq!(is_seven(0, false).len(), 5);
        assert_eq!(is_seven(300, false).len(), 5 + 600 + 1);
    }

    #[test]
    fn arithmetic_and_slots_are_the_machines() {
        let mut asm = Assembler::default();
        asm.load_u16(At::Frame(0));
        asm.shift_left(4);
        asm.keep(3);
        asm.set(5);
        asm.move_to_x();
        asm.load_u32(At::X(1));
        asm.mask(0xff);
        asm.add_x();
        asm.keep(4);
        asm.recall(3);
        asm.subtract_x();
        asm.move_to_x();
        asm.recall(4);
        asm.add(1);
        let more = asm.label();
        asm.go_if(If::MoreThanX, more);
        asm.pass(10);
        asm.mark(more);
        asm.pass(20);
        let code = asm.assemble();
        // (0x0001 << 4) - 5 = 11 against 9 + 5 + 1 = 15.
        let frame = [0, 1, 0, 0, 0, 0, 0, 0, 0, 9];
        assert_eq!(run(&code, &frame, 10), 20);
        assert_eq!(run(&code, &frame[..9], 9), 0, "a load past the end drops");
    }

    #[test]
    #[should_panic(expected = "a label is marked behind every jump to it")]
    fn nothing_jumps_backwards() {
        let mut asm = Assembler::default();
        let start = asm.label();
        asm.mark(start);
        asm.set(1);
        asm.go(start);
        asm.pass(0);
        asm.assemble();
    }

    #[test]
    #[should_panic(expected = "a program ends by passing or dropping")]
    fn nothing_runs_past_the_end() {
        let mut asm = Assembler::default();
        asm.set(1);
        asm.assemble();
    }
}
