//! Pictures of a release, of any size, and the page that others put in a frame.
//!
//! Every picture says by itself what it shows, of which week, behind which gate, and under which licence;
//! so an address of one may stand in anybody's page. Live it follows the newest release; with `release` it
//! stays as it is.

use crate::api::asked::{Asked, bad};
use crate::api::kind::Kind;
use crate::api::meta::{Cells, Meta};
use crate::api::reply::Reply;
use crate::api::selection::{Chosen, ONE};
use crate::api::{Problem, Shelf};
use crate::format::picture::{Picture, WIDTHS_PX};
use crate::map;
use crate::release::Release;
use serde::Serialize;
use utoipa::ToSchema;

/// Kinds of a picture.
pub(in crate::api) const KINDS: &[Kind] = &[Kind::Svg, Kind::Png, Kind::Pdf];
/// Parameters of a picture.
pub(in crate::api) const MAP: &[&str] = &["week", "release", "width", "format"];

/// How wide a PNG is if nobody says.
const WIDTH_PX: u32 = 1_200;

/// What the page in a frame may load: nothing. Whoever wants to may put it in a frame.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// A picture there is.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct MapEntry {
    /// Its name, `world-server`, `xiaomi-owner`, `home-DE`.
    name: String,
    /// Which of the three facts it shows.
    by: &'static str,
    svg: String,
    png: String,
    pdf: String,
    /// A page to be put in a frame.
    embed: String,
}

/// Every picture of a release.
pub(in crate::api) fn maps(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    let parameters = asked.parameters(&ONE)?;
    let chosen = Chosen::of(shelf, &parameters)?;
    let release = chosen.newest().release();
    let entries = map::pictures(release).into_iter().map(|(name, fact, _)| {
        let link = |ending: &str| format!("/v1/maps/{name}.{ending}?release={}", release.id);
        let entry = MapEntry {
            svg: link("svg"),
            png: link("png"),
            pdf: link("pdf"),
            embed: format!("/embed/{name}?release={}", release.id),
            by: fact.by(),
            name,
        };
        serde_json::to_string(&entry).expect("texts")
    });
    let entries: Vec<String> = entries.collect();
    let link = format!("/v1/maps?release={}", release.id);
    let meta = Meta::of(&chosen, Cells::of_release(release), Some(link));
    let body = format!(
        "{{\n\"meta\": {},\n\"maps\": [\n{}\n]\n}}\n",
        meta.to_json(),
        entries.join(",\n")
    );
    Ok(Reply::new(Kind::Json, chosen.keep, body).from(release))
}

/// One picture.
pub(in crate::api) fn map(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    let wanted = asked.wanted(MAP, KINDS)?;
    let chosen = Chosen::of(shelf, &wanted.parameters)?;
    let release = chosen.newest().release();
    let width_px = match wanted.parameters.get("width") {
        None => WIDTH_PX,
        Some(text) => {
            if wanted.kind != Kind::Png {
                return Err(bad("width", text, "only a PNG has one"));
            }
            text.parse()
                .ok()
                .filter(|width: &u32| WIDTHS_PX.contains(width) && width.to_string() == *text)
                .ok_or_else(|| bad("width", text, "it is a number of pixels from 16 to 4096"))?
        }
    };
    let svg = drawn(release, wanted.stem)?;
    let body = match wanted.kind {
        Kind::Png => Picture::of(&svg).png(width_px).ok_or_else(|| {
            bad(
                "width",
                &width_px.to_string(),
                "the picture would have too many pixels",
            )
        })?,
        Kind::Pdf => Picture::of(&svg).pdf(release, wanted.stem),
        _ => svg.into_bytes(),
    };
    let name = format!(
        "phonehome-{}-{}.{}",
        release.id,
        wanted.stem,
        wanted.kind.ending()
    );
    Ok(Reply::new(wanted.kind, chosen.keep, body)
        .from(release)
        .named(name)
        .varying(asked.is_negotiated(&wanted)))
}

/// A page with one picture in it and nothing else, for a frame.
pub(in crate::api) fn embed(shelf: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    let parameters = asked.parameters(&ONE)?;
    let chosen = Chosen::of(shelf, &parameters)?;
    let release = chosen.newest().release();
    let svg = drawn(release, asked.part(0))?;
    // In a page the picture is an element, and not a file.
    let svg = svg.find("<svg").map_or("", |at| &svg[at..]);
    let page = format!(
        "<!doctype html>\n<html lang=\"en\" data-purpose=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>Phonehome, release {}</title>\n\
         <style>body{{margin:0}}svg{{display:block;width:100%;height:auto}}</style>\n</head>\n<body>\n\
         {svg}\n</body>\n</html>\n",
        release.purpose.as_str(),
        release.id,
    );
    Ok(Reply::new(Kind::Html, chosen.keep, page)
        .from(release)
        .under(POLICY))
}

fn drawn(release: &Release, name: &str) -> Result<String, Problem> {
    let pictures = map::pictures(release);
    let known = pictures.into_iter().find(|(known, _, _)| known == name);
    let (_, fact, view) = known.ok_or_else(|| Problem::NoSuchMap(name.to_owned()))?;
    Ok(map::svg_by(release, fact, view))
}
