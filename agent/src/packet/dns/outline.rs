//! Where the records of a DNS message begin and end, before any is read.

use super::RECORDS_MAX;
use std::borrow::Cow;

/// The message, with only its whole records where the last ones are cut off, missing or too many.
pub(in crate::packet) fn whole_records(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    let header: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
    let claimed = COUNTS_AT.map(|at| u16::from_be_bytes([header[at], header[at + 1]]));
    let mut counts = [0; SECTIONS];
    let mut end = HEADER_BYTES;
    let mut left = RECORDS_MAX;
    'sections: for section in 0..SECTIONS {
        while counts[section] < claimed[section] {
            let record = if section == 0 {
                question_end(bytes, end)
            } else {
                record_end(bytes, end)
            };
            let Some(record) = record.filter(|_| left > 0) else {
                break 'sections;
            };
            left -= 1;
            counts[section] += 1;
            end = record;
        }
    }
    // A bit that must be zero: the parser insists, servers do not.
    if counts == claimed && header[3] & RESERVED == 0 {
        return Some(Cow::Borrowed(bytes));
    }
    let mut message = bytes[..end].to_vec();
    message[3] &= !RESERVED;
    for (at, count) in COUNTS_AT.into_iter().zip(counts) {
        message[at..at + 2].copy_from_slice(&count.to_be_bytes());
    }
    Some(Cow::Owned(message))
}

/// The labels of the question of a message that holds nothing else, but for EDNS.
pub(super) fn sole_question(bytes: &[u8]) -> Option<&[u8]> {
    let (header, rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
    let is_sole = header[4..10] == [0, 1, 0, 0, 0, 0] && matches!(header[10..], [0, 0 | 1]);
    // A pointer in a first name can only lead astray.
    let mut at = 0;
    while let length @ 1..=63 = *rest.get(at)? {
        at += 1 + usize::from(length);
    }
    let end = rest.get(at..at + 5)?;
    let is_internet = end[0] == 0 && end[3..] == [0, 1];
    (is_sole && is_internet && at < NAME_BYTES_MAX).then(|| &rest[..at])
}

/// Name, type, class.
fn question_end(bytes: &[u8], start: usize) -> Option<usize> {
    let end = name_end(bytes, start)? + 4;
    (end <= bytes.len()).then_some(end)
}

/// Name, type, class, time to live, length, data.
fn record_end(bytes: &[u8], start: usize) -> Option<usize> {
    let fixed = name_end(bytes, start)?;
    let length = bytes.get(fixed + 8..fixed + 10)?;
    let end = fixed + 10 + usize::from(u16::from_be_bytes([length[0], length[1]]));
    (end <= bytes.len()).then_some(end)
}

/// Labels up to the root or to a pointer (RFC 1035, section 4.1.4).
fn name_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *bytes.get(at)? {
            0 => return Some(at + 1),
            length @ 1..=63 => at += 1 + usize::from(length),
            0xc0.. => return Some(at + 2),
            64.. => return None,
        }
    }
}

/// Questions, answers, authorities, additional records.
const SECTIONS: usize = 4;
const COUNTS_AT: [usize; SECTIONS] = [4, 6, 8, 10];
const HEADER_BYTES: usize = 12;
const RESERVED: u8 = 0x40;
/// With the lengths of its labels and the root's (RFC 1035, section 2.3.4).
const NAME_BYTES_MAX: usize = 255;
