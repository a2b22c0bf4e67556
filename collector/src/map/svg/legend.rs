//! The legend: every class and every state with its form and its count, and the patterns they use.

use super::row::Row;
use super::{BODY, Ink, NOTE, Sheet};
use crate::map::classes::{BREAKS, Class, INK_COLOUR, Look, SUPPRESSED_COLOUR};
use crate::release::BasisPoints;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The patterns of imprecise, suppressed and no-data cells, in units of which `per_px` make one
/// screen pixel.
pub(super) fn define_patterns(out: &mut String, per_px: f64, ink: Ink) {
    let open = |out: &mut String, id: &str, tile: u32, ground: &str| {
        write!(
            out,
            r#"<pattern id="p-{id}" width="{tile}" height="{tile}" patternUnits="userSpaceOnUse" patternTransform="scale({per_px:.3})"><rect width="{tile}" height="{tile}"{ground}/>"#
        )
        .expect("a String");
    };
    for class in Class::all() {
        let ground = ink.paint(Look::Value(class));
        open(out, &format!("imprecise-{}", class.number()), 4, &ground);
        writeln!(
            out,
            r#"<circle cx="1" cy="1" r=".55"{0}/><circle cx="3" cy="3" r=".55"{0}/></pattern>"#,
            ink.dots(class)
        )
        .expect("a String");
    }
    open(out, "suppressed", 7, &ink.fill("s", SUPPRESSED_COLOUR));
    writeln!(
        out,
        r#"<circle cx="1.75" cy="1.75" r="1.2"{0}/><circle cx="5.25" cy="5.25" r="1.2"{0}/></pattern>"#,
        ink.fill("ink", INK_COLOUR)
    )
    .expect("a String");
    open(out, "no-data", 6, &ink.fill("a", "#ffffff"));
    writeln!(
        out,
        r#"<path d="M-1 1l2-2M0 6l6-6M5 7l2-2"{} stroke-width=".8" fill="none"/></pattern>"#,
        ink.stroke("ink", INK_COLOUR)
    )
    .expect("a String");
}

/// What the legend's words mean, a paragraph each.
pub(super) const EXPLANATION: [&str; 4] = [
    "Imprecise: the place rests on one address database, or the 95 % interval of the share spans more \
     than one class.",
    "Suppressed: fewer homes, or homes in fewer networks, than the gate asks. Nothing more is said, \
     and the number cannot be worked out from the others.",
    "Zero: homes enough were asked, and none of their phones was seen doing it. Countries in no table \
     of this release are zero too.",
    "Discs stand for territories too small to see: full (value), full with a point (imprecise), pale \
     (zero), ring with a cross (suppressed), ring (no data), dashed ring (does not apply).",
];

/// Every class and every state, in two columns; gives the height it reaches down to.
pub(super) fn draw(sheet: &mut Sheet, (x, y): (f64, f64), worlds: &[&Row<'_>], scale: f64) -> f64 {
    let mut counts: BTreeMap<Look, usize> = BTreeMap::new();
    for look in worlds
        .iter()
        .flat_map(|row| row.countries.values())
        .map(|cell| Look::of(cell))
    {
        *counts.entry(look).or_default() += 1;
    }
    let count = |look| counts.get(&look).copied().unwrap_or_default();
    sheet.text(
        x,
        y + 16.0,
        BODY,
        "Share of homes (in brackets: how often in this picture)",
    );
    let imprecise: usize = Class::all()
        .map(|class| count(Look::Imprecise(class)))
        .sum();
    let classes = Class::all().map(|class| {
        let both = count(Look::Value(class)) + count(Look::Imprecise(class));
        (Look::Value(class), format!("{} ({both})", class.label()))
    });
    let sample = Class::of(BasisPoints(BREAKS[2]));
    let states = [
        (
            Look::Imprecise(sample),
            format!("of these, imprecise ({imprecise})"),
        ),
        (
            Look::Zero,
            format!("zero ({}, and the rest)", count(Look::Zero)),
        ),
        (
            Look::Suppressed,
            format!("suppressed ({})", count(Look::Suppressed)),
        ),
        (Look::NoData, format!("no data ({})", count(Look::NoData))),
        (
            Look::NotApplicable,
            format!("does not apply ({})", count(Look::NotApplicable)),
        ),
    ];
    for (column, items) in [(0.0, classes.collect::<Vec<_>>()), (230.0, states.to_vec())] {
        let mut y = y + 30.0;
        for (look, label) in items {
            swatch(sheet, x + column, y, look, scale);
            sheet.text(x + column + 42.0, y + 15.0, NOTE, &label);
            y += ROW_PX;
        }
    }
    y + 30.0 + 5.0 * ROW_PX
}

const ROW_PX: f64 = 27.0;

/// A sample in the worlds' scale, so that its pattern looks the same.
fn swatch(sheet: &mut Sheet, x: f64, y: f64, look: Look, scale: f64) {
    let unit = scale / 10.0;
    let dash = match look {
        Look::NotApplicable => format!(r#" stroke-dasharray="{0:.0} {0:.0}""#, 2.5 / unit),
        _ => String::new(),
    };
    writeln!(
        sheet.body,
        r#"<g transform="translate({x:.1} {y:.1}) scale({unit:.5})"><rect width="{:.0}" height="{:.0}" fill="{}" stroke="{INK_COLOUR}" stroke-width="{:.0}"{dash}/></g>"#,
        32.0 / unit,
        20.0 / unit,
        look.paint(),
        0.7 / unit
    )
    .expect("a String");
}
