//! The sheet: header, worlds, legend and sources, as one SVG file.
//!
//! Only presentation attributes, no style, script, font or link to anything outside, so the same
//! bytes stand in a folder, in a page under a strict content policy, and in a README.

mod legend;
mod row;
pub mod text;
mod world;

use crate::map::View;
use crate::map::classes::Look;
use crate::map::projection::{HEIGHT_PX, WIDTH_PX};
use crate::map::words;
use crate::release::Release;
use phonehome_proto::vendor::Vendor;
use row::Row;
use std::fmt::Write;
use text::{escape, wrap};
use world::Outlines;

const MARGIN_PX: f64 = 30.0;
const SHEET_PX: f64 = 1200.0;
const INNER_PX: f64 = SHEET_PX - 2.0 * MARGIN_PX;
const FONT: &str = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', Arial, sans-serif";
const DARK: &str = "#14181c";
const SOFT: &str = "#4a525a";
const ALARM: &str = "#b3001b";

/// Everything above: a whole file.
pub(super) fn draw(release: &Release, view: View) -> String {
    let exercise = words::of_exercise(release);
    let mut sheet = Sheet {
        body: String::new(),
        y: MARGIN_PX,
    };
    sheet.header(release, view, exercise);
    let rows = rows(release, view);
    let shown: Vec<&Row<'_>> = rows.iter().filter(|row| row.homes.is_some()).collect();
    let outlines = if view == View::AllVendors {
        Outlines::Shared
    } else {
        Outlines::InPlace
    };
    let columns = if shown.len() < 2 { 1 } else { 2 };
    let worlds: Vec<&Row<'_>> = if shown.is_empty() {
        rows.iter().take(1).collect()
    } else {
        shown
    };
    let scale = (INNER_PX - MARGIN_PX * f64::from(columns - 1)) / f64::from(columns) / WIDTH_PX;
    let gap_top = sheet.worlds(&worlds, columns, outlines, scale, exercise.is_some());
    sheet.legend(&worlds, scale, gap_top);
    if view == View::AllVendors {
        sheet.vendors_without_a_world(&rows);
    }
    sheet.sources(release);
    sheet.finish(release, view, &worlds, outlines, scale)
}

/// The rows of the server matrix that a view is about.
fn rows(release: &Release, view: View) -> Vec<Row<'_>> {
    match view {
        View::Vendor(vendor) => vec![Row::of(release, vendor)],
        View::AllVendors => Vendor::all()
            .map(|vendor| Row::of(release, vendor))
            .collect(),
    }
}

fn title(view: View) -> String {
    match view {
        View::AllVendors => "Which phone vendors ship data to which countries".to_owned(),
        View::Vendor(vendor) => format!("Where {} phones ship data to", vendor.name()),
    }
}

/// What is drawn so far, and how far down it reaches.
struct Sheet {
    body: String,
    y: f64,
}

/// How a line of text looks.
#[derive(Clone, Copy)]
struct Type {
    size_px: f64,
    weight: u16,
    colour: &'static str,
}

const HEADING: Type = Type {
    size_px: 30.0,
    weight: 700,
    colour: DARK,
};
const LEAD: Type = Type {
    size_px: 16.0,
    weight: 400,
    colour: SOFT,
};
const NAME: Type = Type {
    size_px: 21.0,
    weight: 700,
    colour: DARK,
};
const BODY: Type = Type {
    size_px: 15.0,
    weight: 400,
    colour: DARK,
};
const FINDING: Type = Type {
    size_px: 14.5,
    weight: 400,
    colour: DARK,
};
const NOTE: Type = Type {
    size_px: 13.5,
    weight: 400,
    colour: SOFT,
};

impl Sheet {
    /// Text at a place, on its baseline.
    fn text(&mut self, x: f64, y: f64, kind: Type, text: &str) {
        writeln!(
            self.body,
            r#"<text x="{x:.1}" y="{y:.1}" font-size="{}" font-weight="{}" fill="{}">{}</text>"#,
            kind.size_px,
            kind.weight,
            kind.colour,
            escape(text)
        )
        .expect("a String");
    }

