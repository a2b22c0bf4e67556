//! The same numbers over gRPC: service `Observatory`, beside the one of homes.
//!
//! A request becomes the question that REST answers, and is answered by the same functions: weeks are chosen,
//! rows taken, `meta` and means made, cursors signed and places counted in one way only. Only the last step is its own: a row
//! becomes a message, whose `oneof` has no number for a state without one. Every [`Problem`] is a status, with the
//! problem's name in the header `phonehome-problem`.

use super::asked::{Asked, Wanted};
use super::kind::Kind;
use super::meta::{Cells, Meta};
use super::page::{column_of, vendor_of};
use super::reply::Keep;
use super::selection::Chosen;
use super::{DRAWN_MAX, Door, Problem, Shelf, means, v1 as rest};
use crate::format::table::{Field, Table, TableName};
use crate::intake::forwarded::Peer;
use axum::http::StatusCode;
use phonehome_proto::status;
use phonehome_proto::v1;
use phonehome_proto::v1::get_table_request::{Rows, Weeks};
use phonehome_proto::v1::observatory_server::ObservatoryServer;
use phonehome_proto::v1::row::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tonic::metadata::MetadataValue;
use tonic::service::Routes;
use tonic::{Code, Request, Response, Status};

/// Bytes of a question.
const QUESTION_BYTES_MAX: usize = 4_096;
/// Bytes of an answer: more than a year of any table.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// When to come again, if too many tables are being made.
const COME_AGAIN_SECONDS: u64 = 2;
/// The header with a problem's name.
const PROBLEM_HEADER: &str = "phonehome-problem";

/// The service over a shelf; the same door counts its readers and those of REST.
pub fn observatory(shelf: Shelf, door: Door) -> Routes {
    let service = Observatory {
        shelf,
        door,
        desks: Arc::new(Semaphore::new(DRAWN_MAX)),
    };
    let service = ObservatoryServer::new(service)
        .max_decoding_message_size(QUESTION_BYTES_MAX)
        .max_encoding_message_size(ANSWER_BYTES_MAX);
    Routes::new(service)
}

/// What answers.
#[derive(Debug)]
struct Observatory {
    shelf: Shelf,
    door: Door,
    /// Answers that are made at one time.
    desks: Arc<Semaphore>,
}

impl Observatory {
    /// One question through the door, answered where it keeps no home waiting.
    async fn answer<Q: Send + 'static, A: Send + 'static>(
        &self,
        request: Request<Q>,
        make: fn(&Shelf, Q) -> Result<A, Problem>,
    ) -> Result<Response<A>, Status> {
        let peer = request.extensions().get::<Peer>().copied();
        let answer = match self.door.admit(peer, request.metadata().as_ref()) {
            Ok(()) => self.aside(request.into_inner(), make).await,
            Err(problem) => Err(problem),
        };
        let status = answer.as_ref().err().map(Problem::status);
        self.door.count(status.unwrap_or(StatusCode::OK));
        answer
            .map(Response::new)
            .map_err(|problem| refused(&problem))
    }

    async fn aside<Q: Send + 'static, A: Send + 'static>(
        &self,
        question: Q,
        make: fn(&Shelf, Q) -> Result<A, Problem>,
    ) -> Result<A, Problem> {
        let desk = Arc::clone(&self.desks).try_acquire_owned();
        let desk = desk.map_err(|_| Problem::Busy(COME_AGAIN_SECONDS))?;
        let shelf = self.shelf.clone();
        let made = tokio::task::spawn_blocking(move || {
            let _desk = desk;
            make(&shelf, question)
        });
        made.await.map_err(|_| Problem::OurFault)?
    }
}

#[tonic::async_trait]
impl v1::observatory_server::Observatory for Observatory {
    async fn list_releases(
        &self,
        request: Request<v1::ListReleasesRequest>,
    ) -> Result<Response<v1::ListReleasesResponse>, Status> {
        self.answer(request, list).await
    }

    async fn get_table(
        &self,
        request: Request<v1::GetTableRequest>,
    ) -> Result<Response<v1::GetTableResponse>, Status> {
        self.answer(request, table).await
    }
}

/// A part of the list of releases.
fn list(
    shelf: &Shelf,
    question: v1::ListReleasesRequest,
) -> Result<v1::ListReleasesResponse, Problem> {
    let limit = (question.limit > 0).then(|| question.limit.to_string());
    let cursor = Some(question.cursor.as_str()).filter(|cursor| !cursor.is_empty());
    let page = rest::Page::of(shelf, limit.as_deref(), cursor)?;
    let releases = page.shown.into_iter().map(|shelved| {
        let cells = Cells::of_release(shelved.release());
        let link = format!("{}/{}", rest::LIST_PATH, shelved.release().id);
        Meta::of(&Chosen::one(shelved, Keep::ForEver), cells, Some(link)).into_wire()
    });
    Ok(v1::ListReleasesResponse {
        releases: releases.collect(),
        next_cursor: page.next.unwrap_or_default(),
    })
}

