//! Where the homes stand: the composition that no world figure goes without.

use crate::map::svg::text::escape;
use crate::map::words;
use crate::release::Release;
use crate::release::composition;

/// For each vendor with any world number, in which countries its homes are.
pub(super) fn list(release: &Release) -> String {
    let all = composition::compositions(release);
    if all.is_empty() {
        return "<p class=\"note\">No vendor has enough homes to be told.</p>\n".to_owned();
    }
    let mut out = String::from("<ul>\n");
    for (vendor, composition) in &all {
        out.push_str(&format!(
            "<li>{}, about {} homes: {}.</li>\n",
            escape(vendor.name()),
            composition.homes,
            escape(&words::of_composition(composition))
        ));
    }
    out.push_str("</ul>\n");
    out
}
