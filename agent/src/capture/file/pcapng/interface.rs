//! Interfaces of a pcapng section, and what their clocks count.

use crate::capture::LinkType;
use pcap_parser::InterfaceDescriptionBlock;
use phonehome_proto::time::Timestamp;

/// An interface of the current section; frames name it by its place.
pub(super) struct Interface {
    pub(super) link: LinkType,
    /// Frames are captured up to this many bytes.
    pub(super) snap_bytes: u32,
    ticks_per_second: TicksPerSecond,
    offset_seconds: i64,
}

/// The resolution of an interface's timestamps.
#[derive(Clone, Copy)]
enum TicksPerSecond {
    Decimal(u64),
    /// Two to this power, at most 2^63.
    Binary(u8),
}

// === impl Interface ===

impl Interface {
    /// The description's clock is read here: `pcap-parser` takes every offset for little-endian, and
    /// knows no resolution that is a power of two.
    pub(super) fn read(description: &InterfaceDescriptionBlock<'_>, big_endian: bool) -> Self {
        let mut interface = Self {
            link: LinkType(
                (description.linktype.0 & 0xffff)
                    .try_into()
                    .unwrap_or(u16::MAX),
            ),
            snap_bytes: description.snaplen,
            ticks_per_second: TicksPerSecond::Decimal(1_000_000),
            offset_seconds: 0,
        };
        for option in &description.options {
            match (option.code.0, option.as_bytes()) {
                (OPTION_TSRESOL, Ok(&[resolution, ..])) => {
                    interface.ticks_per_second = TicksPerSecond::read(resolution);
                }
                (OPTION_TSOFFSET, Ok(bytes)) => {
                    if let Ok(bytes) = bytes.try_into() {
                        interface.offset_seconds = if big_endian {
                            i64::from_be_bytes(bytes)
                        } else {
                            i64::from_le_bytes(bytes)
                        };
                    }
                }
                _ => {}
            }
        }
        interface
    }

    pub(super) fn time(&self, high: u32, low: u32) -> Timestamp {
        let ticks = u64::from(high) << 32 | u64::from(low);
        let (seconds, nanos) = self.ticks_per_second.split(ticks);
        let seconds = i64::try_from(seconds)
            .unwrap_or(i64::MAX)
            .saturating_add(self.offset_seconds);
        let start = Timestamp::from_seconds(seconds);
        Timestamp::from_nanos(start.nanos().saturating_add(nanos))
    }
}

// === impl TicksPerSecond ===

impl TicksPerSecond {
    /// Option `if_tsresol`: the top bit says whether the rest is a power of two or of ten. A power
    /// that no 64-bit clock can have is taken for the default, microseconds.
    fn read(resolution: u8) -> Self {
        let power = resolution & 0x7f;
        if resolution & 0x80 != 0 {
            if power < 64 {
                Self::Binary(power)
            } else {
                Self::Decimal(1_000_000)
            }
        } else {
            Self::Decimal(10_u64.checked_pow(power.into()).unwrap_or(1_000_000))
        }
    }

    /// Whole seconds, and the nanoseconds over.
    fn split(self, ticks: u64) -> (u64, i64) {
        let (seconds, rest, per_second) = match self {
            // The two that exist in practice, without a wide division.
            Self::Decimal(1_000_000) => {
                let rest = ticks % 1_000_000;
                return (
                    ticks / 1_000_000,
                    i64::try_from(rest * 1_000).expect("below 10^9"),
                );
            }
            Self::Decimal(per_second) => (ticks / per_second, ticks % per_second, per_second),
            Self::Binary(power) => (ticks >> power, ticks & ((1 << power) - 1), 1_u64 << power),
        };
        let nanos = u128::from(rest) * 1_000_000_000 / u128::from(per_second);
        (seconds, i64::try_from(nanos).expect("below 10^9"))
    }
}

const OPTION_TSRESOL: u16 = 9;
const OPTION_TSOFFSET: u16 = 14;
