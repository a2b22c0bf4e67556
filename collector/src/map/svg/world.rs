//! One world: every country once, in the state its cell has.
//!
//! Coordinates are the tenths of a pixel of the borders; a group scales them. Countries of which the
//! release has no cell take the vendor's *rest*: no phone of any vendor was seen contacting a server
//! there, so they are zero wherever the vendor has numbers at all.

use super::Ink;
use super::row::Row;
use super::text::{escape, width_px};
use crate::map::borders::{self, Disc, Shape};
use crate::map::classes::{INK_COLOUR, Look, ZERO_COLOUR};
use crate::map::projection::WIDTH_PX;
use crate::map::words;
use crate::release::Cell;
use phonehome_proto::net::Country;
use std::fmt::Write;

/// A disc's radius on screen.
const DISC_PX: f64 = 4.0;
/// A country smaller than this on screen gets a disc, as in the borders.
const DISC_UNDER_PX: f64 = 8.0;
/// A disc moved further than this gets a line to its place.
const LEADER_PX: i32 = 4;
/// So many countries are labelled on a world.
const LABELS_MAX: usize = 4;
/// A country so wide has its label across it, even where the label is wider.
const ROOMY_PX: f64 = 48.0;
/// Labels on one line stand at least so far apart, so that two are never read as one.
const LABEL_GAP_PX: f64 = 26.0;

/// How the outlines of a picture are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outlines {
    /// Once, in `<defs>`, because several worlds share them; a country without a cell is part of
    /// the common ground.
    Shared,
    /// In place; every country is an element with its own title.
    InPlace,
}

