//! Bands from vendors to countries, as wide as the share of the vendor's homes.
//!
//! A home may contact servers in several countries, so a vendor's bands may add up to more than all of
//! its homes; nothing is divided up. What is suppressed has no band and is counted in words. What stands
//! in no country ends at the bottom, in a dashed box.

use super::sheet::{INNER_PX, MARGIN_PX, NOTE, Sheet};
use super::text::escape;
use super::world::Outlines;
use super::{Ink, findings, row::Row, rows, vendors_without_numbers};
use crate::map::classes::{INK_COLOUR, Look};
use crate::map::words::language::Language;
use crate::map::{Fact, finding};
use crate::release::{Cell, Column, Release};
use phonehome_proto::vendor::Vendor;
use std::collections::BTreeMap;
use std::fmt::Write;

/// So many pixels wide is the band of all of a vendor's homes.
const FULL_PX: f64 = 34.0;
/// No band is thinner.
const THIN_PX: f64 = 2.0;
const GAP_PX: f64 = 14.0;
const BOX_PX: f64 = 10.0;
/// A box is no lower, so that its name has room.
const BOX_MIN_PX: f64 = 18.0;

/// The whole file.
pub(super) fn draw(release: &Release, fact: Fact) -> String {
    let rows = rows(release, fact);
    let shown: Vec<&Row<'_>> = rows.iter().filter(|row| row.homes.is_some()).collect();
    let title = finding::of_all(release, fact, Language::En);
    let mut sheet = Sheet::new();
    sheet.header(release, fact, &title);
    let mut bands = String::new();
    let height = draw_bands(&mut bands, release, fact, INNER_PX, Ink::Print);
    writeln!(
        sheet.body,
        r#"<g transform="translate({MARGIN_PX} {:.1})">"#,
        sheet.y
    )
    .expect("a String");
    sheet.body.push_str(&bands);
    sheet.body.push_str("</g>\n");
    sheet.y += height + 16.0;
    sheet.paragraph(NOTE, Language::En.text("flows.reading"));
    sheet.legend(&shown, 10.0, None);
    vendors_without_numbers(&mut sheet, &rows);
    sheet.sources(release, fact);
    sheet.finish(release, &title, &findings(&shown), Outlines::InPlace, 10.0)
}

/// One band: from whom, where to, the cell it stands for.
struct Band<'a> {
    vendor: Vendor,
    column: Column,
    cell: &'a Cell,
    width: f64,
}

/// A side's boxes: where each begins, how high it is, how far its bands reach so far.
struct Side<K> {
    boxes: BTreeMap<K, (f64, f64, f64)>,
    height: f64,
}

/// The bands alone, `width` wide from the origin; gives their height.
pub(super) fn draw_bands(
    out: &mut String,
    release: &Release,
    fact: Fact,
    width: f64,
    ink: Ink,
) -> f64 {
    let language = ink.language();
    let bands = bands(release, fact);
    let mut sums: BTreeMap<Vendor, f64> = BTreeMap::new();
    let mut columns: BTreeMap<Column, (f64, f64)> = BTreeMap::new();
    for band in &bands {
        *sums.entry(band.vendor).or_default() += band.width;
        let (sum, weighted) = columns.entry(band.column).or_default();
        *sum += band.width;
        *weighted += band.width * f64::from(band.vendor.number());
    }
    let mut order: Vec<(Column, f64, f64)> = columns
        .iter()
        .map(|(column, (sum, weighted))| (*column, *sum, weighted / sum))
        .collect();
    // Each country near the vendors it is met by, so that few bands cross; no country comes last.
    order.sort_by(|a, b| {
        let rank = |column: &Column| !matches!(column, Column::Country(_));
        (rank(&a.0).cmp(&rank(&b.0)))
            .then(a.2.total_cmp(&b.2))
            .then(a.0.cmp(&b.0))
    });
    let mut left = stack(sums.into_iter());
    let mut right = stack(order.iter().map(|(column, sum, _)| (*column, *sum)));
    let height = left.height.max(right.height);
    let names_px = 150.0;
    let (from, to) = (names_px + BOX_PX, width - names_px - BOX_PX);
    for place in order.iter().map(|(column, ..)| *column) {
        for band in bands.iter().filter(|band| band.column == place) {
            let y1 = left.take(&band.vendor, band.width);
            let y2 = right.take(&band.column, band.width);
            draw_band(out, band, (from, y1), (to, y2), ink);
        }
    }
    for (vendor, (y, high, _)) in &left.boxes {
        draw_box(out, names_px, *y, *high, "", ink);
        let label = vendor.name();
        text(out, names_px - 8.0, y + high / 2.0, "end", label, ink);
    }
    for (column, (y, high, _)) in &right.boxes {
        let dash = match column {
            Column::Country(_) => "",
            Column::Anycast | Column::Unknown => r#" stroke-dasharray="3 3""#,
        };
        draw_box(out, width - names_px - BOX_PX, *y, *high, dash, ink);
        let label = language.column(column);
        text(
            out,
            width - names_px + 8.0,
            y + high / 2.0,
            "start",
            &label,
            ink,
        );
    }
    height
}

