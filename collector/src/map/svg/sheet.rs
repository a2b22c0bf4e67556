//! A sheet of paper: where a picture puts its words, and what stands on every one of them.

use super::row::{Row, Subject};
use super::text::{escape, wrap};
use super::world::Outlines;
use super::{Ink, legend, world};
use crate::map::projection::{HEIGHT_PX, WIDTH_PX};
use crate::map::{Fact, words};
use crate::release::Release;
use std::fmt::Write;

pub(super) const MARGIN_PX: f64 = 30.0;
pub(super) const SHEET_PX: f64 = 1200.0;
pub(super) const INNER_PX: f64 = SHEET_PX - 2.0 * MARGIN_PX;
const FONT: &str = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', Arial, sans-serif";
const DARK: &str = "#14181c";
const SOFT: &str = "#4a525a";
const ALARM: &str = "#b3001b";

/// What is drawn so far, and how far down it reaches.
pub(super) struct Sheet {
    pub(super) body: String,
    pub(super) y: f64,
}

/// How a line of text looks.
#[derive(Clone, Copy)]
pub(super) struct Type {
    pub(super) size_px: f64,
    weight: u16,
    colour: &'static str,
}

pub(super) const HEADING: Type = Type {
    size_px: 30.0,
    weight: 700,
    colour: DARK,
};
pub(super) const LEAD: Type = Type {
    size_px: 16.0,
    weight: 400,
    colour: SOFT,
};
pub(super) const NAME: Type = Type {
    size_px: 21.0,
    weight: 700,
    colour: DARK,
};
pub(super) const BODY: Type = Type {
    size_px: 15.0,
    weight: 400,
    colour: DARK,
};
pub(super) const FINDING: Type = Type {
    size_px: 14.5,
    weight: 400,
    colour: DARK,
};
pub(super) const NOTE: Type = Type {
    size_px: 13.5,
    weight: 400,
    colour: SOFT,
};

impl Sheet {
    /// An empty one.
    pub(super) const fn new() -> Self {
        Self {
            body: String::new(),
            y: MARGIN_PX,
        }
    }

    /// Text at a place, on its baseline.
    pub(super) fn text(&mut self, x: f64, y: f64, kind: Type, text: &str) {
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
    pub(super) fn lines(&mut self, x: f64, mut y: f64, kind: Type, width: f64, text: &str) -> f64 {
        for line in wrap(text, kind.size_px, width) {
            y += kind.size_px * 1.4;
            self.text(x, y, kind, &line);
        }
        y
    }

    /// A paragraph across the sheet, below what there is.
    pub(super) fn paragraph(&mut self, kind: Type, text: &str) {
        self.y = self.lines(MARGIN_PX, self.y, kind, INNER_PX, text);
    }

    /// The heading of a world: whose it is, and how many homes are behind it.
    fn name(&mut self, x: f64, y: f64, row: &Row<'_>, exercise: bool) {
        let kind = if exercise { "synthetic homes" } else { "homes" };
        let asked = match (row.subject, row.homes) {
            (_, None) => "too few homes to show anything".to_owned(),
            (Subject::Vendor(_), Some(homes)) => {
                format!("about {homes} {kind} with such a phone")
            }
            (Subject::All | Subject::HomesIn(_), Some(_)) => {
                "of each country the vendor with the largest share".to_owned()
            }
        };
        writeln!(
            self.body,
            r#"<text x="{x:.1}" y="{y:.1}" font-size="{}" font-weight="{}" fill="{DARK}">{}<tspan dx="12" font-size="{}" font-weight="400" fill="{SOFT}">{asked}</tspan></text>"#,
            NAME.size_px,
            NAME.weight,
            escape(&row.name()),
            NOTE.size_px
        )
        .expect("a String");
    }

    pub(super) fn header(&mut self, release: &Release, fact: Fact, finding: &str) {
        let exercise = words::of_exercise(release);
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
        self.paragraph(LEAD, super::QUESTION);
        self.paragraph(HEADING, finding);
        self.y += 4.0;
        self.paragraph(LEAD, super::measure(fact));
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
    pub(super) fn worlds(
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
                self.name(x, top + 22.0, row, exercise);
                writeln!(
                    self.body,
                    r#"<g transform="translate({x:.1} {:.1})" role="group" aria-label="{}" data-vendor="{}">"#,
                    top + 32.0,
                    escape(&row.summary()),
                    row.id()
                )
                .expect("a String");
                world::draw(&mut self.body, row, outlines, scale, exercise, Ink::Print);
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
    pub(super) fn legend(&mut self, worlds: &[&Row<'_>], scale: f64, gap_top: Option<f64>) {
        let half = (INNER_PX - MARGIN_PX) / 2.0;
        let right = MARGIN_PX * 2.0 + half;
        let below = self.y;
        let (x, y) = gap_top.map_or((MARGIN_PX, below), |top| (right, top));
        let bottom = legend::draw(self, (x, y + 8.0), worlds, scale);
        let mut y = if gap_top.is_some() { bottom } else { below };
        for paragraph in legend::EXPLANATION {
            y = self.lines(right, y, NOTE, half, paragraph) + 4.0;
        }
        self.y = below.max(bottom).max(y) + 6.0;
    }

    /// Where everything in the picture comes from, and what it may be used for.
    pub(super) fn sources(&mut self, release: &Release, fact: Fact) {
        self.y += 8.0;
        self.paragraph(NOTE, &format!("Gate: {}", words::of_gate(release)));
        self.paragraph(
            NOTE,
            &format!("{} {}", words::of_sample(release), super::caution(fact)),
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

    /// The whole file. `findings` is what somebody hears who cannot see it; `scale` is that of the
    /// cells' patterns.
    pub(super) fn finish(
        self,
        release: &Release,
        title: &str,
        findings: &str,
        outlines: Outlines,
        scale: f64,
    ) -> String {
        let height = (self.y + MARGIN_PX).ceil();
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
            escape(title),
            escape(&words::of_week(release)),
            escape(findings)
        );
        legend::define_patterns(&mut out, 10.0 / scale, Ink::Print);
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
