//! The sheet: header, worlds, legend and sources, as one SVG file.
//!
//! Only presentation attributes, no style, script, font or link to anything outside, so the same
//! bytes stand in a folder, in a page under a strict content policy, and in a README. [`page`] draws
//! the same figures for pages, which have words, legend and colours of their own around them.

mod flows;
mod ink;
mod legend;
mod matrix;
pub mod page;
pub(in crate::map) mod row;
mod sheet;
pub mod text;
pub mod weeks;
mod world;

use crate::map::classes::Look;
use crate::map::projection::WIDTH_PX;
use crate::map::words::language::Language;
use crate::map::{Fact, View, finding};
use crate::release::Release;
pub(crate) use ink::Ink;
use phonehome_proto::vendor::Vendor;
use row::Row;
use sheet::{BODY, INNER_PX, MARGIN_PX, NOTE, Sheet};
use world::Outlines;

/// What everything here is about.
const QUESTION: &str = "Which phone vendors ship data to which countries";

/// Everything above: a whole file.
pub(super) fn draw(release: &Release, fact: Fact, view: View) -> String {
    match view {
        View::AllVendors => all_vendors(release, fact),
        View::World => one_world(release, &Row::strongest(release, fact)),
        View::Vendor(vendor) => one_world(release, &Row::of(release, fact, vendor)),
        View::Home(country) => one_world(release, &Row::strongest_in(release, country)),
        View::Matrix => matrix::draw(release, fact),
        View::Flows => flows::draw(release, fact),
    }
}

/// What a share is a share of.
const fn measure(fact: Fact) -> &'static str {
    match fact {
        Fact::Server => {
            "Share of the homes with a phone of the vendor in which that phone was seen contacting one \
             of the vendor's own servers standing in that country."
        }
        Fact::Network => {
            "Share of the homes with a phone of the vendor in which that phone was seen contacting one \
             of the vendor's own servers in a network whose operator is registered in that country."
        }
        Fact::Owner => {
            "Share of the homes with a phone of the vendor in which that phone was seen contacting one \
             of the vendor's own servers under a domain whose owner is registered or seated in that country."
        }
    }
}

/// What a fact is not.
const fn caution(fact: Fact) -> &'static str {
    match fact {
        Fact::Server => {
            "A server's place is where address databases say it stands; it is not where its \
             owner is registered, and not where data goes afterwards."
        }
        Fact::Network => {
            "An operator's country is where its networks are registered; its machines may stand in \
             another, and data may go on to a third."
        }
        Fact::Owner => {
            "An owner's country says nothing about where its servers stand or where data goes."
        }
    }
}

/// A row for each vendor of the list.
fn rows(release: &Release, fact: Fact) -> Vec<Row<'_>> {
    Vendor::all()
        .map(|vendor| Row::of(release, fact, vendor))
        .collect()
}

fn all_vendors(release: &Release, fact: Fact) -> String {
    let rows = rows(release, fact);
    let shown: Vec<&Row<'_>> = rows.iter().filter(|row| row.homes.is_some()).collect();
    let columns = if shown.len() < 2 { 1 } else { 2 };
    let worlds = if shown.is_empty() {
        rows.iter().take(1).collect()
    } else {
        shown
    };
    let title = finding::of_all(release, fact, Language::En);
    let mut sheet = Sheet::new();
    sheet.header(release, fact, &title);
    let scale = (INNER_PX - MARGIN_PX * f64::from(columns - 1)) / f64::from(columns) / WIDTH_PX;
    let exercise = super::words::of_exercise(release).is_some();
    let gap_top = sheet.worlds(&worlds, columns, Outlines::Shared, scale, exercise);
    sheet.legend(&worlds, scale, gap_top);
    vendors_without_numbers(&mut sheet, &rows);
    sheet.sources(release, fact);
    sheet.finish(release, &title, &findings(&worlds), Outlines::Shared, scale)
}

fn one_world(release: &Release, row: &Row<'_>) -> String {
    let title = finding::of_row(row, Language::En);
    let scale = INNER_PX / WIDTH_PX;
    let exercise = super::words::of_exercise(release).is_some();
    let mut sheet = Sheet::new();
    sheet.header(release, row.fact, &title);
    let gap_top = sheet.worlds(&[row], 1, Outlines::InPlace, scale, exercise);
    sheet.legend(&[row], scale, gap_top);
    sheet.sources(release, row.fact);
    sheet.finish(release, &title, &findings(&[row]), Outlines::InPlace, scale)
}

/// What somebody hears who cannot see the worlds.
fn findings(worlds: &[&Row<'_>]) -> String {
    let findings: Vec<String> = worlds
        .iter()
        .map(|row| format!("{}: {}", row.name(), row.summary()))
        .collect();
    findings.join(" ")
}

/// Vendors of which no number passed the gate have no world, but they are not left out.
fn vendors_without_numbers(sheet: &mut Sheet, rows: &[Row<'_>]) {
    let names = |look: Look| {
        let names: Vec<String> = rows
            .iter()
            .filter(|row| row.homes.is_none() && row.rest == look)
            .map(|row| row.name())
            .collect();
        names.join(", ")
    };
    for (words, look) in [
        ("Too few homes to show anything", Look::Suppressed),
        ("No home with such a phone reported", Look::NoData),
        ("No endpoint of their own is listed", Look::NotApplicable),
    ] {
        let names = names(look);
        if !names.is_empty() {
            sheet.paragraph(BODY, &format!("{words}: {names}."));
        }
    }
}

#[cfg(test)]
mod tests;
