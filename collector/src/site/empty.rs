//! What a collector shows before its first release.

use super::layout;
use crate::map::svg::text::escape;
use crate::map::words::language::Language;

/// The page of an empty shelf.
pub(super) fn page() -> String {
    let said = escape(Language::En.text("none"));
    let body = format!("<h1>Phonehome</h1>\n<p class=\"lead\">{said}</p>\n");
    layout::page(None, "Phonehome", &body)
}
