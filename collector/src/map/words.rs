//! A cell in words: what a reader is told, the same in image, page and table.
//!
//! Numbers in words are as rounded as the release is ("about 40 homes"); a suppressed cell says why
//! and nothing else.

pub mod language;

use crate::map::borders;
use crate::release::composition::Composition;
use crate::release::weighted::{EFFECTIVE_HOMES_MIN, Weighted};
use crate::release::{BasisPoints, Cell, Column, Numbers, PlaceStatus, Release};
use phonehome_proto::manifest::Purpose;

/// A share in whole per cent, `62 %`; a share above zero never reads as zero.
#[must_use]
pub fn percent(share: BasisPoints) -> String {
    match share.0 {
        1..100 => "under 1\u{a0}%".to_owned(),
        points => format!("{}\u{a0}%", (points + 50) / 100),
    }
}

/// An interval in whole per cent, widened to whole numbers: `45 to 76 %`.
#[must_use]
pub fn interval(numbers: &Numbers) -> String {
    format!(
        "{} to {}\u{a0}%",
        numbers.share_low.0 / 100,
        numbers.share_high.0.div_ceil(100)
    )
}

/// What a cell says, without its place: `62 % of about 40 homes (45 to 76 %)`.
#[must_use]
pub fn of_cell(cell: &Cell) -> String {
    match cell {
        Cell::Value(numbers) => of_numbers(numbers),
        Cell::Imprecise(numbers) => {
            let why = match numbers.place_status {
                PlaceStatus::Single => "imprecise: one database",
                PlaceStatus::Disputed => "imprecise: sources disagree",
                PlaceStatus::Confident | PlaceStatus::Anycast | PlaceStatus::Unknown => {
                    "imprecise: wide interval"
                }
            };
            format!("{}; {why}", of_numbers(numbers))
        }
        Cell::Zero(numbers) => format!(
            "none of about {} homes (at most {}\u{a0}%)",
            numbers.n,
            numbers.share_high.0.div_ceil(100)
        ),
        Cell::Suppressed => "suppressed: too few homes to be shown".to_owned(),
        Cell::NoData => "no data: no home with such a phone reported".to_owned(),
        Cell::NotApplicable => "does not apply".to_owned(),
    }
}

/// A cell's share and its homes, without a word on how its place is known.
#[must_use]
pub fn of_share(cell: &Cell) -> String {
    match cell {
        Cell::Value(numbers) | Cell::Imprecise(numbers) => of_numbers(numbers),
        Cell::Zero(_) | Cell::Suppressed | Cell::NoData | Cell::NotApplicable => of_cell(cell),
    }
}

/// How a place is known.
#[must_use]
pub const fn of_status(status: PlaceStatus) -> &'static str {
    match status {
        PlaceStatus::Confident => "confident: two sources agree, none contradicts",
        PlaceStatus::Single => "single: one source says so",
        PlaceStatus::Disputed => "disputed: sources name several countries",
        PlaceStatus::Anycast => "served from many places at once",
        PlaceStatus::Unknown => "no source knows",
    }
}

/// Names in a row: `Germany, France and Poland`.
#[must_use]
pub fn list(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [some @ .., last] => format!("{} and {last}", some.join(", ")),
    }
}

fn of_numbers(numbers: &Numbers) -> String {
    format!(
        "{} of about {} homes ({})",
        percent(numbers.share),
        numbers.n,
        interval(numbers)
    )
}

/// Where the homes behind a world number stand: `50 in Germany, 10 in other countries`.
#[must_use]
pub fn of_composition(composition: &Composition) -> String {
    if composition.parts.is_empty() {
        return "in which countries is not told".to_owned();
    }
    let mut named: Vec<(u32, &str)> = composition
        .parts
        .iter()
        .filter_map(|(country, &homes)| Some((homes, borders::name(country.as_ref()?))))
        .collect();
    named.sort_by_key(|&(homes, name)| (std::cmp::Reverse(homes), name));
    let elsewhere = if named.is_empty() {
        "countries with too few homes to be told apart"
    } else {
        "other countries"
    };
    let others = composition.parts.get(&None);
    let others = others.map(|&homes| (homes, elsewhere));
    let mut parts: Vec<String> = named
        .into_iter()
        .chain(others)
        .map(|(homes, name)| format!("{homes} in {name}"))
        .collect();
    if composition.leaves_a_rest() {
        parts.push("the rest elsewhere or not told".to_owned());
    }
    parts.join(", ")
}

