//! What a revision says about itself on its page: why it is there, and what it changed.

use crate::format::json;
use crate::format::table::{Field, Table, TableName};
use crate::map::svg::text::escape;
use crate::release::Release;
use crate::release::revision::{Reason, Revision};

const RULE: &str = "<p>A week is placed by the tables of its closing, and again at most once, before its \
reports are destroyed. A cell is told anew only if at least as many homes changed it as a cell needs to be \
shown at all; else it stays as it was. Counts close to one that was told before are told as that one, and \
the interval covers both, so that nobody can subtract the two releases to find out about a single home. \
By home country nothing is counted again: what the change made untrue is left out.</p>\n";

/// The section; empty for a first release.
pub(super) fn section(release: &Release) -> String {
    let Some(revision) = &release.revision else {
        return String::new();
    };
    let mut out = String::from("<h2 id=\"revision\">What this revision changed</h2>\n<ul>\n");
    for reason in &revision.reasons {
        out.push_str(&format!("<li>{}</li>\n", escape(&sentence(reason))));
    }
    if revision.is_after_revocation {
        out.push_str("<li>The operator has taken homes out of the week.</li>\n");
    }
    out.push_str("</ul>\n");
    out.push_str(RULE);
    out.push_str(&changes(release, revision));
    out
}

fn sentence(reason: &Reason) -> String {
    let Reason { source, from, to } = reason;
    match (from, to) {
        (Some(from), Some(to)) => format!("{source}: of {from} before, of {to} now."),
        (None, Some(to)) => format!("{source} of {to}: not in use before."),
        (Some(from), None) => format!("{source} of {from}: not in use any more."),
        (None, None) => format!("{source}."),
    }
}

/// A row for each changed cell: where it stands, what it said, what it says.
fn changes(release: &Release, revision: &Revision) -> String {
    let (before, after) = (
        json::revision::before(release, revision),
        json::revision::after(release, revision),
    );
    let mut out = String::from(
        "<div class=\"wide\" tabindex=\"0\"><table>\n<caption>Every changed cell</caption>\n<thead><tr><th \
         scope=\"col\">table</th><th scope=\"col\">cell</th><th scope=\"col\">before</th><th \
         scope=\"col\">now</th></tr></thead>\n<tbody>\n",
    );
    for name in [
        TableName::Server,
        TableName::Network,
        TableName::Owner,
        TableName::Home,
    ] {
        let (was, is) = (Table::of(&before, name), Table::of(&after, name));
        let at = was.columns.iter().position(|column| *column == "state");
        let at = at.unwrap_or_default();
        for (was, is) in was.rows.iter().zip(&is.rows) {
            // The week is the page's.
            let place: Vec<String> = was[1..at].iter().map(words).collect();
            out.push_str(&format!(
                "<tr><td>{}</td><th scope=\"row\">{}</th><td>{}</td><td>{}</td></tr>\n",
                name.file_stem(),
                escape(&place.join(", ")),
                escape(&said(&was[at..])),
                escape(&said(&is[at..]))
            ));
        }
    }
    out.push_str("</tbody>\n</table></div>\n");
    out
}

/// A cell in words: its state, and where it has numbers the counts.
fn said(cell: &[Field]) -> String {
    match cell {
        [state, _, _, _, x_low, x_high, n, _, _, status] if *n != Field::Empty => format!(
            "{}: {} to {} of {} ({})",
            words(state),
            words(x_low),
            words(x_high),
            words(n),
            words(status)
        ),
        [state, ..] => words(state),
        [] => String::new(),
    }
}

fn words(field: &Field) -> String {
    match field {
        Field::Text(text) => text.clone(),
        Field::Count(count) => count.to_string(),
        Field::Share(share) => share.to_string(),
        Field::Empty => String::new(),
    }
}