/// Every cell with a share above zero.
fn bands(release: &Release, fact: Fact) -> Vec<Band<'_>> {
    let cells = fact.matrix(release).iter();
    cells
        .filter_map(|((vendor, column), cell)| {
            let share = cell.numbers()?.share.0;
            (share > 0).then(|| Band {
                vendor: *vendor,
                column: *column,
                cell,
                width: (f64::from(share) / 10_000.0 * FULL_PX).max(THIN_PX),
            })
        })
        .collect()
}

fn stack<K: Ord>(sums: impl Iterator<Item = (K, f64)>) -> Side<K> {
    let mut y = 0.0;
    let mut boxes = BTreeMap::new();
    for (key, sum) in sums {
        let high = sum.max(BOX_MIN_PX);
        boxes.insert(key, (y, high, y + (high - sum) / 2.0));
        y += high + GAP_PX;
    }
    Side { boxes, height: y }
}

impl<K: Ord> Side<K> {
    /// The middle of the next band of a box.
    fn take(&mut self, key: &K, width: f64) -> f64 {
        let (_, _, reach) = self
            .boxes
            .get_mut(key)
            .expect("every band has its two boxes");
        *reach += width;
        *reach - width / 2.0
    }
}

fn draw_band(
    out: &mut String,
    band: &Band<'_>,
    (x1, y1): (f64, f64),
    (x2, y2): (f64, f64),
    ink: Ink,
) {
    let look = Look::of(band.cell);
    let (Look::Value(class) | Look::Imprecise(class)) = look else {
        return;
    };
    let language = ink.language();
    let middle = f64::midpoint(x1, x2);
    let curve = format!("M{x1:.1} {y1:.1}C{middle:.1} {y1:.1} {middle:.1} {y2:.1} {x2:.1} {y2:.1}");
    let words = language.fill(
        "of_vendor",
        &[
            ("vendor", band.vendor.name()),
            ("cell", &language.cell(band.cell)),
        ],
    );
    let title = language.fill(
        "named",
        &[("name", &language.column(&band.column)), ("words", &words)],
    );
    write!(
        out,
        r#"<g role="img" data-vendor="{}" data-column="{}" data-state="{}"><title>{}</title><path d="{curve}" fill="none"{} stroke-width="{:.1}" stroke-opacity=".8"/>"#,
        band.vendor.id(),
        band.column.code(),
        band.cell.state(),
        escape(&title),
        ink.stroke(&format!("k{}", class.number()), class.colour()),
        band.width
    )
    .expect("a String");
    if matches!(look, Look::Imprecise(_)) {
        // Dots along the middle: imprecise without a word of colour.
        write!(
            out,
            r#"<path d="{curve}" fill="none"{} stroke-width="1.6" stroke-linecap="round" stroke-dasharray="0 7"/>"#,
            ink.stroke(&format!("t{}", class.number()), class.stipple_colour())
        )
        .expect("a String");
    }
    out.push_str("</g>\n");
}

fn draw_box(out: &mut String, x: f64, y: f64, high: f64, dash: &str, ink: Ink) {
    writeln!(
        out,
        r#"<rect x="{x:.1}" y="{y:.1}" width="{BOX_PX}" height="{high:.1}"{}{} stroke-width="1"{dash}/>"#,
        ink.fill("s", "#dcdcdc"),
        ink.stroke("ink", INK_COLOUR)
    )
    .expect("a String");
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, label: &str, ink: Ink) {
    writeln!(
        out,
        r#"<text x="{x:.1}" y="{:.1}" font-size="15" text-anchor="{anchor}"{}>{}</text>"#,
        y + 5.0,
        ink.fill("label", "#14181c"),
        escape(label)
    )
    .expect("a String");
}
