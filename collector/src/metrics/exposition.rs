//! Counters in the text format of Prometheus, version 0.0.4.
//!
//! Pure. Takes values, gives text: each family's help and type once, then its samples
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use super::Counter;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The format's name.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What each family counts, under the noun in its name.
const HELP: &[(&str, &str)] = &[
    (
        "connections_received",
        "Connections that came in: refused, ended, or open still.",
    ),
    (
        "connections_accepted",
        "Connections that reached the service.",
    ),
    (
        "connections_refused",
        "Connections that did not, by reason.",
    ),
    (
        "connections_ended",
        "Connections that did and are not open any more, by reason.",
    ),
    (
        "readers_received",
        "Connections of readers and operator that came in: ended, or open still.",
    ),
    (
        "readers_ended",
        "Those that are not open any more, by reason.",
    ),
    (
        "reads_received",
        "Requests of readers that came in: answered, refused, deferred or failed.",
    ),
    (
        "reads_answered",
        "Those that got what they asked for, or have it already.",
    ),
    ("reads_refused", "Those that were refused."),
    (
        "reads_deferred",
        "Those told to come again: too many from one place, or too much to draw.",
    ),
    (
        "reads_failed",
        "Those that met a mistake of ours: must stay zero.",
    ),
    (
        "reads_unwatched",
        "Requests of readers from places that found no room to be watched.",
    ),
    (
        "requests_received",
        "Requests that came in: answered, deferred, unreadable or abandoned.",
    ),
    (
        "requests_answered",
        "Requests with an answer, be it a refusal.",
    ),
    ("requests_deferred", "Requests told to come back."),
    (
        "requests_turned_away",
        "Requests told to come back, by reason.",
    ),
    (
        "requests_unreadable",
        "Requests that were none, or larger than may be.",
    ),
    (
        "requests_abandoned",
        "Requests whose home hung up, or that took too long.",
    ),
    (
        "requests_misforwarded",
        "Of the unreadable, those of nobody knows whom, by reason.",
    ),
    (
        "batches_received",
        "Batches that came in: accepted, repeated, rejected or deferred.",
    ),
    ("batches_accepted", "Batches that are held, counted once."),
    ("batches_repeated", "Batches that were held before."),
    ("batches_rejected", "Batches refused, by reason."),
    (
        "batches_deferred",
        "Batches neither held nor refused, which come again.",
    ),
    (
        "batches_erased",
        "Batches erased because their home withdrew.",
    ),
    (
        "batches_unwatched",
        "Batches of homes whose spending found no room to be watched.",
    ),
    ("enrolments_received", "Enrolments that came in."),
    ("enrolments_accepted", "Homes that are in since."),
    ("enrolments_repeated", "Homes that were in before."),
    ("enrolments_rejected", "Enrolments refused, by reason."),
    (
        "enrolments_deferred",
        "Enrolments neither taken nor refused, which come again.",
    ),
    (
        "enrolments_unwatched",
        "Enrolments from addresses whose attempts found no room to be watched.",
    ),
    ("rotations_received", "Rotations that came in."),
    (
        "rotations_accepted",
        "Homes that are known by another key since.",
    ),
    ("rotations_repeated", "Rotations that were done before."),
    ("rotations_rejected", "Rotations refused, by reason."),
    (
        "rotations_deferred",
        "Rotations neither taken nor refused, which come again.",
    ),
    ("withdrawals_received", "Withdrawals that came in."),
    ("withdrawals_accepted", "Homes that are forgotten since."),
    ("withdrawals_repeated", "Withdrawals that were done before."),
    ("withdrawals_rejected", "Withdrawals refused, by reason."),
    (
        "withdrawals_deferred",
        "Withdrawals neither done nor refused, which come again.",
    ),
    ("keys_forgotten", "Replaced keys whose last week is final."),
    (
        "erasures_forgotten",
        "Receipts of withdrawals that are not repeated any more.",
    ),
    (
        "invites_forgotten",
        "Invites that are used up or have expired.",
    ),
    ("pending_forgotten", "Homes that nobody approved."),
    (
        "places_forgotten",
        "Counters of places, of months that are over.",
    ),
    (
        "rows_on_probation",
        "Journal rows of days on probation, each time their week is counted.",
    ),
    (
        "rows_unreadable",
        "Journal rows left out of a fold because they did not open: must stay zero.",
    ),
    ("weeks_closed", "Weeks that were closed."),
    ("weeks_destroyed", "Weeks that were destroyed."),
    (
        "contacts_shed",
        "Contacts beyond what is kept of one home's week.",
    ),
    (
        "round_trips_shed",
        "Round trips that found no room; they would only have narrowed places.",
    ),
    ("releases_made", "Releases that were made."),
];

