//! The same figures for pages: no frame, no words but those of the cells, colours by name. What stands
//! around them, title, legend, sources, is the page's to say, in its language.

use super::legend;
use super::row::Row;
use super::text::escape;
use super::world::{self, Outlines};
use super::{Ink, flows, weeks};
use crate::map::projection::{HEIGHT_PX, WIDTH_PX};
use crate::map::words::language::Language;
use crate::map::{Fact, View, finding, words};
use crate::release::Release;
use phonehome_proto::vendor::Vendor;
use std::fmt::Write;

/// One world with every country an element that can be reached by keyboard. Views without a world of
/// their own have the one of all vendors.
#[must_use]
pub fn world(release: &Release, fact: Fact, view: View, language: Language) -> String {
    let row = match view {
        View::Vendor(vendor) => Row::of(release, fact, vendor),
        View::Home(country) => Row::strongest_in(release, country),
        View::World | View::AllVendors | View::Matrix | View::Flows => {
            Row::strongest(release, fact)
        }
    };
    let ink = Ink::Page(language);
    let mut out = String::new();
    writeln!(
        out,
        r#"<svg class="world" viewBox="0 0 {WIDTH_PX} {HEIGHT_PX}" role="group" aria-label="{}" data-vendor="{}" data-by="{}" data-release="{}">"#,
        escape(&finding::of_row(&row, language)),
        row.id(),
        row.fact.by(),
        release.id
    )
    .expect("a String");
    out.push_str("<defs>\n");
    legend::define_patterns(&mut out, 10.0, ink);
    out.push_str("</defs>\n");
    let exercise = words::of_exercise(release).is_some();
    world::draw(&mut out, &row, Outlines::InPlace, 1.0, exercise, ink);
    out.push_str("</svg>\n");
    out
}

/// Bands from vendors to countries.
#[must_use]
pub fn flows(release: &Release, fact: Fact, language: Language) -> String {
    const WIDE_PX: f64 = 900.0;
    let mut bands = String::new();
    let height = flows::draw_bands(&mut bands, release, fact, WIDE_PX, Ink::Page(language));
    format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDE_PX} {height:.0}\" role=\"group\" aria-label=\"{}\">\n{bands}</svg>\n",
        escape(language.text("flows.title"))
    )
}

/// A panel of weeks for each of these vendors, `releases` from the oldest to the newest.
#[must_use]
pub fn weeks(releases: &[&Release], fact: Fact, vendors: &[Vendor], language: Language) -> String {
    const WIDE_PX: f64 = 875.0;
    let mut panels = String::new();
    let height = weeks::draw(
        &mut panels,
        releases,
        fact,
        vendors,
        WIDE_PX,
        Ink::Page(language),
    );
    format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDE_PX} {height:.0}\" role=\"group\" aria-label=\"{}\">\n{panels}</svg>\n",
        escape(language.text("weeks.title"))
    )
}

/// The sample of a legend: a class or a state in its form.
#[must_use]
pub fn swatch(look: crate::map::classes::Look) -> String {
    let ink = Ink::Page(Language::En);
    let dash = match look {
        crate::map::classes::Look::NotApplicable => r#" stroke-dasharray="25 25""#,
        _ => "",
    };
    format!(
        r#"<svg class="swatch" viewBox="0 0 320 200" aria-hidden="true"><rect x="5" y="5" width="310" height="190"{}{} stroke-width="7"{dash}/></svg>"#,
        ink.paint(look),
        ink.stroke("ink", "#4a4f55")
    )
}
