//! Small multiples: a panel for each vendor, the weeks from left to right, a line for each of its
//! largest countries with its interval.
//!
//! Weeks are drawn as they were released and never joined over a gap: a suppressed week breaks its line.
//! Lines are told apart by dashes, marks and the country's code at their end, not by colour.

use super::Ink;
use super::sheet::{INNER_PX, MARGIN_PX, NOTE, Sheet};
use super::text::escape;
use super::world::Outlines;
use crate::map::words::language::Language;
use crate::map::{Fact, words};
use crate::release::{Cell, Column, Release, composition};
use phonehome_proto::vendor::Vendor;
use std::collections::BTreeMap;
use std::fmt::Write;

const PANEL_PX: f64 = 275.0;
const PANEL_HIGH_PX: f64 = 170.0;
/// Between two panels.
const BETWEEN_PX: f64 = 20.0;
/// So many countries have a line.
const LINES_MAX: usize = 4;
const DASHES: [&str; LINES_MAX] = ["", "6 3", "2 3", "9 3 2 3"];

/// The vendors with numbers in any week, in the list's order.
#[must_use]
pub fn vendors(releases: &[&Release], fact: Fact) -> Vec<Vendor> {
    Vendor::all()
        .filter(|vendor| {
            let homes = |release: &&Release| composition::homes(fact.matrix(release), *vendor);
            releases.iter().filter_map(homes).next().is_some()
        })
        .collect()
}

/// The columns a vendor's lines are of: the largest shares of any week first.
#[must_use]
pub fn columns(releases: &[&Release], fact: Fact, vendor: Vendor) -> Vec<Column> {
    let mut largest: BTreeMap<Column, u16> = BTreeMap::new();
    for release in releases {
        for ((of, column), cell) in fact.matrix(release) {
            if let Some(numbers) = cell.numbers().filter(|_| *of == vendor) {
                let most = largest.entry(*column).or_default();
                *most = numbers.share.0.max(*most);
            }
        }
    }
    let mut columns: Vec<(Column, u16)> =
        largest.into_iter().filter(|(_, most)| *most > 0).collect();
    columns.sort_by_key(|(column, most)| (std::cmp::Reverse(*most), *column));
    columns.truncate(LINES_MAX);
    columns.into_iter().map(|(column, _)| column).collect()
}

/// The whole file, of releases from the oldest to the newest. `None` without any.
#[must_use]
pub fn svg(releases: &[&Release], fact: Fact) -> Option<String> {
    let newest = releases.last()?;
    let title = "Weeks side by side";
    let mut sheet = Sheet::new();
    sheet.header(newest, fact, title);
    let mut panels = String::new();
    let all = vendors(releases, fact);
    let height = draw(&mut panels, releases, fact, &all, INNER_PX, Ink::Print);
    writeln!(
        sheet.body,
        r#"<g transform="translate({MARGIN_PX} {:.1})">{panels}</g>"#,
        sheet.y
    )
    .expect("a String");
    sheet.y += height + 10.0;
    sheet.paragraph(NOTE, Language::En.text("weeks.reading"));
    let names: Vec<String> = releases
        .iter()
        .map(|release| release.id.to_string())
        .collect();
    sheet.paragraph(NOTE, &format!("Releases: {}.", names.join(", ")));
    sheet.sources(newest, fact);
    Some(sheet.finish(
        newest,
        title,
        &words::of_week(newest),
        Outlines::InPlace,
        10.0,
    ))
}

/// The panels of these vendors alone, `width` wide from the origin; gives their height.
pub(super) fn draw(
    out: &mut String,
    releases: &[&Release],
    fact: Fact,
    vendors: &[Vendor],
    width: f64,
    ink: Ink,
) -> f64 {
    let mut at = (0.0, 0.0);
    let mut bottom: f64 = 0.0;
    for vendor in vendors {
        if at.0 + PANEL_PX > width + 1.0 {
            at = (0.0, bottom + BETWEEN_PX);
        }
        writeln!(
            out,
            r#"<g transform="translate({:.1} {:.1})" role="group" aria-label="{}" data-vendor="{}">"#,
            at.0,
            at.1,
            escape(vendor.name()),
            vendor.id()
        )
        .expect("a String");
        panel(out, releases, fact, *vendor, ink);
        out.push_str("</g>\n");
        bottom = at.1 + PANEL_HIGH_PX;
        at.0 += PANEL_PX + BETWEEN_PX * 0.6;
    }
    bottom
}