/// Rows of a table.
fn table(shelf: &Shelf, question: v1::GetTableRequest) -> Result<v1::GetTableResponse, Problem> {
    let name = match question.table() {
        v1::TableName::Server => TableName::Server,
        v1::TableName::Network => TableName::Network,
        v1::TableName::Owner => TableName::Owner,
        v1::TableName::Home => TableName::Home,
        v1::TableName::Endpoints => TableName::Endpoints,
    };
    if v1::TableName::try_from(question.table).is_err() {
        let value = question.table.to_string();
        return Err(bad("table", value, "it is one of the list"));
    }
    if let (TableName::Endpoints, Some(Rows::Vendor(id) | Rows::Country(id))) =
        (name, &question.rows)
    {
        let id = id.clone();
        return Err(bad("rows", id, "endpoints are given whole"));
    }
    let (path, stem, choose): (_, _, Choose) = match &question.rows {
        None if name == TableName::Endpoints => {
            ("/v1/endpoints", "", Box::new(|table: Table| table))
        }
        None => ("/v1/matrix", "", Box::new(|table: Table| table)),
        Some(Rows::Vendor(id)) => {
            let vendor = vendor_of(id)?;
            let choose = move |table: Table| table.of_vendor(vendor);
            ("/v1/vendors/{id}", id.as_str(), Box::new(choose))
        }
        Some(Rows::Country(code)) => {
            let column = column_of(code)?;
            let choose = move |table: Table| table.of_country(column.code());
            ("/v1/countries/{cc}", code.as_str(), Box::new(choose))
        }
    };
    let mut parameters = BTreeMap::new();
    if let Some(by) = name.file_stem().strip_prefix("matrix-") {
        parameters.insert("by", by);
    }
    match &question.weeks {
        None => {}
        Some(Weeks::Week(week)) => {
            parameters.insert("week", week);
        }
        Some(Weeks::Release(id)) => {
            parameters.insert("release", id);
        }
        Some(Weeks::Range(v1::WeekRange { from, to })) => {
            parameters.insert("from", from);
            if !to.is_empty() {
                parameters.insert("to", to);
            }
        }
    }
    let asked = Asked {
        path,
        parts: Some(stem.to_owned())
            .into_iter()
            .filter(|stem| !stem.is_empty())
            .collect(),
        ..Asked::default()
    };
    let wanted = Wanted {
        stem,
        kind: Kind::Json,
        parameters,
    };
    let chosen = Chosen::of(shelf, &wanted.parameters)?;
    let table = rest::gathered(&chosen, |release| choose(Table::of(release, name)));
    let link = rest::permalink(&asked, &wanted, &chosen);
    let meta = Meta::of(&chosen, Cells::of_table(&table), Some(link));
    let is_range = chosen.range.is_some();
    let means = if is_range {
        means::of(&table)
    } else {
        Vec::new()
    };
    Ok(v1::GetTableResponse {
        meta: Some(meta.into_wire()),
        rows: table.rows.iter().map(|row| in_wire(&table, row)).collect(),
        means: means.iter().map(means::Mean::to_wire).collect(),
    })
}

/// Takes the rows that are asked for.
type Choose = Box<dyn Fn(Table) -> Table>;

fn bad(name: &'static str, value: String, expected: &'static str) -> Problem {
    Problem::BadParameter {
        name,
        value,
        expected,
    }
}

/// A row as a message. A field that is not there is nothing.
fn in_wire(table: &Table, row: &[Field]) -> v1::Row {
    let field = |column: &str| {
        let at = table.columns.iter().position(|name| *name == column);
        at.map_or(&Field::Empty, |at| &row[at])
    };
    let text = |column| match field(column) {
        Field::Text(text) => text.clone(),
        Field::Count(_) | Field::Share(_) | Field::Empty => String::new(),
    };
    let count = |column| match field(column) {
        Field::Count(count) => *count,
        Field::Share(points) => u32::from(points.0),
        Field::Text(_) | Field::Empty => 0,
    };
    let numbers = || v1::Numbers {
        share_basis_points: count("share"),
        share_low_basis_points: count("share_low"),
        share_high_basis_points: count("share_high"),
        x_low: count("x_low"),
        x_high: count("x_high"),
        n: count("n"),
        networks: count("networks"),
        radius: count("radius"),
        place_status: text("place_status"),
    };
    let nothing = v1::Nothing {};
    v1::Row {
        week: text("week"),
        vendor: text("vendor"),
        country: text("country"),
        home_country: text("home_country"),
        endpoint: text("endpoint"),
        cell: Some(match text("state").as_str() {
            "value" => Cell::Value(numbers()),
            "zero" => Cell::Zero(numbers()),
            "imprecise" => Cell::Imprecise(numbers()),
            "suppressed" => Cell::Suppressed(nothing),
            "no_data" => Cell::NoData(nothing),
            _ => Cell::NotApplicable(nothing),
        }),
    }
}

/// A problem in gRPC's words.
fn refused(problem: &Problem) -> Status {
    let code = match problem.status() {
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::CONFLICT => Code::FailedPrecondition,
        status if status.is_client_error() => Code::InvalidArgument,
        _ => Code::Internal,
    };
    let mut status = match problem {
        Problem::TooManyRequests(seconds) | Problem::Busy(seconds) => {
            status::overloaded(u32::try_from(*seconds).unwrap_or(u32::MAX))
        }
        _ => Status::new(code, problem.to_string()),
    };
    let name = MetadataValue::from_static(problem.slug());
    status.metadata_mut().insert(PROBLEM_HEADER, name);
    status
}

#[cfg(test)]
mod tests;
