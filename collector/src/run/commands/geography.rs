//! The commands about tables: `geo update`, `geo status`, `owners update`.

use super::Found;
use crate::config::Config;
use crate::geo::owner::OwnerTable;
use crate::geo::owner::registry::{Registered, RegistryAnswers};
use crate::owners::{self, Address, Client, Report, Silence};
use crate::run::RunError;
use crate::run::tables::{self, Tables};
use phonehome_proto::time::Timestamp;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

/// `geo update FILE...`: installs country databases, all or none.
///
/// # Errors
/// When one of them is refused; then nothing changed.
pub fn geo_update(config: &Config, files: &[PathBuf]) -> Result<Found, RunError> {
    let before = tables::load(config)?;
    let after = tables::install(config, files)?;
    let (old, new) = (before.atlas.sources(), after.atlas.sources());
    let mut text = String::new();
    let mut tell = |line: String| writeln!(text, "{line}").expect("a string takes text");
    for gone in old.iter().filter(|source| !new.contains(source)) {
        tell(format!("out of use: {} of {}", gone.name, gone.build));
    }
    for come in new.iter().filter(|source| !old.contains(source)) {
        tell(format!("in use: {} of {}", come.name, come.build));
    }
    if old == new {
        tell("nothing changed: these builds are in use already".to_owned());
    } else {
        tell("a running collector takes them up within a minute".to_owned());
    }
    Ok(Found::good(text))
}

/// `geo status`: every table in use, with build, licence and where it came from.
///
/// # Errors
/// When a table cannot be read.
pub fn geo_status(config: &Config) -> Result<Found, RunError> {
    let tables = tables::load(config)?;
    let mut text = String::new();
    for source in tables.atlas.sources() {
        let (name, build, licence) = (&source.name, &source.build, &source.licence);
        let from = tables.origin(&source);
        writeln!(
            text,
            "table    {name}\nbuild    {build}\nlicence  {licence}\nfrom     {from}\n"
        )
        .expect("a string takes text");
    }
    for reason in &tables.passed_over {
        writeln!(text, "not used: {reason}").expect("a string takes text");
    }
    Ok(Found {
        text,
        is_finding: !tables.passed_over.is_empty(),
    })
}

/// `owners update`: asks registries who registered the listed domains, keeps what they say beside
/// the table compiled in, and shows what is different since. A domain that got no answer keeps its
/// last one.
///
/// # Errors
/// When tables cannot be read, or written.
///
/// # Panics
/// If `now` is no day of our calendar.
pub async fn owners_update<W: AsyncFn(Duration)>(
    config: &Config,
    address: &Address,
    now: Timestamp,
    wait: W,
) -> Result<Found, RunError> {
    let Tables {
        atlas, mut answers, ..
    } = tables::load(config)?;
    let before = atlas.owners();
    let today = now.day().expect("the clock shows a day").to_string();
    let domains = before.domains().map(|row| row.domain.clone());
    let client = Client::new(address.is_loopback());
    let report = owners::ask_all(&client, address, domains, &today, wait).await;
    if !report.answers.is_empty() {
        answers.date = today;
        answers.domains.extend(report.answers.clone());
        tables::put_answers(config, &answers)?;
    }
    let after = tables::load(config)?;
    Ok(Found {
        text: told(before, after.atlas.owners(), &report, &answers),
        is_finding: report.silent.values().any(|why| *why != Silence::NoService),
    })
}

/// What changed, what stayed without an answer, and how much was asked.
fn told(
    before: &OwnerTable,
    after: &OwnerTable,
    report: &Report,
    answers: &RegistryAnswers,
) -> String {
    let mut text = String::new();
    let mut tell = |line: String| writeln!(text, "{line}").expect("a string takes text");
    for (old, new) in before.domains().zip(after.domains()) {
        if (old.country(), old.evidence) == (new.country(), new.evidence) {
            continue;
        }
        tell(format!(
            "{}: {} ({}) -> {} ({})",
            new.domain,
            old.country(),
            old.evidence.as_str(),
            new.country(),
            new.evidence.as_str()
        ));
        if new.country() != new.seat {
            let answer = answers.domains.get(&new.domain);
            let organisation = answer.and_then(|answer| answer.organisation.as_deref());
            tell(format!(
                "{}: the registrant ({}) is in another country than the seat of {}",
                new.domain,
                organisation.unwrap_or("no name"),
                new.owner
            ));
        }
    }
    for (domain, why) in report
        .silent
        .iter()
        .filter(|(_, why)| **why != Silence::NoService)
    {
        tell(format!("{domain}: no answer: {why}"));
    }
    let count = |wanted: fn(&Registered) -> bool| {
        let answers = report.answers.values();
        answers.filter(|answer| wanted(&answer.registered)).count()
    };
    let without = report
        .silent
        .values()
        .filter(|why| **why == Silence::NoService);
    let without = without.count();
    tell(format!(
        "{} requests: {} published, {} redacted, {} without a country, {without} without a service, \
         {} without an answer",
        report.queries,
        count(|registered| matches!(registered, Registered::Published(_))),
        count(|registered| *registered == Registered::Redacted),
        count(|registered| *registered == Registered::Absent),
        report.silent.len() - without
    ));
    text
}

#[cfg(test)]
mod tests;
