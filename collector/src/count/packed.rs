//! Counters at rest: of a part of the homes, some minutes, sealed, while several work on one week.

use super::{Answers, Counters, Question, Split};
use crate::geo::network::operator::Operator;
use crate::geo::{Column, PlaceStatus};
use crate::packing::{Packed, take};
use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::net::Country;
use std::collections::BTreeMap;

impl Packed for Counters {
    fn pack(&self, out: &mut Vec<u8>) {
        self.homes.pack(out);
        self.asked.pack(out);
        self.answers.pack(out);
        self.shed_contacts.pack(out);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Some(Self {
            homes: Packed::unpack(from)?,
            asked: BTreeMap::unpack(from)?,
            answers: BTreeMap::unpack(from)?,
            shed_contacts: u64::unpack(from)?,
        })
    }
}

impl Packed for Split {
    fn pack(&self, out: &mut Vec<u8>) {
        self.world.pack(out);
        self.settled.pack(out);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Some(Self {
            world: Packed::unpack(from)?,
            settled: BTreeMap::unpack(from)?,
        })
    }
}

impl Packed for Answers {
    fn pack(&self, out: &mut Vec<u8>) {
        self.low.pack(out);
        self.high.pack(out);
        self.status.pack(out);
        self.settled_status.pack(out);
        self.bytes_up.pack(out);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Some(Self {
            low: Split::unpack(from)?,
            high: Split::unpack(from)?,
            status: PlaceStatus::unpack(from)?,
            settled_status: BTreeMap::unpack(from)?,
            bytes_up: BTreeMap::unpack(from)?,
        })
    }
}

impl Packed for Question {
    fn pack(&self, out: &mut Vec<u8>) {
        match self {
            Self::Server(column) => {
                out.push(0);
                column.pack(out);
            }
            Self::Here(column) => {
                out.push(1);
                column.pack(out);
            }
            Self::Network(column) => {
                out.push(2);
                column.pack(out);
            }
            Self::Operator(operator) => {
                out.push(3);
                operator.pack(out);
            }
            Self::Owner(column) => {
                out.push(4);
                column.pack(out);
            }
            Self::Endpoint(endpoint) => {
                out.push(5);
                endpoint.pack(out);
            }
        }
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Some(match take(from)? {
            [0] => Self::Server(Column::unpack(from)?),
            [1] => Self::Here(Column::unpack(from)?),
            [2] => Self::Network(Column::unpack(from)?),
            [3] => Self::Operator(Operator::unpack(from)?),
            [4] => Self::Owner(Column::unpack(from)?),
            [5] => Self::Endpoint(EndpointId::unpack(from)?),
            _ => return None,
        })
    }
}

impl Packed for Column {
    fn pack(&self, out: &mut Vec<u8>) {
        match self {
            Self::Country(country) => country.pack(out),
            Self::Anycast => out.extend_from_slice(ANYCAST),
            Self::Unknown => out.extend_from_slice(UNKNOWN),
        }
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        let code: [u8; 2] = take(from)?;
        match &code {
            ANYCAST => Some(Self::Anycast),
            UNKNOWN => Some(Self::Unknown),
            _ => Country::new(code).map(Self::Country),
        }
    }
}

// Places that are no country, where a country's two letters would stand.
const ANYCAST: &[u8; 2] = b"*1";
const UNKNOWN: &[u8; 2] = b"*2";

impl Packed for PlaceStatus {
    fn pack(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Confident => 0,
            Self::Single => 1,
            Self::Disputed => 2,
            Self::Anycast => 3,
            Self::Unknown => 4,
        });
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Some(match take(from)? {
            [0] => Self::Confident,
            [1] => Self::Single,
            [2] => Self::Disputed,
            [3] => Self::Anycast,
            [4] => Self::Unknown,
            _ => return None,
        })
    }
}
