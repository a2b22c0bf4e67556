//! What a home reports of a day: that its phones were there, and one contact that no other batch has.
//!
//! Pure. The contact stands in a cell of its own, so that a batch that is lost, or counted twice, shows in
//! the counters as a 0 or a 2. Beside it stands a contact that all homes have, so that the released
//! number of it must be the number of homes.

use phonehome_proto::batch::{Batch, BatchHeader, Coverage, Source};
use phonehome_proto::census::{Basis, Census, CensusRow, PhoneCount, UnnamedShare};
use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::net::Prefix;
use phonehome_proto::observation::{
    Destination, NamedBy, Observation, ObservationKey, Service, VolumeTrust,
};
use phonehome_proto::scale::Magnitude;
use phonehome_proto::time::Day;
use phonehome_proto::vendor::Vendor;
use std::collections::BTreeMap;

/// Whose phone contacts what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// The phone's maker.
    pub vendor: Vendor,
    /// The endpoint.
    pub endpoint: EndpointId,
}

/// Batches in which a home tells of one day, at most.
pub const PARTS_MAX: u8 = 2;

/// The prefix in which all servers of a storm stand, ...
pub const PLACE: [u8; 3] = [161, 117, 70];

/// ... and the country, say the tables that are compiled in.
pub const COUNTRY: &str = "SG";

/// The makers of every home's phones, one for each part of a day.
#[must_use]
pub fn vendors() -> [Vendor; PARTS_MAX as usize] {
    ["xiaomi", "samsung"].map(|id| Vendor::from_id(id).expect("a vendor of the list"))
}

/// The contact that every batch tells of, besides its own.
#[must_use]
pub fn common() -> Cell {
    let endpoint = EndpointId::of_name("sa.api.intl.miui.com").expect("it is listed");
    Cell {
        vendor: vendors()[0],
        endpoint,
    }
}

/// The contact that only this home's batch tells of, this part of this day of any week.
///
/// # Panics
/// If there are more homes than the list of endpoints has weeks.
#[must_use]
pub fn cell(home: usize, day: Day, part: u8) -> Cell {
    let weekday = day.number() - day.week().monday().number();
    let nth = home * 7 + usize::try_from(weekday).expect("a week has seven days");
    let mut endpoints = EndpointId::all()
        .filter(|endpoint| endpoint.edge().is_none() && *endpoint != common().endpoint);
    let endpoint = endpoints.nth(nth);
    Cell {
        vendor: vendors()[usize::from(part)],
        endpoint: endpoint.expect("there are endpoints enough for all homes of a storm"),
    }
}

/// What a home tells of its day.
///
/// # Panics
/// Never: everything in it may stand together.
#[must_use]
pub fn batch(header: BatchHeader, cell: Cell) -> Batch {
    let row = CensusRow {
        phones: PhoneCount::One,
        unnamed: UnnamedShare::Below10,
    };
    let census = Census {
        rows: vendors()
            .map(|vendor| ((vendor, Basis::Declared), row))
            .into(),
        unidentified: None,
    };
    let coverage = Coverage {
        source: Source::File,
        losses: BTreeMap::new(),
    };
    let contacts = [common(), cell].map(contact);
    Batch::new(header, census, coverage, contacts.into()).expect("a batch")
}

fn contact(cell: Cell) -> Observation {
    let key = ObservationKey {
        vendor: cell.vendor,
        basis: Basis::Declared,
        endpoint: cell.endpoint,
        destination: Destination::Prefix(Prefix::V4(PLACE)),
        service: Service::Tls,
        named_by: NamedBy::Sni,
    };
    let volumes = [1, 1_000, 2_000].map(Magnitude::of);
    Observation::new(key, volumes, VolumeTrust::Exact, None).expect("an observation")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storm::home::IDENTITIES_MAX;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_batches_of_a_week_share_a_cell() {
        let monday = Day::new(20_000).expect("a day").week().monday();
        let mut cells = BTreeSet::from([common()]);
        for home in 0..IDENTITIES_MAX {
            for day in 0..7 {
                for part in 0..PARTS_MAX {
                    let cell = cell(home, monday.plus(day), part);
                    assert!(cells.insert(cell), "{home} {day} {part}");
                }
            }
        }
    }
}
