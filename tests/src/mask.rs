//! Captures as they would be had every phone made its MAC address up.
//!
//! Takes a capture file, gives a classic pcap in which each station's address has the
//! locally-administered bit set: the same address everywhere, in the link layer's header and in the
//! DHCP messages inside, and nobody's prefix any more. What else names a device stays.

use anyhow::{Context, Result, ensure};
use phonehome_agent::capture::file::FileSource;
use phonehome_agent::capture::{Event, LinkType};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Writes the masked capture. Frames that cannot be read are left out, as the agent leaves them out.
///
/// # Errors
/// When the file is no capture, holds frames of several link layers, or the other cannot be written.
pub fn mask(from: &Path, to: &Path) -> Result<()> {
    let mut source = FileSource::open(from)?;
    let mut out = BufWriter::new(File::create(to)?);
    let mut link = None;
    loop {
        let frame = match source.next() {
            Event::Frame(frame) => frame,
            Event::End => break,
            Event::Lost { .. } | Event::Counters(_) | Event::Swept | Event::Idle => continue,
        };
        if link.is_none() {
            out.write_all(&file_header(frame.link))?;
        }
        ensure!(
            *link.get_or_insert(frame.link) == frame.link,
            "{}: several link layers",
            from.display()
        );
        let mut bytes = frame.bytes.to_vec();
        mask_frame(frame.link, &mut bytes);
        let seconds = u32::try_from(frame.time.seconds()).context("a time pcap can hold")?;
        let nanos = u32::try_from(frame.time.nanos().rem_euclid(1_000_000_000))?;
        for word in [
            seconds,
            nanos,
            u32::try_from(bytes.len())?,
            frame.wire_len_bytes,
        ] {
            out.write_all(&word.to_le_bytes())?;
        }
        out.write_all(&bytes)?;
    }
    if link.is_none() {
        out.write_all(&file_header(ETHERNET))?;
    }
    Ok(out.flush()?)
}

/// Sets the locally-administered bit of every station's address in a frame.
pub fn mask_frame(link: LinkType, bytes: &mut [u8]) {
    let places: &[usize] = match link {
        ETHERNET => &[0, 6],
        LINUX_COOKED => &[6],
        LINUX_COOKED_2 => &[12],
        _ => &[],
    };
    for &place in places {
        if let Some(mac) = bytes.get_mut(place..place + MAC_BYTES) {
            mask_address(mac);
        }
    }
    // A DHCP message says its client's address, and as often again in option 61 (RFC 2131, section 2).
    let Some(cookie) = bytes.windows(COOKIE.len()).position(|four| four == COOKIE) else {
        return;
    };
    let Some(hardware) = cookie.checked_sub(HARDWARE_BEFORE_COOKIE) else {
        return;
    };
    let client = bytes[hardware..hardware + MAC_BYTES].to_vec();
    if client.iter().all(|byte| *byte == 0) {
        return;
    }
    mask_address(&mut bytes[hardware..hardware + MAC_BYTES]);
    let options = &mut bytes[cookie..];
    while let Some(at) = options.windows(MAC_BYTES).position(|six| six == client) {
        mask_address(&mut options[at..at + MAC_BYTES]);
        if options[at..at + MAC_BYTES] == client {
            break;
        }
    }
}

/// The group bit is left alone, and so are addresses of groups.
fn mask_address(mac: &mut [u8]) {
    if mac[0] & 1 == 0 && mac.iter().any(|byte| *byte != 0) {
        mac[0] |= 2;
    }
}

/// Magic number for nanoseconds, version 2.4, no zone, no accuracy, snapshot length 262,144.
fn file_header(link: LinkType) -> Vec<u8> {
    let mut header = vec![
        0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0,
    ];
    header.extend(u32::from(link.0).to_le_bytes());
    header
}

const ETHERNET: LinkType = LinkType(1);
const LINUX_COOKED: LinkType = LinkType(113);
const LINUX_COOKED_2: LinkType = LinkType(276);
const MAC_BYTES: usize = 6;
const COOKIE: [u8; 4] = [0x63, 0x82, 0x53, 0x63];
/// From the client's hardware address to the options: 16 bytes, 64 of server name, 128 of file name.
const HARDWARE_BEFORE_COOKIE: usize = 208;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::dhcp::{Manners, Step, message};

    #[test]
    fn an_address_is_masked_wherever_it_stands_and_nothing_else() {
        let phone = [0x04, 0xb1, 0x67, 1, 2, 3];
        let masked = [0x06, 0xb1, 0x67, 1, 2, 3];
        let router = ([0x00, 0xe0, 0xfc, 9, 9, 9], [192, 168, 1, 1].into());
        let manners = Manners {
            host_name: Some("Redmi"),
            vendor_class: None,
            wishes: &[1, 3],
        };
        let request = |mac, address| message(Step::Request, mac, router, address, 7, manners).bytes;
        let address = [192, 168, 1, 9].into();
        let mut bytes = request(phone, address);
        let count = |bytes: &[u8], mac: [u8; 6]| bytes.windows(6).filter(|six| *six == mac).count();
        assert_eq!((count(&bytes, phone), count(&bytes, masked)), (3, 0));
        mask_frame(ETHERNET, &mut bytes);
        assert_eq!((count(&bytes, phone), count(&bytes, masked)), (0, 3));
        // But for the checksum, which the agent does not look at.
        let expected = request(masked, address);
        let differing: Vec<_> = (0..bytes.len())
            .filter(|&at| bytes[at] != expected[at])
            .collect();
        assert!(
            differing.iter().all(|at| [40, 41].contains(at)),
            "{differing:?}"
        );
    }
}
