//! Asking: the API's tables at a terminal, from a running collector or from the releases at hand.
//!
//! Both sources give the same [`Table`], so the output does not tell them apart. `json` and `csv`
//! print what the API prints; `table` is for people: a matrix as vendors down and countries across,
//! anything else as aligned columns. An exercise says so on top; beneath stands in which countries the
//! homes are, and who runs the networks, as far as either is told (module `beneath`). Nothing can be
//! asked here that the API does not answer.

mod beneath;
mod client;
mod grid;

pub use client::ClientError;
pub(crate) use client::Reply;
#[cfg(test)]
pub(crate) use client::exchange;
pub use grid::{aligned, matrix};

use crate::api::Problem;
use crate::format::table::{Field, Table, TableName};
use crate::format::{csv, json};
use crate::map::words;
use crate::release::{Column, Release, ReleaseId};
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
        Source::Url(url) => ask(question, url, format).await?,
        Source::Releases(releases) => look_up(question, releases, format)?,
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
            if let Some(by_home) = &answer.by_home {
                writeln!(out, "{}", beneath::homes(&answer.table, by_home))?;
            }
            if let Some(operators) = &answer.operators {
                writeln!(out, "{}", beneath::operators(operators))?;
            }
        }
    }
    out.flush()?;
    Ok(())
}

struct Answer {
    table: Table,
    exercise: Option<&'static str>,
    /// The table by home country, beneath world figures for people.
    by_home: Option<Table>,
    /// The operators that are named, beneath networks for people.
    operators: Option<Table>,
}

impl Question {
    /// Whether its answer has world figures.
    fn is_world(&self) -> bool {
        self.subject == Subject::Endpoints || self.by != TableName::Home
    }

    /// Whether its answer is about networks.
    fn is_network(&self) -> bool {
        self.subject != Subject::Endpoints && self.by == TableName::Network
    }

    /// The rows it asks for of a table with more.
    fn rows_of(&self, table: Table) -> Table {
        match self.subject {
            Subject::Country(column) => table.of_country(column.code()),
            Subject::Vendor(vendor) => table.of_vendor(vendor),
            Subject::Matrix | Subject::Endpoints => table,
        }
    }
}

fn look_up(question: &Question, releases: &[Release], format: Format) -> Result<Answer, Problem> {
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
    let name = match question.subject {
        Subject::Endpoints => TableName::Endpoints,
        Subject::Matrix | Subject::Country(_) | Subject::Vendor(_) => question.by,
    };
    let is_table = format == Format::Table;
    let by_home = is_table && question.is_world();
    let operators = is_table && question.is_network();
    Ok(Answer {
        table: question.rows_of(Table::of(release, name)),
        exercise: words::of_exercise(release),
        by_home: by_home.then(|| Table::of(release, TableName::Home)),
        operators: operators.then(|| question.rows_of(Table::of_operators(release))),
    })
}

async fn ask(question: &Question, url: &str, format: Format) -> Result<Answer, QueryError> {
    let not_a_table = || QueryError::NotATable(url.to_owned());
    let (table, reply) = table_at(url, &path_of(question)).await?;
    let exercise = reply.header("phonehome-purpose") == Some("exercise");
    let mut answer = Answer {
        table,
        exercise: exercise.then_some(words::EXERCISE),
        by_home: None,
        operators: None,
    };
    if format == Format::Table {
        // Of the same week, whatever is released meanwhile.
        let release = reply.header("phonehome-release");
        let release = release.and_then(|id| id.parse::<ReleaseId>().ok());
        let week = release.ok_or_else(not_a_table)?.week;
        if question.is_world() {
            let path = format!("/v1/matrix.csv?by=home&week={week}");
            answer.by_home = Some(table_at(url, &path).await?.0);
        }
        if question.is_network() {
            let path = format!("/v1/operators.csv?week={week}");
            answer.operators = Some(question.rows_of(table_at(url, &path).await?.0));
        }
    }
    Ok(answer)
}

/// The table a path answers with.
async fn table_at(url: &str, path: &str) -> Result<(Table, Reply), QueryError> {
    let mut reply = client::get(url, path).await?;
    if reply.status != 200 {
        let detail = serde_json::from_slice::<serde_json::Value>(&reply.body)
            .ok()
            .and_then(|problem| Some(problem.get("detail")?.as_str()?.to_owned()))
            .unwrap_or_else(|| format!("'{url}' answers with status {}", reply.status));
        return Err(QueryError::Refused(detail));
    }
    let table = String::from_utf8(std::mem::take(&mut reply.body))
        .ok()
        .and_then(|text| csv::read(&text));
    let table = table.ok_or_else(|| QueryError::NotATable(url.to_owned()))?;
    Ok((table, reply))
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
