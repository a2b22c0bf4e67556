//! Pages and files for people: the same functions that make the published folder.

use super::reply::{Keep, Kind, Reply};
use super::v1;
use super::{Asked, Problem, Shelf};
use crate::release::{Column, Release};
use crate::site;
use phonehome_proto::net::Country;
use phonehome_proto::vendor::Vendor;

const OPENAPI: &str = include_str!("openapi.json");

/// The newest release; before the first, a page that says when there will be one.
pub(super) fn home(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    asked.parameters(&[])?;
    Ok(match shelf.latest() {
        Some(shelved) => {
            let release = shelved.release();
            Reply::new(Kind::Html, Keep::AWhile, site::release(release)).from(release)
        }
        None => Reply::new(Kind::Html, Keep::Never, site::releases(&[])),
    })
}

/// The newest release's map.
pub(super) fn map(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    asked.parameters(&[])?;
    let shelved = shelf.latest().ok_or(Problem::NothingReleased)?;
    let bytes = shelved.file("map.svg").expect("every release has a map");
    Ok(Reply::new(Kind::Svg, Keep::AWhile, bytes).from(shelved.release()))
}

/// The list of releases.
pub(super) fn releases(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    asked.parameters(&[])?;
    let all = shelf.all();
    let releases: Vec<&Release> = all.iter().map(|shelved| shelved.release()).collect();
    let reply = Reply::new(Kind::Html, Keep::AWhile, site::releases(&releases));
    Ok(match releases.first() {
        Some(newest) => reply.from(newest),
        None => reply,
    })
}

/// A release by its name.
pub(super) fn release(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    asked.parameters(&[])?;
    let shelved = v1::named(shelf, asked.part(0))?;
    // The page around the numbers may be made anew by a later version.
    Ok(
        Reply::new(Kind::Html, Keep::AWhile, site::release(shelved.release()))
            .from(shelved.release()),
    )
}

/// A file of a release, as it stands in the published folder.
pub(super) fn file(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    asked.parameters(&[])?;
    let shelved = v1::named(shelf, asked.part(0))?;
    let name = asked.part(1);
    let bytes = shelved
        .file(name)
        .ok_or_else(|| Problem::NoSuchFile(name.to_owned()))?;
    Ok(Reply::new(Kind::of_file(name), Keep::ForEver, bytes).from(shelved.release()))
}

/// One vendor in the newest release.
pub(super) fn vendor(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    asked.parameters(&[])?;
    let vendor = vendor_of(asked.part(0))?;
    let shelved = shelf.latest().ok_or(Problem::NothingReleased)?;
    Ok(Reply::new(
        Kind::Html,
        Keep::AWhile,
        site::vendor(shelved.release(), vendor),
    )
    .from(shelved.release()))
}

/// One country in the newest release.
pub(super) fn country(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    asked.parameters(&[])?;
    let column = column_of(asked.part(0))?;
    let shelved = shelf.latest().ok_or(Problem::NothingReleased)?;
    Ok(Reply::new(
        Kind::Html,
        Keep::AWhile,
        site::country(shelved.release(), column),
    )
    .from(shelved.release()))
}

/// What there is to ask.
pub(super) fn openapi(_: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    asked.parameters(&[])?;
    Ok(Reply::new(Kind::Json, Keep::AWhile, OPENAPI))
}

/// Whether the process answers; it says nothing about any week.
pub(super) fn healthz(_: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    asked.parameters(&[])?;
    Ok(Reply::new(Kind::Text, Keep::Never, "ok\n"))
}

pub(super) fn vendor_of(id: &str) -> Result<Vendor, Problem> {
    Vendor::from_id(id).ok_or_else(|| Problem::NoSuchVendor(id.to_owned()))
}

pub(super) fn column_of(code: &str) -> Result<Column, Problem> {
    match code {
        "anycast" => Ok(Column::Anycast),
        "unknown" => Ok(Column::Unknown),
        code => Country::parse(code)
            .map(Column::Country)
            .ok_or_else(|| Problem::NoSuchCountry(code.to_owned())),
    }
}