/// The definitions that [`Outlines::Shared`] worlds use.
pub(super) fn define_outlines(out: &mut String) {
    for shape in borders::shapes()
        .iter()
        .filter(|shape| !shape.path.is_empty())
    {
        write!(out, r#"<path id="c-{}" d="{}"/>"#, shape.code, shape.path).expect("a String");
    }
    out.push_str(r#"<g id="land">"#);
    for shape in borders::shapes()
        .iter()
        .filter(|shape| !shape.path.is_empty())
    {
        write!(out, r##"<use href="#c-{}"/>"##, shape.code).expect("a String");
    }
    out.push_str(r#"</g><g id="discs">"#);
    for disc in borders::shapes().iter().filter_map(|shape| shape.disc) {
        write!(out, r#"<circle cx="{}" cy="{}" r="26"/>"#, disc.x, disc.y).expect("a String");
    }
    out.push_str("</g>\n");
    write!(
        out,
        r#"<g id="globe"><path d="{}" fill="{SEA}"/><path d="{}" fill="none" stroke="{SEA_LINE}" stroke-width="8"/></g>"#,
        borders::ocean(),
        borders::graticule()
    )
    .expect("a String");
}

const SEA: &str = "#eef3f8";
const SEA_LINE: &str = "#dde6ee";
const COAST: &str = "#a9b1ba";

/// One world, `scale` screen pixels for each pixel of the 960 px picture, at the origin.
pub(super) fn draw(
    out: &mut String,
    row: &Row<'_>,
    outlines: Outlines,
    scale: f64,
    exercise: bool,
    ink: Ink,
) {
    let unit = scale / 10.0;
    let pen = Pen {
        row,
        per_px: 10.0 / scale,
        ink,
    };
    writeln!(
        out,
        r#"<g transform="scale({unit:.5})" fill-rule="evenodd" stroke-linejoin="round"{} stroke-width="{:.1}">"#,
        ink.stroke("coast", COAST),
        pen.px(0.5)
    )
    .expect("a String");
    match outlines {
        Outlines::Shared => {
            let rest = row.rest.paint();
            writeln!(
                out,
                r##"<use href="#globe" stroke="none"/><use href="#land" fill="{rest}"/><use href="#discs" fill="{ZERO_COLOUR}"/>"##
            )
            .expect("a String");
            for (code, cell) in &row.countries {
                if let Some(shape) = shape_of(code) {
                    pen.country(out, shape, Look::of(cell), Some(cell), outlines);
                }
            }
        }
        Outlines::InPlace => {
            writeln!(
                out,
                r#"<path d="{}"{} stroke="none"/><path d="{}" fill="none"{}/><path d="{}"{}/>"#,
                borders::ocean(),
                ink.fill("sea", SEA),
                borders::graticule(),
                ink.stroke("line", SEA_LINE),
                borders::land_without_code(),
                ink.fill("z", ZERO_COLOUR)
            )
            .expect("a String");
            // Discs come last, so that no neighbour covers one.
            for with_disc in [false, true] {
                for shape in borders::shapes()
                    .iter()
                    .filter(|s| s.disc.is_some() == with_disc)
                {
                    let cell = row.countries.get(shape.code).copied();
                    let look = cell.map_or(row.rest, Look::of);
                    pen.country(out, shape, look, cell, outlines);
                }
            }
        }
    }
    out.push_str("</g>\n");
    if exercise {
        watermark(out, scale);
    }
    pen.labels(out);
}

fn shape_of(code: &str) -> Option<&'static Shape> {
    borders::shape(Country::parse(code)?)
}

/// Draws in tenths, thinking in screen pixels.
struct Pen<'a> {
    row: &'a Row<'a>,
    per_px: f64,
    ink: Ink,
}

impl Pen<'_> {
    fn px(&self, screen_px: f64) -> f64 {
        screen_px * self.per_px
    }

    fn country(
        &self,
        out: &mut String,
        shape: &Shape,
        look: Look,
        cell: Option<&Cell>,
        outlines: Outlines,
    ) {
        if shape.path.is_empty() && shape.disc.is_none() {
            return;
        }
        let state = cell.map_or_else(|| self.row.rest_word(), Cell::state);
        write!(
            out,
            r#"<g role="img"{} data-country="{}" data-state="{state}""#,
            self.ink.focus(shape.code),
            shape.code
        )
        .expect("a String");
        if let Some(numbers) = cell.and_then(Cell::numbers) {
            write!(
                out,
                r#" data-share="{}" data-low="{}" data-high="{}" data-n="{}""#,
                numbers.share, numbers.share_low, numbers.share_high, numbers.n
            )
            .expect("a String");
        }
        if let Some((vendor, _)) = self
            .row
            .whose
            .get(shape.code)
            .and_then(|whose| whose.first())
        {
            write!(out, r#" data-of="{}""#, vendor.id()).expect("a String");
        }
        let language = self.ink.language();
        let name = Country::parse(shape.code).map_or_else(
            || shape.name.to_owned(),
            |country| language.country(country),
        );
        write!(
            out,
            "><title>{}</title>",
            escape(&language.fill(
                "named",
                &[
                    ("name", &name),
                    ("words", &self.row.words(shape.code, language))
                ]
            ))
        )
        .expect("a String");
        if !shape.path.is_empty() {
            let paint = format!("{}{}", self.ink.paint(look), self.edge(look));
            match outlines {
                Outlines::Shared => {
                    write!(out, r##"<use href="#c-{}"{paint}/>"##, shape.code).expect("a String");
                }
                Outlines::InPlace if look == self.row.rest => {
                    write!(out, r#"<path d="{}"{}/>"#, shape.path, self.ink.paint(look))
                        .expect("a String");
                }
                Outlines::InPlace => {
                    write!(out, r#"<path d="{}"{paint}/>"#, shape.path).expect("a String");
                }
            }
        }
        if let Some(disc) = self.disc_of(shape) {
            self.disc(out, disc, look);
        }
        out.push_str("</g>\n");
    }

    /// The disc of a country too small to see at this scale.
    fn disc_of(&self, shape: &Shape) -> Option<Disc> {
        let (x, y) = shape.middle;
        let seen_px = f64::from(shape.size) / self.per_px;
        let bare = (seen_px < DISC_UNDER_PX).then_some(Disc {
            x,
            y,
            of_x: x,
            of_y: y,
        });
        shape.disc.or(bare)
    }

    /// The outline's own stroke, where it is not the coast's.
    fn edge(&self, look: Look) -> String {
        match look {
            Look::Value(_) | Look::Imprecise(_) => self.ink.stroke("edge", "#ffffff"),
            Look::Zero => String::new(),
            Look::Suppressed | Look::NoData => self.ink.stroke("ink", INK_COLOUR),
            Look::NotApplicable => {
                let dash = self.px(2.5);
                let stroke = self.ink.stroke("ink", INK_COLOUR);
                format!(r#"{stroke} stroke-dasharray="{dash:.0} {dash:.0}""#)
            }
        }
    }

    /// A disc in one of six forms: full, full with a point, pale, ring with a cross, ring, dashed ring.
    fn disc(&self, out: &mut String, disc: Disc, look: Look) {
        let (x, y, r) = (disc.x, disc.y, self.px(DISC_PX));
        let moved = (disc.x - disc.of_x).abs().max((disc.y - disc.of_y).abs());
        if moved > LEADER_PX * 10 {
            write!(
                out,
                r#"<path d="M{} {}L{x} {y}" fill="none"/>"#,
                disc.of_x, disc.of_y
            )
            .expect("a String");
        }
        write!(out, r#"<circle cx="{x}" cy="{y}" r="{r:.0}""#).expect("a String");
        let line = self.ink.stroke("ink", INK_COLOUR);
        let ring = format!(
            r#"{}{line} stroke-width="{:.0}""#,
            self.ink.fill("a", "#fff"),
            self.px(1.1)
        );
        let edge = self.ink.stroke("edge", "#fff");
        match look {
            Look::Value(_) => write!(out, "{}{edge}/>", self.ink.paint(look)),
            Look::Imprecise(class) => write!(
                out,
                r#"{}{edge}/><circle cx="{x}" cy="{y}" r="{:.0}"{} stroke="none"/>"#,
                self.ink.paint(Look::Value(class)),
                self.px(1.3),
                self.ink.dots(class)
            ),
            Look::Zero => write!(out, "{}/>", self.ink.paint(look)),
            Look::Suppressed => {
                let arm = self.px(DISC_PX * 0.68);
                write!(
                    out,
                    r#"{ring}/><path d="M{x} {y}m{a:.0} {a:.0}l{b:.0} {b:.0}m0 {c:.0}l{c:.0} {b:.0}" fill="none"{line} stroke-width="{:.0}"/>"#,
                    self.px(0.9),
                    a = -arm,
                    b = 2.0 * arm,
                    c = -2.0 * arm
                )
            }
            Look::NoData => write!(out, "{ring}/>"),
            Look::NotApplicable => {
                let dash = self.px(1.6);
                write!(out, r#"{ring} stroke-dasharray="{dash:.0} {dash:.0}"/>"#)
            }
        }
        .expect("a String");
    }

    /// The largest shares, written on their countries where they fit, else to the right of them.
    fn labels(&self, out: &mut String) {
        const SIZE_PX: f64 = 13.0;
        let mut taken: Vec<(f64, f64, f64)> = Vec::new();
        for (code, cell) in self.row.ranked() {
            let (Some(shape), Some(numbers)) = (shape_of(code), cell.numbers()) else {
                continue;
            };
            let share = words::percent(numbers.share);
            let text = match self.row.whose.get(code).map(Vec::as_slice) {
                None | Some([]) => format!("{code} {share}"),
                Some([(vendor, _)]) => format!("{code} {} {share}", vendor.name()),
                // Naming the first of several equals alone would single it out.
                Some(whose) => {
                    let equal = |(_, of): &&(_, &Cell)| {
                        of.numbers().is_some_and(|of| of.share == numbers.share)
                    };
                    match whose.iter().filter(equal).count() {
                        0 | 1 => format!("{code} {} {share}", whose[0].0.name()),
                        many => format!("{code} {} +{} {share}", whose[0].0.name(), many - 1),
                    }
                }
            };
            let width = width_px(&text, SIZE_PX);
            let (x, y, half) = match self.disc_of(shape) {
                Some(disc) => (disc.x, disc.y, DISC_PX),
                None => (
                    shape.middle.0,
                    shape.middle.1,
                    f64::from(shape.size) / self.per_px / 2.0,
                ),
            };
            let (x, y) = (
                f64::from(x) / self.per_px,
                f64::from(y) / self.per_px + SIZE_PX * 0.35,
            );
            let (beside, line) = (x + half + 3.0, SIZE_PX * 1.2);
            let inside = (half * 2.0 > width.min(ROOMY_PX)).then_some((x - width / 2.0, y));
            // On it or beside it, never where a neighbour's words would be looked for: the first that lies
            // in the picture and on no other.
            let places = inside.into_iter().chain([
                (beside, y),
                (beside, y + line),
                (beside, y - line),
                (x - half - 3.0 - width, y),
            ]);
            let free = |&(left, y): &(f64, f64)| {
                let apart = |&(from, to, at): &(f64, f64, f64)| {
                    left > to + LABEL_GAP_PX
                        || left + width + LABEL_GAP_PX < from
                        || (y - at).abs() >= line
                };
                left >= 0.0
                    && left + width < WIDTH_PX * 10.0 / self.per_px
                    && taken.iter().all(apart)
            };
            let Some((left, y)) = places.into_iter().find(free) else {
                continue;
            };
            writeln!(
                out,
                r#"<text x="{left:.1}" y="{y:.1}" font-size="{SIZE_PX}" font-weight="700"{} stroke-width="3.5" stroke-linejoin="round" paint-order="stroke" pointer-events="none" aria-hidden="true">{}</text>"#,
                self.ink.label(),
                escape(&text)
            )
            .expect("a String");
            taken.push((left, left + width, y));
            if taken.len() == LABELS_MAX {
                break;
            }
        }
    }
}

/// Large words across the world, so that no cut-out of it passes for a finding; in outline, so that
/// no country changes its colour.
fn watermark(out: &mut String, scale: f64) {
    let (x, y, size) = (480.0 * scale, 358.0 * scale, 78.0 * scale);
    writeln!(
        out,
        r##"<text transform="translate({x:.0} {y:.0}) rotate(-2)" font-size="{size:.0}" font-weight="800" fill="none" stroke="#b3001b" stroke-opacity=".55" stroke-width="{:.2}" text-anchor="middle" textLength="{:.0}" pointer-events="none" aria-hidden="true">SYNTHETIC HOMES</text>"##,
        1.1_f64.max(scale),
        760.0 * scale
    )
    .expect("a String");
}