    /// Lines of text below `y`; gives the last baseline.
    fn lines(&mut self, x: f64, mut y: f64, kind: Type, width: f64, text: &str) -> f64 {
        for line in wrap(text, kind.size_px, width) {
            y += kind.size_px * 1.4;
            self.text(x, y, kind, &line);
        }
        y
    }

    /// A paragraph across the sheet, below what there is.
    fn paragraph(&mut self, kind: Type, text: &str) {
        self.y = self.lines(MARGIN_PX, self.y, kind, INNER_PX, text);
    }

    /// The heading of a world: the vendor, and how many homes have its phones.
    fn vendor(&mut self, x: f64, y: f64, row: &Row<'_>, exercise: bool) {
        let asked = row.homes.map_or_else(
            || "too few homes to show anything".to_owned(),
            |homes| {
                let kind = if exercise { "synthetic homes" } else { "homes" };
                format!("about {homes} {kind} with such a phone")
            },
        );
        writeln!(
            self.body,
            r#"<text x="{x:.1}" y="{y:.1}" font-size="{}" font-weight="{}" fill="{DARK}">{}<tspan dx="12" font-size="{}" font-weight="400" fill="{SOFT}">{asked}</tspan></text>"#,
            NAME.size_px,
            NAME.weight,
            escape(row.vendor.name()),
            NOTE.size_px
        )
        .expect("a String");
    }

    fn header(&mut self, release: &Release, view: View, exercise: Option<&str>) {
        if let Some(exercise) = exercise {
            let (x, y) = (MARGIN_PX, self.y);
            writeln!(
                self.body,
                r##"<rect x="{x}" y="{y}" width="{INNER_PX}" height="44" rx="4" fill="{ALARM}"/><text x="{}" y="{}" font-size="24" font-weight="800" letter-spacing="1.5" fill="#fff" text-anchor="middle">{}</text>"##,
                SHEET_PX / 2.0,
                y + 31.0,
                escape(exercise)
            )
            .expect("a String");
            self.y += 54.0;
        }
        self.paragraph(HEADING, &title(view));
        self.y += 4.0;
        self.paragraph(
            LEAD,
            "Share of the homes with a phone of the vendor in which that phone was seen contacting one \
             of the vendor's own servers standing in that country.",
        );
        self.paragraph(
            LEAD,
            &format!(
                "ISO week {} · {}",
                words::of_week(release),
                words::of_homes(release)
            ),
        );
        self.y += 14.0;
    }

