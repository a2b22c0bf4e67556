//! The home's own map: in which countries the servers stand that its phones contacted.
//!
//! Takes the flows of phones, each with what the user's own database says of its server, and gives a
//! text or an SVG picture. It is drawn here and goes nowhere. A place is that database's opinion and is
//! called so; what has no place stands beside the map and is never guessed onto it.

mod land;
mod spots;
mod svg;
mod terminal;

use crate::device::DeviceTag;
use crate::run::geo::Whereabouts;
use phonehome_proto::net::Country;
use phonehome_proto::vendor::Vendor;
use std::collections::BTreeMap;

pub(super) use svg::svg;
pub(super) use terminal::text;

/// Countries that get a mark; all of them have their row.
const MARKS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What both pictures say beneath, a sentence each.
const NOTES: [&str; 2] = [
    "Where a server stands is one database's opinion; what was sent, and to whom, it does not say.",
    "Drawn on this machine from your own captures; nothing of it leaves your home.",
];

/// The flows of phones, by where their servers stand.
pub(super) struct Chart {
    /// What the database calls itself.
    database: String,
    counts: BTreeMap<Whereabouts, Count>,
}

/// What was seen of one country.
#[derive(Default)]
struct Count {
    flows: u64,
    phones: BTreeMap<DeviceTag, Option<Vendor>>,
}

/// One line of the legend.
struct Row {
    /// The letter on the map; `None` for what stands beside it.
    mark: Option<char>,
    /// Where, in tenths of a pixel; there exactly where there is a mark.
    at: Option<(usize, usize)>,
    /// `SG Singapore`, or why there is no place.
    place: String,
    flows: String,
    share: String,
    /// `1 samsung, 2 of unknown make`.
    phones: String,
}

// === impl Chart ===

impl Chart {
    /// A map on which nothing is.
    pub(super) fn new(database: &str) -> Self {
        // What comes out of a file may hold what moves a cursor.
        let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
        Self {
            database: database.chars().map(shown).collect(),
            counts: BTreeMap::new(),
        }
    }

    /// Counts one flow of a phone.
    pub(super) fn count(&mut self, place: Whereabouts, phone: DeviceTag, vendor: Option<Vendor>) {
        let count = self.counts.entry(place).or_default();
        count.flows += 1;
        // Two captures may differ in what they know of one phone.
        let known = count.phones.entry(phone).or_default();
        *known = known.or(vendor);
    }

    /// No phone's flow was seen.
    pub(super) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    fn title(&self) -> String {
        format!(
            "Where the servers stand that your phones contacted, by {}",
            self.database
        )
    }

    /// The countries with most flows first, then what has no place.
    fn rows(&self) -> Vec<Row> {
        let all: u64 = self.counts.values().map(|count| count.flows).sum();
        let mut counts: Vec<_> = self.counts.iter().collect();
        counts.sort_by_key(|(place, count)| (placed(**place).is_none(), u64::MAX - count.flows));
        let mut marks = MARKS.iter().copied().map(char::from);
        let rows = counts.into_iter().map(|(place, count)| {
            let marked = placed(*place).and_then(|at| Some((marks.next()?, at)));
            Row {
                mark: marked.map(|(mark, _)| mark),
                at: marked.map(|(_, at)| at),
                place: words(*place),
                flows: count.flows.to_string(),
                share: share(count.flows, all),
                phones: phones(count),
            }
        });
        rows.collect()
    }
}

fn placed(place: Whereabouts) -> Option<(usize, usize)> {
    match place {
        Whereabouts::Country(country) => land::place(country)?.at,
        Whereabouts::Anycast | Whereabouts::Unknown => None,
    }
}

fn words(place: Whereabouts) -> String {
    match place {
        Whereabouts::Country(country) => named(country),
        Whereabouts::Anycast => "many places at once (anycast)".to_owned(),
        Whereabouts::Unknown => "no country known".to_owned(),
    }
}

fn named(country: Country) -> String {
    match land::place(country) {
        Some(place) => format!("{country} {}", place.name),
        None => format!("{country} (no one country)"),
    }
}

fn share(flows: u64, all: u64) -> String {
    // Rounded half up; what is there is never shown as nothing.
    match (flows * 200 + all) / (2 * all) {
        0 => "<1 %".to_owned(),
        percent => format!("{percent} %"),
    }
}

/// The phones by maker, those of unknown make last.
fn phones(count: &Count) -> String {
    let mut makers = BTreeMap::<_, usize>::new();
    for vendor in count.phones.values() {
        *makers
            .entry((vendor.is_none(), vendor.map(Vendor::id)))
            .or_default() += 1;
    }
    let words = makers
        .iter()
        .map(|((_, maker), phones)| format!("{phones} {}", maker.unwrap_or("of unknown make")));
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
