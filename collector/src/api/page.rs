//! Pages and files for people: the same functions that make the published folder.

use super::asked::Asked;
use super::kind::Kind;
use super::reply::{Keep, Reply};
use super::{Problem, Shelf, openapi, v1};
use crate::release::{Column, Release};
use crate::site::{self, Address, Site};
use phonehome_proto::net::Country;
use phonehome_proto::vendor::Vendor;

/// A page of the site, a picture, or a file that pages share, by its path from the top.
pub(super) fn at(shelf: &Shelf, path: &str) -> Result<Reply, Problem> {
    if let Some(asset) = site::assets().into_iter().find(|asset| asset.path == path) {
        let kind = Kind::of_file(&asset.path);
        return Ok(Reply::new(kind, Keep::ForEver, asset.text));
    }
    let all = shelf.all();
    let releases: Vec<&Release> = all.iter().map(|shelved| shelved.release()).collect();
    let picture = path
        .strip_prefix("images/")
        .and_then(|name| name.strip_suffix(".svg"));
    let address = Address::of_path(path);
    if picture.is_none() && address.is_none() {
        return Err(Problem::NoSuchRoute);
    }
    let site = Site::of(&releases).ok_or(Problem::NothingReleased)?;
    let reply = match (picture, address) {
        (Some(stem), _) => {
            let picture = site.picture(stem);
            let picture = picture.ok_or_else(|| Problem::NoSuchFile(stem.to_owned()))?;
            Reply::new(Kind::Svg, Keep::AWhile, picture)
        }
        (None, address) => {
            let page = address.and_then(|address| site.page(address));
            Reply::new(Kind::Page, Keep::AWhile, page.ok_or(Problem::NoSuchRoute)?)
        }
    };
    Ok(reply.from(site.newest()))
}

/// The newest release; before the first, a page that says when there will be one.
pub(super) fn home(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    asked.parameters(&[])?;
    match at(shelf, "") {
        Err(Problem::NothingReleased) => Ok(Reply::new(Kind::Html, Keep::Never, site::empty())),
        reply => reply,
    }
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
    match at(shelf, "weeks") {
        Err(Problem::NothingReleased) => Ok(Reply::new(Kind::Html, Keep::Never, site::empty())),
        reply => reply,
    }
}

/// A release by its name: the page of its folder.
pub(super) fn release(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    asked.parameters(&[])?;
    let shelved = v1::named(shelf, asked.part(0))?;
    let bytes = shelved
        .file("index.html")
        .expect("every release has a page");
    // The page around the numbers may be made anew by a later version.
    Ok(Reply::new(Kind::Html, Keep::AWhile, bytes).from(shelved.release()))
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

/// One vendor in the newest release, by one of the three facts.
pub(super) fn vendor(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    asked.parameters(&[])?;
    let name = asked.part(0);
    let stem = name.strip_suffix(".html").unwrap_or(name);
    at(shelf, &format!("vendors/{stem}")).map_err(|problem| match problem {
        Problem::NoSuchRoute => Problem::NoSuchVendor(stem.to_owned()),
        other => other,
    })
}

/// One country in the newest release.
pub(super) fn country(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    asked.parameters(&[])?;
    let name = asked.part(0);
    let stem = name.strip_suffix(".html").unwrap_or(name);
    at(shelf, &format!("countries/{stem}")).map_err(|problem| match problem {
        Problem::NoSuchRoute => Problem::NoSuchCountry(stem.to_owned()),
        other => other,
    })
}

/// What there is to ask.
pub(super) fn openapi(_: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    asked.parameters(&[])?;
    Ok(Reply::new(Kind::Json, Keep::AWhile, openapi::TEXT.as_str()))
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
