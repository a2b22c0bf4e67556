//! The same numbers over gRPC: service `Observatory`, beside the one of homes.
//!
//! A request becomes the question that REST answers, and is answered by the same functions: weeks are chosen,
//! rows taken, `meta` and means made, cursors signed and places counted in one way only. Only the last step is its own: a row
//! becomes a message (module `row`), whose `oneof` has no number for a state without one. Every [`Problem`] is a status,
//! with the problem's name in the header `phonehome-problem`.

mod row;

use super::asked::{Asked, Wanted, bad};
use super::kind::Kind;
use super::meta::{Cells, Meta};
use super::page::{column_of, vendor_of};
use super::reply::Keep;
use super::selection::Chosen;
use super::{DRAWN_MAX, Door, Problem, Shelf, means, v1 as rest};
use crate::format::table::{Table, TableName};
use crate::intake::forwarded::Peer;
use crate::release::Release;
use axum::http::StatusCode;
use phonehome_proto::status;
use phonehome_proto::v1;
use phonehome_proto::v1::get_operators_request::Weeks as OperatorWeeks;
use phonehome_proto::v1::get_table_request::{Rows, Weeks};
use phonehome_proto::v1::observatory_server::ObservatoryServer;
use row::{cell, operator};
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

    async fn get_operators(
        &self,
        request: Request<v1::GetOperatorsRequest>,
    ) -> Result<Response<v1::GetOperatorsResponse>, Status> {
        self.answer(request, operators).await
    }

    async fn get_file(
        &self,
        request: Request<v1::GetFileRequest>,
    ) -> Result<Response<v1::GetFileResponse>, Status> {
        self.answer(request, file).await
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
        return Err(bad("table", &value, "it is one of the list"));
    }
    if let (TableName::Endpoints, Some(Rows::Vendor(id) | Rows::Country(id))) =
        (name, &question.rows)
    {
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
    let mut parameters = Parameters::new();
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
    let choose = |release: &Release| choose(Table::of(release, name));
    let (meta, table) = answered(shelf, path, stem, parameters, choose)?;
    let means = match question.weeks {
        Some(Weeks::Range(_)) => means::of(&table),
        _ => Vec::new(),
    };
    Ok(v1::GetTableResponse {
        meta: Some(meta),
        rows: table.rows.iter().map(|row| cell(&table, row)).collect(),
        means: means.iter().map(means::Mean::to_wire).collect(),
    })
}

/// The operators that are named.
fn operators(
    shelf: &Shelf,
    question: v1::GetOperatorsRequest,
) -> Result<v1::GetOperatorsResponse, Problem> {
    let mut parameters = Parameters::new();
    let mut vendor = None;
    if !question.vendor.is_empty() {
        vendor = Some(vendor_of(&question.vendor)?);
        parameters.insert("vendor", &question.vendor);
    }
    match &question.weeks {
        None => {}
        Some(OperatorWeeks::Week(week)) => {
            parameters.insert("week", week);
        }
        Some(OperatorWeeks::Release(id)) => {
            parameters.insert("release", id);
        }
    }
    let choose = |release: &Release| rest::operators_of(release, vendor);
    let (meta, table) = answered(shelf, "/v1/operators", "", parameters, choose)?;
    Ok(v1::GetOperatorsResponse {
        meta: Some(meta),
        rows: table.rows.iter().map(|row| operator(&table, row)).collect(),
    })
}

/// A file of a release.
fn file(shelf: &Shelf, question: v1::GetFileRequest) -> Result<v1::GetFileResponse, Problem> {
    let v1::GetFileRequest { release, name } = question;
    let shelved = rest::named(shelf, &release)?;
    let content = shelved.file(&name).map(<[u8]>::to_vec);
    let media_type = Kind::of_file(&name).media_type().to_owned();
    Ok(v1::GetFileResponse {
        content: content.ok_or(Problem::NoSuchFile(name))?,
        media_type,
    })
}

/// Parameters as REST takes them.
type Parameters<'a> = BTreeMap<&'static str, &'a str>;

/// Takes the rows that are asked for.
type Choose = Box<dyn Fn(Table) -> Table>;

/// What REST answers to a path with `stem` in its braces: on what the rows rest, and the rows.
fn answered(
    shelf: &Shelf,
    path: &'static str,
    stem: &str,
    parameters: Parameters<'_>,
    choose: impl Fn(&Release) -> Table,
) -> Result<(v1::Meta, Table), Problem> {
    let parts = Some(stem.to_owned()).into_iter();
    let asked = Asked {
        path,
        parts: parts.filter(|stem| !stem.is_empty()).collect(),
        ..Asked::default()
    };
    let wanted = Wanted {
        stem,
        kind: Kind::Json,
        parameters,
    };
    let chosen = Chosen::of(shelf, &wanted.parameters)?;
    let table = rest::gathered(&chosen, choose);
    let link = rest::permalink(&asked, &wanted, &chosen);
    let meta = Meta::of(&chosen, Cells::of_table(&table), Some(link));
    Ok((meta.into_wire(), table))
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