/// A cell of the weighted column: `48 % (39 to 58 %)`.
#[must_use]
pub fn of_weighted(cell: &Weighted) -> String {
    match cell {
        Weighted::Shown(numbers) => format!(
            "{} ({} to {}\u{a0}%)",
            percent(numbers.share),
            numbers.share_low.0 / 100,
            numbers.share_high.0.div_ceil(100)
        ),
        Weighted::Suppressed => format!(
            "suppressed: fewer than {EFFECTIVE_HOMES_MIN} effective homes, or one vendor alone"
        ),
    }
}

/// A column's name: the country's, or what stands for no country.
#[must_use]
pub fn of_column(column: &Column) -> &str {
    match column {
        Column::Country(country) => borders::name(country),
        Column::Anycast => "many places at once (anycast)",
        Column::Unknown => "place unknown",
    }
}

/// What stands on everything that comes of an exercise.
pub const EXERCISE: &str = "EXERCISE · SYNTHETIC HOMES · NOT A FINDING";

/// The words that mark an exercise; `None` for findings.
#[must_use]
pub const fn of_exercise(release: &Release) -> Option<&'static str> {
    match release.purpose {
        Purpose::Exercise => Some(EXERCISE),
        Purpose::Observatory => None,
    }
}

/// The week and its days: `2026-W46 (2026-11-09 to 2026-11-15)`.
#[must_use]
pub fn of_week(release: &Release) -> String {
    let week = release.id.week;
    format!(
        "{week} ({} to {})",
        week.monday(),
        week.next().monday().previous()
    )
}

/// The gate in one sentence.
#[must_use]
pub fn of_gate(release: &Release) -> String {
    format!(
        "A cell is shown only if the sum over networks of min(homes, {}) is at least {}; counts are \
         rounded to {}.",
        release.network_homes_max, release.k, release.rounding
    )
}

/// What round trips may say about a place, and how many homes could make it up.
#[must_use]
pub fn of_light(release: &Release) -> String {
    format!(
        "A country is struck out of the places of a server only where light in vacuum could not have \
         reached it in the second shortest round trip, each the least of five handshakes or more, in \
         every one of at least three networks whose homes pass the gate together. So at least {} homes \
         would have to lie to strike out a place that is true, or to make one place look like many.",
        release.refutation_homes_min
    )
}

/// Who reported: `about 60 homes in at least 10 networks`.
#[must_use]
pub fn of_homes(release: &Release) -> String {
    let kind = match release.purpose {
        Purpose::Exercise => "synthetic homes",
        Purpose::Observatory => "homes",
    };
    match (release.homes, release.networks) {
        (Some(homes), Some(networks)) => {
            format!("about {homes} {kind} in at least {networks} networks")
        }
        (Some(homes), None) => format!("about {homes} {kind}"),
        (None, _) => "fewer homes than the gate asks".to_owned(),
    }
}

/// What the homes stand for, and what they do not.
#[must_use]
pub const fn of_sample(release: &Release) -> &'static str {
    match release.purpose {
        Purpose::Exercise => {
            "The homes are synthetic: a generator wrote their traffic, and nothing here says anything \
             about a vendor."
        }
        Purpose::Observatory => {
            "The homes are volunteers', not a random sample of a country or of a vendor's customers."
        }
    }
}

/// The day the week closed.
#[must_use]
pub fn of_closing(release: &Release) -> String {
    // A release closes after 1970: weeks cannot lie before it.
    release
        .closed_at
        .day()
        .map_or_else(|| release.closed_at.to_string(), |day| day.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use phonehome_proto::net::Country;
    use std::collections::BTreeMap;

    fn told(homes: u32, parts: &[(Option<&str>, u32)]) -> String {
        let parts = parts.iter().map(|&(code, homes)| {
            let country = code.map(|code| Country::parse(code).expect("a code"));
            (country, homes)
        });
        let parts: BTreeMap<_, _> = parts.collect();
        of_composition(&Composition { homes, parts })
    }

    #[test]
    fn a_composition_says_what_it_leaves_out() {
        assert_eq!(
            told(120, &[(Some("FR"), 50), (Some("DE"), 60)]),
            "60 in Germany, 50 in France, the rest elsewhere or not told"
        );
        assert_eq!(
            told(70, &[(Some("DE"), 60), (None, 10)]),
            "60 in Germany, 10 in other countries"
        );
        assert_eq!(
            told(70, &[(None, 40)]),
            "40 in countries with too few homes to be told apart, the rest elsewhere or not told"
        );
        assert_eq!(told(70, &[]), "in which countries is not told");
    }
}
