//! What a world finds, in one sentence: the title of its picture and of its page.

use super::Fact;
use super::svg::row::{Row, Subject};
use super::words::language::Language;
use crate::release::{Column, Release};
use phonehome_proto::net::Country;
use phonehome_proto::vendor::Vendor;

/// So many countries are named.
const NAMED_MAX: usize = 3;

/// The finding about one vendor.
#[must_use]
pub fn of_vendor(release: &Release, fact: Fact, vendor: Vendor, language: Language) -> String {
    of_row(&Row::of(release, fact, vendor), language)
}

/// The finding about all vendors.
#[must_use]
pub fn of_all(release: &Release, fact: Fact, language: Language) -> String {
    of_row(&Row::strongest(release, fact), language)
}

/// The finding about homes in one country.
#[must_use]
pub fn of_home(release: &Release, country: Country, language: Language) -> String {
    of_row(&Row::strongest_in(release, country), language)
}

pub(super) fn of_row(row: &Row<'_>, language: Language) -> String {
    match row.subject {
        Subject::Vendor(vendor) => of_one(row, vendor, language),
        Subject::All => of_many(row, language),
        Subject::HomesIn(country) => {
            let country = language.country(country);
            let found = of_many(row, language);
            language.fill(
                "finding.home",
                &[("country", &country), ("finding", &found)],
            )
        }
    }
}

fn of_one(row: &Row<'_>, vendor: Vendor, language: Language) -> String {
    let ranked = row.ranked();
    let vendor = vendor.name();
    if row.homes.is_none() {
        return language.fill("finding.too_few", &[("vendor", vendor)]);
    }
    if ranked.is_empty() {
        return language.fill("finding.nowhere", &[("vendor", vendor)]);
    }
    let mut places: Vec<String> = ranked
        .iter()
        .take(NAMED_MAX)
        .filter_map(|(code, cell)| {
            let share = language.percent(cell.numbers()?.share);
            let country = language.column(&Column::Country(Country::parse(code)?));
            Some(language.fill("place", &[("country", &country), ("share", &share)]))
        })
        .collect();
    let more = u32::try_from(ranked.len().saturating_sub(NAMED_MAX)).unwrap_or(u32::MAX);
    if more > 0 {
        places.push(language.counted("more", more, &[]));
    }
    let places = language.list(&places);
    let key = format!("finding.vendor.{}", row.fact.by());
    language.fill(&key, &[("vendor", vendor), ("places", &places)])
}

fn of_many(row: &Row<'_>, language: Language) -> String {
    let mut vendors: Vec<Vendor> = row
        .whose
        .values()
        .flatten()
        .map(|(vendor, _)| *vendor)
        .collect();
    vendors.sort_unstable();
    vendors.dedup();
    let met: Vec<(&str, usize)> = row
        .whose
        .iter()
        .map(|(code, whose)| (*code, whose.len()))
        .filter(|(_, vendors)| *vendors > 0)
        .collect();
    let Some(most) = met.iter().map(|(_, vendors)| *vendors).max() else {
        return language.text("finding.nothing").to_owned();
    };
    let names: Vec<String> = met
        .iter()
        .filter(|(_, vendors)| *vendors == most)
        .take(NAMED_MAX)
        .filter_map(|(code, _)| Some(language.country(Country::parse(code)?)))
        .collect();
    let count = |many: usize| u32::try_from(many).unwrap_or(u32::MAX);
    let key = format!("finding.all.{}", row.fact.by());
    language.fill(
        &key,
        &[
            (
                "vendors",
                &language.counted("vendors", count(vendors.len()), &[]),
            ),
            (
                "countries",
                &language.counted("countries", count(met.len()), &[]),
            ),
            ("most", &language.list(&names)),
            ("many", &language.number(count(most))),
        ],
    )
}