/// Every counter.
#[must_use]
pub fn counters(values: &BTreeMap<Counter, u64>) -> String {
    let mut families: BTreeMap<String, Vec<(String, u64)>> = BTreeMap::new();
    for (counter, value) in values {
        let name = counter.name();
        let family = name.split('{').next().unwrap_or_default().to_owned();
        families.entry(family).or_default().push((name, *value));
    }
    let mut text = String::new();
    for (family, samples) in families {
        let help = help(&family).unwrap_or_default();
        begin(&mut text, &family, help, "counter");
        for (name, value) in samples {
            writeln!(text, "{name} {value}").expect("a string takes text");
        }
    }
    text
}

/// A family of values that rise and fall, each with its label's value if the family has a label.
#[must_use]
pub fn gauge(
    family: &str,
    help: &str,
    label: Option<&str>,
    samples: impl IntoIterator<Item = (Option<&'static str>, u64)>,
) -> String {
    let mut text = String::new();
    begin(&mut text, family, help, "gauge");
    for (value_of, value) in samples {
        match (label, value_of) {
            (Some(label), Some(word)) => writeln!(text, "{family}{{{label}=\"{word}\"}} {value}"),
            _ => writeln!(text, "{family} {value}"),
        }
        .expect("a string takes text");
    }
    text
}

fn begin(text: &mut String, family: &str, help: &str, kind: &str) {
    writeln!(text, "# HELP {family} {help}\n# TYPE {family} {kind}").expect("a string takes text");
}

fn help(family: &str) -> Option<&'static str> {
    let noun = family
        .strip_prefix("phonehome_collector_")?
        .strip_suffix("_total")?;
    let (_, help) = HELP.iter().find(|(known, _)| *known == noun)?;
    Some(help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use std::collections::BTreeSet;

    #[test]
    fn every_family_says_once_what_it_is() {
        let text = counters(&Metrics::new().snapshot());
        let of = |kind: &str| -> Vec<String> {
            let lines = text.lines().filter_map(|line| line.strip_prefix(kind));
            lines.map(str::to_owned).collect()
        };
        let (helps, types) = (of("# HELP "), of("# TYPE "));
        let unique: BTreeSet<_> = types.iter().collect();
        assert_eq!(unique.len(), types.len());
        assert!(types.iter().all(|line| line.ends_with("_total counter")));
        assert_eq!(
            helps.len(),
            HELP.len(),
            "a help for each family, and no other"
        );
        for line in helps {
            assert!(
                line.trim_end().ends_with('.') || line.contains("must stay zero"),
                "{line}"
            );
        }
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        assert_eq!(samples.clone().count(), Counter::all().count());
        assert!(samples.into_iter().all(|line| line.ends_with(" 0")));
    }

    #[test]
    fn a_gauge_has_a_sample_for_each_word() {
        let text = gauge(
            "a_b",
            "What it is.",
            Some("why"),
            [(Some("x"), 1), (Some("y"), 0)],
        );
        let expected =
            "# HELP a_b What it is.\n# TYPE a_b gauge\na_b{why=\"x\"} 1\na_b{why=\"y\"} 0\n";
        assert_eq!(text, expected);
    }
}
