//! The list of releases, and one of them whole.

use crate::api::asked::{Asked, bad};
use crate::api::kind::Kind;
use crate::api::meta::{Cells, Meta};
use crate::api::reply::{Keep, Reply};
use crate::api::selection::Chosen;
use crate::api::shelf::Shelved;
use crate::api::{Problem, Shelf};
use crate::format::json;
use crate::release::ReleaseId;
use std::sync::Arc;

/// Parameters of the list.
pub(in crate::api) const LIST: &[&str] = &["limit", "cursor"];

/// Where it is; its cursors are for this path.
pub(in crate::api) const LIST_PATH: &str = "/v1/releases";

/// Releases of one answer, if nobody asks for fewer or more: a year and its revisions fit.
const LIMIT: usize = 100;
/// And at most.
const LIMIT_MAX: usize = 500;

/// The facts about every release, the newest first, so many at a time.
pub(in crate::api) fn releases(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    let parameters = asked.parameters(LIST)?;
    let limit = parameters.get("limit").copied();
    let cursor = parameters.get("cursor").copied();
    let page = Page::of(shelf, limit, cursor)?;
    let next = page.next.as_ref().map(|cursor| {
        let limit = page.limit;
        format!("{LIST_PATH}?limit={limit}&cursor={cursor}")
    });
    let all = shelf.all();
    // About the newest there is, whichever page this is.
    let meta = all.first().map(|newest| {
        let chosen = Chosen::one(Arc::clone(newest), Keep::AWhile);
        let cells = Cells::of_release(newest.release());
        Meta::of(&chosen, cells, None).to_json()
    });
    let facts = page
        .shown
        .iter()
        .map(|shelved| json::of_meta(shelved.release()).trim_end().to_owned());
    let facts: Vec<String> = facts.collect();
    let body = format!(
        "{{\n\"meta\": {},\n\"next\": {},\n\"releases\": [{}]\n}}\n",
        meta.as_deref().unwrap_or("null"),
        serde_json::to_string(&next).expect("a text"),
        facts.join(",\n")
    );
    let reply = Reply::new(Kind::Json, Keep::AWhile, body).going_on(next);
    Ok(match all.first() {
        Some(newest) => reply.from(newest.release()),
        None => reply,
    })
}

/// A part of the list.
pub(in crate::api) struct Page {
    /// The newest first.
    pub(in crate::api) shown: Vec<Arc<Shelved>>,
    /// As many as were asked for.
    pub(in crate::api) limit: usize,
    /// The cursor with which the list goes on, if it does.
    pub(in crate::api) next: Option<String>,
}

impl Page {
    /// At most `limit` releases after `cursor`, both as they were given.
    pub(in crate::api) fn of(
        shelf: &Shelf,
        limit: Option<&str>,
        cursor: Option<&str>,
    ) -> Result<Self, Problem> {
        let limit = match limit {
            None => LIMIT,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=LIMIT_MAX).contains(limit) && limit.to_string() == *text)
                .ok_or_else(|| bad("limit", text, "it is a number from 1 to 500"))?,
        };
        let after = match cursor {
            None => None,
            Some(cursor) => {
                let after = shelf.cursors().open(LIST_PATH, cursor)?;
                Some(after.parse::<ReleaseId>().map_err(|_| Problem::BadCursor)?)
            }
        };
        let all = shelf.all();
        let rest = all
            .iter()
            .filter(|shelved| after.is_none_or(|after| shelved.release().id < after));
        let shown: Vec<Arc<Shelved>> = rest.clone().take(limit).cloned().collect();
        let next = shown.last().filter(|_| rest.count() > limit);
        let next = next.map(|last| {
            let after = last.release().id.to_string();
            shelf.cursors().seal(LIST_PATH, &after)
        });
        Ok(Self { shown, limit, next })
    }
}

/// Everything one release says: its `release.json`, and `meta` before it.
pub(in crate::api) fn release(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    asked.parameters(&[])?;
    let id = asked.part(0);
    let (shelved, keep) = match id.strip_suffix(".json").unwrap_or(id) {
        "latest" => (
            shelf.latest().ok_or(Problem::NothingReleased)?,
            Keep::AWhile,
        ),
        id => (named(shelf, id)?, Keep::ForEver),
    };
    let release = shelved.release();
    let text = json::to_json(release);
    let rest = text.strip_prefix('{').expect("an object");
    let link = format!("/v1/releases/{}", release.id);
    let chosen = Chosen::one(Arc::clone(&shelved), keep);
    let meta = Meta::of(&chosen, Cells::of_release(release), Some(link));
    let body = format!("{{\n\"meta\": {},{rest}", meta.to_json());
    Ok(Reply::new(Kind::Json, keep, body).from(release))
}

/// The release a path names.
pub(in crate::api) fn named(shelf: &Shelf, id: &str) -> Result<Arc<Shelved>, Problem> {
    let known = id.parse().ok().and_then(|id| shelf.named(id));
    known.ok_or_else(|| Problem::NoSuchRelease(id.to_owned()))
}
