//! IEEE 802.11 data frames, as captured in the air or carried in CAPWAP.

use super::link::{Unwrapped, after, llc};
use super::{Link, MacAddr, Skipped};

/// Reads a data frame.
pub(super) fn read(bytes: &[u8], link: Link, depth: u8) -> Unwrapped<'_> {
    let &[control, flags, ..] = bytes else {
        return Err(Skipped::Cut);
    };
    frame(control, flags, bytes, link, depth)
}

/// Reads a data frame whose two control bytes may stand in either order: some access points swap
/// them inside CAPWAP.
pub(super) fn read_swapped(bytes: &[u8], link: Link, depth: u8) -> Unwrapped<'_> {
    let &[first, second, ..] = bytes else {
        return Err(Skipped::Cut);
    };
    let (control, flags) = if is_data(second) && !is_data(first) {
        (second, first)
    } else {
        (first, second)
    };
    frame(control, flags, bytes, link, depth)
}

fn frame(control: u8, flags: u8, bytes: &[u8], mut link: Link, depth: u8) -> Unwrapped<'_> {
    if !is_data(control) || control & EMPTY != 0 {
        return Err(Skipped::NotIp);
    }
    if flags & PROTECTED != 0 {
        return Err(Skipped::EncryptedLink);
    }
    let (to_system, from_system) = (flags & TO_SYSTEM != 0, flags & FROM_SYSTEM != 0);
    let mut header_bytes = if to_system && from_system { 30 } else { 24 };
    if control & HAS_QUALITY != 0 {
        // Several frames in one: the first would have to stand for all of them.
        if bytes.get(header_bytes).ok_or(Skipped::Cut)? & AGGREGATED != 0 {
            return Err(Skipped::NotIp);
        }
        header_bytes += if flags & ORDERED != 0 { 6 } else { 2 };
    }
    let rest = after(bytes, header_bytes)?;
    let [first, second, third, fourth] = [4, 10, 16, 24].map(|at| MacAddr::read(&bytes[at..]));
    (link.destination, link.source) = match (to_system, from_system) {
        (false, false) => (first, second),
        (true, false) => (third, second),
        (false, true) => (first, third),
        (true, true) => (third, fourth),
    };
    llc(rest, link, depth)
}

/// Version 0, type data.
const fn is_data(control: u8) -> bool {
    control & 0x0f == 0x08
}

// Subtype bits in the first control byte.
const EMPTY: u8 = 0x40;
const HAS_QUALITY: u8 = 0x80;

// The second control byte.
const TO_SYSTEM: u8 = 0x01;
const FROM_SYSTEM: u8 = 0x02;
const PROTECTED: u8 = 0x40;
const ORDERED: u8 = 0x80;

/// In the first byte of the quality-of-service field.
const AGGREGATED: u8 = 0x80;
