//! Pages of words: method, privacy, data, interface.

use super::address::Page;
use super::frame::Writer;
use super::{Site, revision, text};
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
        for name in TableName::ALL.map(TableName::file_stem) {
            body.push_str(&format!(
                "<li>{name}: <a href=\"{base}{name}.csv\">CSV</a>, <a href=\"{base}{name}.json\">JSON</a></li>\n"
            ));
        }
        body.push_str(&format!(
            "<li><a href=\"{base}release.json\">release.json</a></li>\n<li><a href=\"{base}index.html\">{id}</a></li>\n</ul>\n<h2>{}</h2>\n<ul class=\"columns\">\n",
            writer.say("data.pictures")
        ));
        for (stem, ..) in map::pictures(writer.release) {
            let path = writer.file(&format!("images/{stem}.svg"));
            body.push_str(&format!(
                "<li><a href=\"{path}\">{}.svg</a></li>\n",
                escape(&stem)
            ));
        }
        body.push_str("</ul>\n");
        body.push_str(&writer.english(&text::check(&base)));
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
<pre tabindex=\"0\">curl   : curl -s https://HOST/v1/matrix.csv?by=server
pandas : pd.read_csv(\"https://HOST/v1/matrix.csv?by=server\")
R      : read.csv(\"https://HOST/v1/matrix.csv?by=server\")
DuckDB : SELECT country, share FROM 'https://HOST/v1/matrix.csv' WHERE vendor = 'xiaomi';</pre>
";

fn titled(writer: &Writer<'_>, key: &str) -> String {
    format!("<h1>{}</h1>\n{}", writer.say(key), writer.lead())
}

fn paragraphs(writer: &Writer<'_>, stem: &str, count: usize) -> String {
    (1..=count)
        .map(|at| format!("<p>{}</p>\n", writer.say(&format!("{stem}.{at}"))))
        .collect()
}
