//! Pages about the API: what there is to ask, and what each problem means.
//!
//! The viewer is the description as a page: no script, no other host, and nothing in it that is not in
//! /openapi.json.

use super::asked::Asked;
use super::kind::Kind;
use super::openapi;
use super::problem::{SORTS, Sort};
use super::reply::{Keep, Reply};
use super::{Problem, Shelf};
use crate::map::svg::text::escape;
use serde_json::Value;
use std::fmt::Write as _;

/// What the pages may load: their own style, which stands in them.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

const STYLE: &str = ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;\
                     margin:2rem auto;padding:0 1rem}code,pre{font-family:ui-monospace,monospace}\
                     table{border-collapse:collapse;width:100%}th,td{text-align:start;vertical-align:top;\
                     padding:.2rem .8rem .2rem 0;border-bottom:1px solid #8884}\
                     section{margin-block:2.5rem}pre{overflow-x:auto}";

/// What there is to ask, for people.
pub(super) fn viewer(_: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    asked.parameters(&[])?;
    let document = &*openapi::DOCUMENT;
    let mut body = format!(
        "<h1>The API</h1>\n<p>{}</p>\n<p>The same for programs: <a href=\"/openapi.json\">/openapi.json</a>. \
         What can go wrong: <a href=\"/problems\">/problems</a>.</p>\n",
        escape(text(&document["info"]["description"]))
    );
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        section(&mut body, path, &item["get"]).expect("a string takes text");
    }
    body.push_str("<h1>What is in the answers</h1>\n");
    for (name, schema) in document["components"]["schemas"]
        .as_object()
        .into_iter()
        .flatten()
    {
        shape(&mut body, name, schema).expect("a string takes text");
    }
    Ok(page("The API of Phonehome", &body))
}

/// One path.
fn section(body: &mut String, path: &str, operation: &Value) -> std::fmt::Result {
    writeln!(
        body,
        "<section id=\"{0}\"><h2><code>GET {1}</code></h2>\n<p>{2}.</p>",
        escape(text(&operation["operationId"])),
        escape(path),
        escape(text(&operation["summary"]))
    )?;
    let parameters = operation["parameters"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    if !parameters.is_empty() {
        writeln!(
            body,
            "<table><tr><th>Parameter<th>What it says<th>Values</tr>"
        )?;
        for parameter in parameters {
            writeln!(
                body,
                "<tr><td><code>{}</code><td>{}<td>{}</tr>",
                escape(text(&parameter["name"])),
                escape(text(&parameter["description"])),
                values(&parameter["schema"])
            )?;
        }
        writeln!(body, "</table>")?;
    }
    let kinds = operation["responses"]["200"]["content"].as_object();
    writeln!(body, "<p>Gives:</p><ul>")?;
    for (kind, content) in kinds.into_iter().flatten() {
        writeln!(
            body,
            "<li><code>{}</code>{}</li>",
            escape(kind),
            content["schema"]["$ref"]
                .as_str()
                .map_or_else(String::new, link)
        )?;
    }
    writeln!(body, "</ul></section>")
}

/// One shape.
fn shape(body: &mut String, name: &str, schema: &Value) -> std::fmt::Result {
    writeln!(
        body,
        "<section id=\"{0}\"><h2>{0}</h2>\n<p>{1}</p>",
        escape(name),
        escape(text(&schema["description"]))
    )?;
    if let Some(properties) = schema["properties"].as_object() {
        writeln!(body, "<table><tr><th>Key<th>What it says<th>Values</tr>")?;
        for (key, property) in properties {
            writeln!(
                body,
                "<tr><td><code>{}</code><td>{}<td>{}</tr>",
                escape(key),
                escape(text(&property["description"])),
                values(property)
            )?;
        }
        writeln!(body, "</table>")?;
    }
    writeln!(body, "</section>")
}

/// Which values a schema allows, in few words.
fn values(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return link(reference);
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words
            .iter()
            .map(|word| {
                word.as_str()
                    .map_or_else(|| word.to_string(), str::to_owned)
            })
            .collect();
        return format!("<code>{}</code>", escape(&words.join(", ")));
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        return format!("<code>{}</code>", escape(pattern));
    }
    if schema["items"].is_object() {
        return format!("a list of {}", values(&schema["items"]));
    }
    for several in ["anyOf", "oneOf", "allOf"] {
        if let Some(several) = schema[several].as_array() {
            let each: Vec<String> = several.iter().map(values).collect();
            return each.join(" or ");
        }
    }
    match &schema["type"] {
        Value::String(word) => escape(word),
        Value::Array(words) => {
            let words: Vec<&str> = words.iter().map(text).collect();
            escape(&words.join(" or "))
        }
        _ => String::new(),
    }
}

fn link(reference: &str) -> String {
    let name = reference.rsplit('/').next().unwrap_or_default();
    format!(" <a href=\"#{0}\">{0}</a>", escape(name))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Every problem there is.
pub(super) fn problems(_: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    asked.parameters(&[])?;
    let mut body = "<h1>Problems</h1>\n<p>What is not answered is refused with a document of type \
                    <code>application/problem+json</code> (RFC 9457), whose <code>type</code> is the path of \
                    a page below.</p>\n"
        .to_owned();
    for sort in SORTS {
        writeln!(body, "<section>{}</section>", about(*sort)).expect("a string takes text");
    }
    Ok(page("Problems", &body))
}

/// One of them: where its `type` leads.
pub(super) fn problem(_: &Shelf, asked: &Asked) -> Result<Reply, Problem> {
    asked.parameters(&[])?;
    let name = asked.part(0);
    let sort = SORTS.iter().find(|sort| sort.slug == name);
    let sort = sort.ok_or_else(|| Problem::NoSuchProblem(name.to_owned()))?;
    let body = format!(
        "{}<p><a href=\"/problems\">All problems</a></p>\n",
        about(*sort)
    );
    Ok(page(&sort.title(), &body))
}

fn about(sort: Sort) -> String {
    format!(
        "<h2><a href=\"/problems/{0}\">{1}</a></h2>\n<p>Status {2}. {3}</p>\n",
        sort.slug,
        escape(&sort.title()),
        sort.status,
        escape(sort.meaning)
    )
}

fn page(title: &str, body: &str) -> Reply {
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        escape(title)
    );
    Reply::new(Kind::Html, Keep::AWhile, page).under(POLICY)
}