    /// The worlds, line by line; gives the top of the gap if the last line has one.
    fn worlds(
        &mut self,
        rows: &[&Row<'_>],
        columns: u32,
        outlines: Outlines,
        scale: f64,
        exercise: bool,
    ) -> Option<f64> {
        let mut gap_top = None;
        let (width, height) = (WIDTH_PX * scale, HEIGHT_PX * scale);
        let per_line = usize::try_from(columns).expect("one or two");
        for line in rows.chunks(per_line) {
            let top = self.y;
            gap_top = (line.len() < per_line).then_some(top);
            let mut lowest: f64 = 0.0;
            for (column, row) in (0u32..).zip(line) {
                let x = MARGIN_PX + f64::from(column) * (width + MARGIN_PX);
                self.vendor(x, top + 22.0, row, exercise);
                writeln!(
                    self.body,
                    r#"<g transform="translate({x:.1} {:.1})" role="group" aria-label="{}" data-vendor="{}">"#,
                    top + 32.0,
                    escape(&row.summary()),
                    row.vendor.id()
                )
                .expect("a String");
                world::draw(&mut self.body, row, outlines, scale, exercise);
                self.body.push_str("</g>\n");
                let mut y = top + 32.0 + height + 4.0;
                for (kind, text) in [
                    (FINDING, row.summary()),
                    (NOTE, row.outside()),
                    (NOTE, row.homes_stand()),
                ] {
                    y = self.lines(x, y, kind, width, &text);
                }
                lowest = lowest.max(y);
            }
            self.y = lowest + 22.0;
        }
        gap_top
    }

    /// The legend and what its words mean: in the gap an odd number of worlds leaves, else below
    /// them, side by side.
    fn legend(&mut self, worlds: &[&Row<'_>], scale: f64, gap_top: Option<f64>) {
        let half = (INNER_PX - MARGIN_PX) / 2.0;
        let right = MARGIN_PX * 2.0 + half;
        let below = self.y;
        let (x, y) = gap_top.map_or((MARGIN_PX, below), |top| (right, top));
        let bottom = legend::draw(self, x, y + 8.0, worlds, scale);
        let mut y = if gap_top.is_some() { bottom } else { below };
        for paragraph in legend::EXPLANATION {
            y = self.lines(right, y, NOTE, half, paragraph) + 4.0;
        }
        self.y = below.max(bottom).max(y) + 6.0;
    }

    /// Vendors of which no number passed the gate have no world, but they are not left out.
    fn vendors_without_a_world(&mut self, rows: &[Row<'_>]) {
        let names = |look: Look| {
            let names: Vec<&str> = rows
                .iter()
                .filter(|row| row.homes.is_none() && row.rest == look)
                .map(|row| row.vendor.name())
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
                self.paragraph(BODY, &format!("{words}: {names}."));
            }
        }
    }

    /// Where everything in the picture comes from, and what it may be used for.
    fn sources(&mut self, release: &Release) {
        self.y += 8.0;
        self.paragraph(NOTE, &format!("Gate: {}", words::of_gate(release)));
        self.paragraph(
            NOTE,
            &format!(
                "{} A server's place is where address databases say it stands; it is not where its \
                 owner is registered, and not where data goes afterwards.",
                words::of_sample(release)
            ),
        );
        for source in &release.atlas {
            self.paragraph(
                NOTE,
                &format!("{} ({}): {}", source.name, source.build, source.licence),
            );
        }
        self.paragraph(
            NOTE,
            "Boundaries: Natural Earth 4.1 by way of world-atlas 2.0.2, de facto control; no opinion on \
             the status of any territory. Equal Earth projection: equal areas are drawn equal. \
             Territories under 8 px are discs; Antarctica is left off.",
        );
        self.paragraph(
            NOTE,
            &format!(
                "Phonehome release {} · closed {} · method {} · numbers under CC BY 4.0, beside this \
                 picture as CSV and JSON with SHA256SUMS and its signature.",
                release.id,
                words::of_closing(release),
                release.method
            ),
        );
    }

    fn finish(
        self,
        release: &Release,
        view: View,
        worlds: &[&Row<'_>],
        outlines: Outlines,
        scale: f64,
    ) -> String {
        let height = (self.y + MARGIN_PX).ceil();
        let findings: Vec<String> = worlds
            .iter()
            .map(|row| format!("{}: {}", row.vendor.name(), row.summary()))
            .collect();
        let exercise = words::of_exercise(release).map_or_else(String::new, |e| format!("{e}. "));
        let mut out = format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SHEET_PX} {height}" width="{SHEET_PX}" height="{height}" font-family="{FONT}" role="graphics-document document" aria-labelledby="map-title map-text" data-release="{}" data-purpose="{}">
<title id="map-title">{}{}, {}</title>
<desc id="map-text">{}</desc>
<defs>
"#,
            release.id,
            release.purpose.as_str(),
            escape(&exercise),
            escape(&title(view)),
            escape(&words::of_week(release)),
            escape(&findings.join(" "))
        );
        legend::define_patterns(&mut out, 1.0 / scale * 10.0);
        if outlines == Outlines::Shared {
            world::define_outlines(&mut out);
        }
        out.push_str("</defs>\n");
        writeln!(
            out,
            r##"<rect width="{SHEET_PX}" height="{height}" fill="#fff"/>"##
        )
        .expect("a String");
        out.push_str(&self.body);
        out.push_str("</svg>\n");
        out
    }
}

#[cfg(test)]
mod tests;
