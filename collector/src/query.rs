//! Asking: the API's tables at a terminal, from a running collector or from the releases at hand.
//!
//! Both sources give the same [`Table`], so the output does not tell them apart. `json` and `csv`
//! print what the API prints; `table` is for people: a matrix as vendors down and countries across,
//! anything else as aligned columns. An exercise says so on top. Nothing can be asked here that the
//! API does not answer.

mod client;
mod grid;

pub use client::ClientError;
#[cfg(test)]
pub(crate) use client::{Reply, exchange};
pub use grid::{aligned, matrix};

use crate::api::Problem;
use crate::format::table::{Field, Table, TableName};
use crate::format::{csv, json};
use crate::map::words;
use crate::release::{Column, Release};
use phonehome_proto::net::Country;
use phonehome_proto::time::Week;
use phonehome_proto::vendor::Vendor;
use std::io::{self, Write};
use thiserror::Error;

/// Which rows are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A whole matrix.
    Matrix,
    /// One country's rows.
    Country(Column),
    /// One vendor's rows.
    Vendor(Vendor),
    /// The table of endpoints.
    Endpoints,
}

/// How the answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Table,
    /// The API's JSON.
    Json,
    /// The API's CSV.
    Csv,
}

/// A question, whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Which rows.
    pub subject: Subject,
    /// Of which matrix; without meaning for endpoints.
    pub by: TableName,
    /// Of which week; the newest released one if none.
    pub week: Option<Week>,
}

/// Who is asked.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// A running collector, `http://127.0.0.1:8080`.
    Url(&'a str),
    /// Releases at hand, in any order.
    Releases(&'a [Release]),
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum QueryError {
    /// The collector could not be reached.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// It was, and refused: its problem's detail.
    #[error("{0}")]
    Refused(String),
    /// The releases at hand have no answer.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// What came back is not a table.
    #[error("the answer from '{0}' is not a table")]
    NotATable(String),
    /// The answer could not be printed.
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}

/// The country a person typed: `SG`, `sg`, `anycast`, `unknown`.
///
/// # Errors
/// [`Problem::NoSuchCountry`].
pub fn parse_column(text: &str) -> Result<Column, Problem> {
    match text {
        "anycast" => Ok(Column::Anycast),
        "unknown" => Ok(Column::Unknown),
        code => Country::parse(&code.to_ascii_uppercase())
            .map(Column::Country)
            .ok_or_else(|| Problem::NoSuchCountry(code.to_owned())),
    }
}

/// Asks and prints.
///
/// # Errors
/// [`QueryError`], before anything is printed unless printing itself fails.
pub async fn run(
    question: &Question,
    source: Source<'_>,
    format: Format,
    out: &mut (impl Write + ?Sized),
) -> Result<(), QueryError> {
    let answer = match source {
        Source::Url(url) => ask(question, url).await?,
        Source::Releases(releases) => look_up(question, releases)?,
    };
    match format {
        Format::Json => write!(out, "{}", json::of_table(&answer.table))?,
        Format::Csv => write!(out, "{}", csv::write(&answer.table))?,
        Format::Table => {
            if let Some(exercise) = answer.exercise {
                writeln!(out, "{exercise}")?;
            }
            let grid = question.subject == Subject::Matrix && question.by != TableName::Home;
            let text = if grid {
                matrix(&answer.table)
            } else {
                aligned(&answer.table)
            };
            write!(out, "{text}")?;
        }
    }
    out.flush()?;
    Ok(())
}

struct Answer {
    table: Table,
    exercise: Option<&'static str>,
}

fn look_up(question: &Question, releases: &[Release]) -> Result<Answer, Problem> {
    let asked = |release: &&Release| question.week.is_none_or(|week| release.id.week == week);
    let release = releases
        .iter()
        .filter(asked)
        .max_by_key(|release| release.id);
    let release = release.ok_or_else(|| {
        question.week.map_or(Problem::NothingReleased, |week| {
            Problem::NoSuchRelease(week.to_string())
        })
    })?;
    let table = match question.subject {
        Subject::Matrix => Table::of(release, question.by),
        Subject::Country(column) => Table::of(release, question.by).of_country(column.code()),
        Subject::Vendor(vendor) => Table::of(release, question.by).of_vendor(vendor),
        Subject::Endpoints => Table::of(release, TableName::Endpoints),
    };
    Ok(Answer {
        table,
        exercise: words::of_exercise(release),
    })
}

async fn ask(question: &Question, url: &str) -> Result<Answer, QueryError> {
    let reply = client::get(url, &path_of(question)).await?;
    if reply.status != 200 {
        let detail = serde_json::from_slice::<serde_json::Value>(&reply.body)
            .ok()
            .and_then(|problem| Some(problem.get("detail")?.as_str()?.to_owned()))
            .unwrap_or_else(|| format!("'{url}' answers with status {}", reply.status));
        return Err(QueryError::Refused(detail));
    }
    let exercise = reply.header("phonehome-purpose") == Some("exercise");
    let text = String::from_utf8(reply.body).map_err(|_| QueryError::NotATable(url.to_owned()))?;
    let table = csv::read(&text).ok_or_else(|| QueryError::NotATable(url.to_owned()))?;
    Ok(Answer {
        table,
        exercise: exercise.then_some(words::EXERCISE),
    })
}

/// The path and parameters of the API that answer a question, in CSV.
fn path_of(question: &Question) -> String {
    let mut path = match question.subject {
        Subject::Matrix => "/v1/matrix.csv".to_owned(),
        Subject::Country(column) => format!("/v1/countries/{}.csv", column.code()),
        Subject::Vendor(vendor) => format!("/v1/vendors/{}.csv", vendor.id()),
        Subject::Endpoints => "/v1/endpoints.csv".to_owned(),
    };
    let mut separator = '?';
    if question.subject != Subject::Endpoints {
        let by = question.by.file_stem().trim_start_matches("matrix-");
        path.push_str(&format!("?by={by}"));
        separator = '&';
    }
    if let Some(week) = question.week {
        path.push_str(&format!("{separator}week={week}"));
    }
    path
}

/// The text of a field in a named column.
fn field<'a>(table: &Table, row: &'a [Field], column: &str) -> &'a Field {
    let at = table.columns.iter().position(|name| *name == column);
    at.and_then(|at| row.get(at)).unwrap_or(&Field::Empty)
}

#[cfg(test)]
mod tests;
