//! Version 1 of the API: releases, and the rows of their tables.

use super::page::{column_of, vendor_of};
use super::reply::{Keep, Kind, Reply};
use super::shelf::Shelved;
use super::{Asked, Problem, Shelf};
use crate::format::table::{Table, TableName};
use crate::format::{csv, json};
use crate::release::Release;
use phonehome_proto::time::Week;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The facts about every release, the newest first.
pub(super) fn releases(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    asked.parameters(&[])?;
    let all = shelf.all();
    let facts: Vec<String> = all
        .iter()
        .map(|shelved| json::of_meta(shelved.release()).trim_end().to_owned())
        .collect();
    let reply = Reply::new(
        Kind::Json,
        Keep::AWhile,
        format!("[{}]\n", facts.join(",\n")),
    );
    Ok(match all.first() {
        Some(newest) => reply.from(newest.release()),
        None => reply,
    })
}

/// Everything one release says: the bytes of its `release.json`.
pub(super) fn release(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    asked.parameters(&[])?;
    let shelved = named(shelf, asked.part(0))?;
    let bytes = shelved
        .file("release.json")
        .expect("every release has its JSON");
    Ok(Reply::new(Kind::Json, Keep::ForEver, bytes).from(shelved.release()))
}

/// A whole matrix.
pub(super) fn matrix(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    let request = TableRequest::of(asked, asked.path, &["by", "week", "format"])?;
    request.answer(shelf, |release| Table::of(release, request.name))
}

/// The table of endpoints.
pub(super) fn endpoints(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    let mut request = TableRequest::of(asked, asked.path, &["week", "format"])?;
    request.file_stem = TableName::Endpoints.file_stem();
    request.answer(shelf, |release| Table::of(release, TableName::Endpoints))
}

/// The operators of networks that are named, of every vendor or of one.
pub(super) fn operators(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    let known = ["vendor", "week", "format"];
    let mut request = TableRequest::of(asked, asked.path, &known)?;
    request.file_stem = "operators";
    let vendor = asked.parameters(&known)?.get("vendor").copied();
    let vendor = vendor.map(vendor_of).transpose()?;
    request.answer(shelf, |release| {
        let table = Table::of_operators(release);
        match vendor {
            Some(vendor) => table.of_vendor(vendor),
            None => table,
        }
    })
}

/// The rows of one country in a matrix.
pub(super) fn country(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    let request = TableRequest::of(asked, asked.part(0), &["by", "week", "format"])?;
    let column = column_of(request.stem)?;
    request.answer(shelf, |release| {
        Table::of(release, request.name).of_country(column.code())
    })
}

/// The rows of one vendor in a matrix.
pub(super) fn vendor(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    let request = TableRequest::of(asked, asked.part(0), &["by", "week", "format"])?;
    let vendor = vendor_of(request.stem)?;
    request.answer(shelf, |release| {
        Table::of(release, request.name).of_vendor(vendor)
    })
}

/// The release a path names.
pub(super) fn named(shelf: &Shelf, id: &str) -> Result<Arc<Shelved>, Problem> {
    let known = id.parse().ok().and_then(|id| shelf.named(id));
    known.ok_or_else(|| Problem::NoSuchRelease(id.to_owned()))
}

/// What is asked of a table.
struct TableRequest<'a> {
    /// The last part of the path without its ending.
    stem: &'a str,
    /// The matrix that `by` names.
    name: TableName,
    /// What a file of the answer is called.
    file_stem: &'static str,
    week: Option<Week>,
    kind: Kind,
}

impl<'a> TableRequest<'a> {
    /// Reads the ending of `last` and the parameters.
    fn of(asked: &'a Asked, last: &'a str, known: &[&'static str]) -> Result<Self, Problem> {
        let parameters = asked.parameters(known)?;
        let name = match parameters.get("by") {
            None => TableName::Server,
            Some(by) => TableName::of_matrix(by).ok_or_else(|| Problem::BadParameter {
                name: "by",
                value: (*by).to_owned(),
                expected: "it is server, network, owner or home",
            })?,
        };
        let week = match parameters.get("week") {
            None => None,
            Some(week) => Some(week.parse().map_err(|_| Problem::BadParameter {
                name: "week",
                value: (*week).to_owned(),
                expected: "it is an ISO week, 2026-W46",
            })?),
        };
        let ending = [(".json", Kind::Json), (".csv", Kind::Csv)]
            .into_iter()
            .find_map(|(ending, kind)| Some((last.strip_suffix(ending)?, kind)));
        let format = match parameters.get("format") {
            None => None,
            Some(&"json") => Some(Kind::Json),
            Some(&"csv") => Some(Kind::Csv),
            Some(other) => {
                return Err(Problem::BadParameter {
                    name: "format",
                    value: (*other).to_owned(),
                    expected: "it is json or csv",
                });
            }
        };
        let (stem, kind) = match (ending, format) {
            (Some((stem, kind)), format) if format.is_none_or(|asked| asked == kind) => {
                (stem, kind)
            }
            (Some(_), _) => {
                return Err(Problem::BadParameter {
                    name: "format",
                    value: parameters["format"].to_owned(),
                    expected: "the path ends in another",
                });
            }
            (None, format) => (last, format.unwrap_or(Kind::Json)),
        };
        Ok(Self {
            stem,
            name,
            file_stem: name.file_stem(),
            week,
            kind,
        })
    }

    /// The rows that `choose` takes from the release. Always a list, never a count of homes: weeks do
    /// not add up to longer periods.
    fn answer(
        &self,
        shelf: &Shelf,
        choose: impl FnOnce(&Release) -> Table,
    ) -> Result<Reply, Problem> {
        let shelved = match self.week {
            Some(week) => shelf
                .of_week(week)
                .ok_or_else(|| Problem::NoSuchRelease(week.to_string()))?,
            None => shelf.latest().ok_or(Problem::NothingReleased)?,
        };
        let release = shelved.release();
        let table = choose(release);
        let (body, ending) = match self.kind {
            Kind::Csv => (csv::write(&table), "csv"),
            _ => (json::of_table(&table), "json"),
        };
        let name = format!("phonehome-{}-{}.{ending}", release.id, self.file_stem);
        // A week may be revised once, so only a release's own name is for ever.
        Ok(Reply::new(self.kind, Keep::AWhile, body)
            .from(release)
            .named(name))
    }
}

impl Asked {
    /// A part of the path in braces. The router matched as many as the route has.
    pub(super) fn part(&self, index: usize) -> &str {
        &self.parts[index]
    }

    /// The parameters, each known and given once. Values are codes: nothing needs decoding, and what
    /// does is refused by whoever reads it.
    pub(super) fn parameters(
        &self,
        known: &[&'static str],
    ) -> Result<BTreeMap<&'static str, &str>, Problem> {
        let mut parameters = BTreeMap::new();
        for pair in self.query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = known
                .iter()
                .find(|known| **known == name)
                .ok_or_else(|| Problem::UnknownParameter(name.to_owned()))?;
            if parameters.insert(*name, value).is_some() {
                return Err(Problem::BadParameter {
                    name,
                    value: value.to_owned(),
                    expected: "it is given once",
                });
            }
        }
        Ok(parameters)
    }
}
