//! What was heard, at rest: some minutes, sealed, while several work on one week.

use super::{Echoes, HEARSAY_MAX, Hearsay};
use crate::packing::Packed;
use phonehome_proto::scale::RttStep;
use std::collections::BTreeMap;

impl Packed for Hearsay {
    fn pack(&self, out: &mut Vec<u8>) {
        self.0.pack(out);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        let heard = BTreeMap::unpack(from)?;
        (heard.len() <= HEARSAY_MAX).then_some(Self(heard))
    }
}

impl Packed for Echoes {
    fn pack(&self, out: &mut Vec<u8>) {
        self.homes.pack(out);
        self.shortest.pack(out);
        self.second.pack(out);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Some(Self {
            homes: u32::unpack(from)?,
            shortest: RttStep::unpack(from)?,
            second: Option::unpack(from)?,
        })
    }
}
