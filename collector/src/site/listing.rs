//! The list of releases.

use super::{Links, layout};
use crate::map::svg::text::escape;
use crate::map::words;
use crate::release::Release;

/// One line for each release; also the first page of a collector that has none yet.
pub(super) fn page(releases: &[&Release]) -> String {
    let mut body = String::from("<h1>Releases</h1>\n");
    if releases.is_empty() {
        body.push_str(
            "<p class=\"lead\">No week has been released yet. A week is released four days after it ends; \
             nothing is said about an open one.</p>\n",
        );
    } else {
        body.push_str("<ul>\n");
        for release in releases {
            let mark =
                words::of_exercise(release).map_or_else(String::new, |words| format!(" · {words}"));
            body.push_str(&format!(
                "<li><a href=\"/releases/{id}/\">{id}</a>: {}, {}{}</li>\n",
                escape(&words::of_week(release)),
                escape(&words::of_homes(release)),
                escape(&mark),
                id = release.id
            ));
        }
        body.push_str("</ul>\n");
    }
    layout::page(
        releases.first().copied(),
        Links::Served,
        "Phonehome: releases",
        &body,
    )
}
