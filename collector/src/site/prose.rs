//! Pages of words: method, privacy, data, interface.

use super::address::Page;
use super::frame::Writer;
use super::{Site, revision, text};
use crate::format::geojson;
use crate::format::table::TableName;
use crate::map;
use crate::map::svg::text::escape;

impl Site<'_> {
    /// How it is done.
    pub(super) fn method(&self, writer: &Writer<'_>) -> String {
        let mut body = titled(writer, "method.title") + &paragraphs(writer, "method", 6);
        body.push_str(&writer.reading());
        let reply = format!("<p>{}</p>\n", writer.say("reply.text"));
        body.push_str(&writer.section("reply", "reply.title", &reply));
        let details = text::method(writer.release) + &revision::section(writer.release);
        body.push_str(&writer.english(&details));
        writer.page(writer.language().text("method.title"), &body)
    }

    /// What is never known.
    pub(super) fn privacy(&self, writer: &Writer<'_>) -> String {
        let body = titled(writer, "privacy.title") + &paragraphs(writer, "privacy", 5);
        writer.page(writer.language().text("privacy.title"), &body)
    }

    /// Every file of the newest release, and how to check it.
    pub(super) fn data(&self, writer: &Writer<'_>) -> String {
        let id = writer.release.id;
        let base = writer.file(&format!("releases/{id}/"));
        let mut body = titled(writer, "data.title");
        body.push_str(&format!(
            "<p>{}</p>\n<p>{}</p>\n<h2>{}</h2>\n<ul>\n",
            writer.say("data.lead"),
            writer.link(Page::Weeks, writer.language().text("nav.weeks")),
            writer.say("data.tables")
        ));
        let kinds = |stem: &str, kinds: &[(&str, &str)]| {
            let links: Vec<String> = kinds
                .iter()
                .map(|(ending, kind)| format!("<a href=\"{base}{stem}.{ending}\">{kind}</a>"))
                .collect();
            format!("<li>{stem}: {}</li>\n", links.join(", "))
        };
        for name in TableName::ALL {
            let mut forms = vec![("csv", "CSV"), ("json", "JSON"), ("parquet", "Parquet")];
            if geojson::is_of_countries(name) {
                forms.push(("geojson", "GeoJSON"));
            }
            body.push_str(&kinds(name.file_stem(), &forms));
        }
        for file in [
            "release.json",
            "datapackage.json",
            "dataset.jsonld",
            "CITATION.cff",
        ] {
            body.push_str(&format!("<li><a href=\"{base}{file}\">{file}</a></li>\n"));
        }
        body.push_str(&format!(
            "<li><a href=\"{base}index.html\">{id}</a></li>\n</ul>\n<h2>{}</h2>\n<ul>\n",
            writer.say("data.pictures")
        ));
        for stem in ["map", "map-network", "map-owner"] {
            let forms = [("svg", "SVG"), ("png", "PNG"), ("pdf", "PDF")];
            body.push_str(&kinds(stem, &forms));
        }
        body.push_str("</ul>\n<ul class=\"columns\">\n");
        for (stem, ..) in map::pictures(writer.release) {
            let path = writer.file(&format!("images/{stem}.svg"));
            body.push_str(&format!(
                "<li><a href=\"{path}\">{}.svg</a></li>\n",
                escape(&stem)
            ));
        }
        body.push_str("</ul>\n");
        let english = embedding(&id.to_string()) + &text::check(&base);
        body.push_str(&writer.english(&english));
        writer.page(writer.language().text("data.title"), &body)
    }

    /// The interface, in short; its description says the rest.
    pub(super) fn api(&self, writer: &Writer<'_>) -> String {
        let mut body = titled(writer, "api.title");
        body.push_str(&format!("<p>{}</p>\n", writer.say("api.lead")));
        body.push_str(&writer.english(API));
        writer.page(writer.language().text("api.title"), &body)
    }
}

/// Routes in short. They lead to a collector and are no links: a static copy has none of them.
const API: &str = "\
<p>These addresses lead to a collector that runs; a copy of these pages on another web server has none of them. There, \
HOST/releases/ holds the same tables as files.</p>
<pre tabindex=\"0\">GET /v1/releases
GET /v1/releases/2026-W46.0
GET /v1/matrix?by=server|network|owner|home&amp;week=2026-W46
GET /v1/matrix.csv?by=server
GET /v1/vendors/xiaomi?by=server
GET /v1/countries/SG.csv
GET /v1/endpoints.csv
GET /openapi.json</pre>
<p>Every answer has a strong ETag; what is asked for by a release's name may be kept for ever. Refusals are \
problem documents (RFC 9457).</p>
<pre tabindex=\"0\">curl   : curl -s 'https://HOST/v1/matrix.csv?by=server'
pandas : pd.read_csv(\"https://HOST/v1/matrix.csv?by=server\", keep_default_na=False, na_values=[\"\"])
R      : read.csv(\"https://HOST/v1/matrix.csv?by=server\", na.strings = \"\")
DuckDB : SELECT country, share FROM 'https://HOST/v1/matrix.parquet' WHERE vendor = 'xiaomi' AND share &gt; 0;</pre>
";

/// How a picture stands in somebody else's page. Pictures say in English by themselves what they show.
fn embedding(id: &str) -> String {
    format!(
        "<h2 id=\"embed\">In a page of yours</h2>\n<p>A picture says by itself what it shows, of which week and under \
         which licence, in English; so it may stand anywhere. HOST is this site's address.</p>\n\
         <pre tabindex=\"0\">live   : &lt;iframe src=\"https://HOST/images/world-server.svg\" title=\"Phonehome\" width=\"1200\" height=\"900\"&gt;&lt;/iframe&gt;\n\
         frozen : &lt;img src=\"https://HOST/releases/{id}/map.png\" alt=\"Phonehome {id}\" width=\"1200\"&gt;</pre>\n\
         <p>A running collector also has /embed/world-server, live, and /embed/world-server?release={id}, frozen.</p>\n"
    )
}

fn titled(writer: &Writer<'_>, key: &str) -> String {
    format!("<h1>{}</h1>\n{}", writer.say(key), writer.lead())
}

fn paragraphs(writer: &Writer<'_>, stem: &str, count: usize) -> String {
    (1..=count)
        .map(|at| format!("<p>{}</p>\n", writer.say(&format!("{stem}.{at}"))))
        .collect()
}