/// Where a week and a share lie in a panel.
fn place(index: usize, weeks: usize, points: u16) -> (f64, f64) {
    const LEFT_PX: f64 = 38.0;
    let count = |many: usize| f64::from(u32::try_from(many).unwrap_or(u32::MAX));
    let step = (PANEL_PX - LEFT_PX - 50.0) / count(weeks.saturating_sub(1).max(1));
    let x = LEFT_PX + 6.0 + step * count(index);
    let y = PANEL_HIGH_PX - 22.0 - f64::from(points) / 10_000.0 * (PANEL_HIGH_PX - 52.0);
    (x, y)
}

fn panel(out: &mut String, releases: &[&Release], fact: Fact, vendor: Vendor, ink: Ink) {
    let language = ink.language();
    let label = ink.fill("label", "#14181c");
    let weeks = releases.len();
    writeln!(
        out,
        r#"<text x="0" y="16" font-size="16" font-weight="700"{label}>{}</text>"#,
        escape(vendor.name())
    )
    .expect("a String");
    for points in [0, 5_000, 10_000] {
        let ((x1, y), (x2, _)) = (
            place(0, weeks, points),
            place(weeks.max(2) - 1, weeks, points),
        );
        writeln!(
            out,
            r#"<path d="M{x1:.1} {y:.1}H{x2:.1}"{} stroke-width="1"/><text x="32" y="{:.1}" font-size="11" text-anchor="end"{label}>{}%</text>"#,
            ink.stroke("line", "#dde6ee"),
            y + 4.0,
            points / 100
        )
        .expect("a String");
    }
    for (index, release) in releases.iter().enumerate() {
        if index == 0 || index + 1 == weeks {
            let (x, _) = place(index, weeks, 0);
            let week = release.id.week.to_string();
            writeln!(
                out,
                r#"<text x="{x:.1}" y="{:.1}" font-size="11" text-anchor="middle"{label}>{}</text>"#,
                PANEL_HIGH_PX - 6.0,
                week.split('-').next_back().unwrap_or_default()
            )
            .expect("a String");
        }
    }
    let columns = columns(releases, fact, vendor);
    let mut taken: Vec<f64> = Vec::new();
    for (column, dash) in columns.iter().zip(DASHES) {
        let cells: Vec<Option<&Cell>> = releases
            .iter()
            .map(|release| fact.matrix(release).get(&(vendor, *column)))
            .collect();
        let title = language.column(column);
        write!(
            out,
            r#"<g role="img" data-column="{}"><title>{}: {}</title>"#,
            column.code(),
            escape(vendor.name()),
            escape(&title)
        )
        .expect("a String");
        line(out, &cells, dash, ink);
        let last =
            cells.iter().enumerate().rev().find_map(|(index, cell)| {
                Some(place(index, weeks, cell.as_ref()?.numbers()?.share.0))
            });
        if let Some((x, mut y)) = last {
            while taken.iter().any(|other| (other - y).abs() < 12.0) {
                y += 12.0;
            }
            taken.push(y);
            write!(
                out,
                r#"<text x="{:.1}" y="{:.1}" font-size="12" font-weight="700"{label}>{}</text>"#,
                x + 8.0,
                y + 4.0,
                column.code()
            )
            .expect("a String");
        }
        out.push_str("</g>\n");
    }
}

/// A line with the interval of each week; a week without numbers breaks it.
fn line(out: &mut String, cells: &[Option<&Cell>], dash: &str, ink: Ink) {
    let stroke = ink.stroke("ink", "#4a4f55");
    let mut path = String::new();
    let mut joined = false;
    for (index, cell) in cells.iter().enumerate() {
        let Some(numbers) = cell.and_then(Cell::numbers) else {
            joined = false;
            continue;
        };
        let (x, y) = place(index, cells.len(), numbers.share.0);
        write!(path, "{}{x:.1} {y:.1}", if joined { "L" } else { "M" }).expect("a String");
        joined = true;
        let (_, low) = place(index, cells.len(), numbers.share_low.0);
        let (_, high) = place(index, cells.len(), numbers.share_high.0);
        write!(
            out,
            r#"<path d="M{x:.1} {low:.1}V{high:.1}"{stroke} stroke-opacity=".35" stroke-width="3"/><circle cx="{x:.1}" cy="{y:.1}" r="3"{}/>"#,
            ink.fill("ink", "#4a4f55")
        )
        .expect("a String");
    }
    let dash = if dash.is_empty() {
        String::new()
    } else {
        format!(r#" stroke-dasharray="{dash}""#)
    };
    write!(
        out,
        r#"<path d="{path}" fill="none"{stroke} stroke-width="1.8"{dash}/>"#
    )
    .expect("a String");
}
