//! `datapackage.json`: the release as a Frictionless Data Package, tables with their schema, every file with
//! size and sum.

use super::{
    CREATOR, CSV, Column, ColumnKind, Dataset, KEYWORDS, LICENCE_ID, LICENCE_TITLE, LICENCE_URL,
    Resource, STATES, columns, key,
};
use crate::format::json;
use crate::format::table::TableName;
use crate::map::words;
use serde_json::{Value, json};

pub(super) fn write(dataset: &Dataset<'_>) -> String {
    let release = dataset.release;
    let sources = dataset.sources().iter().map(|source| {
        json!({
            "title": format!("{} ({}): {}", source.name, source.build, source.licence),
            "version": source.build,
        })
    });
    let package = json!({
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": dataset.id,
        "id": dataset.id,
        "title": dataset.title,
        "description": dataset.description,
        "version": dataset.version,
        "created": release.closed_at.to_string(),
        "keywords": KEYWORDS,
        "licenses": [{ "name": LICENCE_ID, "title": LICENCE_TITLE, "path": LICENCE_URL }],
        "contributors": [{ "title": CREATOR, "roles": ["creator"] }],
        "sources": sources.collect::<Vec<_>>(),
        "resources": dataset.resources.iter().map(resource).collect::<Vec<_>>(),
        "temporalCoverage": { "start": dataset.period[0], "end": dataset.period[1] },
        "release": release.id.to_string(),
        "notice": words::of_exercise(release),
        "citation": dataset.citation,
        "boundaries": json::BOUNDARIES,
        "k": release.k,
        "method": release.method,
    });
    pretty(&package)
}

fn resource(file: &Resource) -> Value {
    let mut resource = json!({
        "name": file.id(),
        "path": file.name,
        "title": file.title,
        "mediatype": file.media_type,
        "bytes": file.bytes,
        "hash": format!("sha256:{}", file.sha256),
    });
    if let (CSV, Some(table)) = (file.media_type, file.table) {
        resource["type"] = json!("table");
        resource["format"] = json!("csv");
        resource["encoding"] = json!("utf-8");
        resource["schema"] = schema(table);
    } else {
        // The same rows again, or none: said once, in CSV.
        resource["type"] = json!("file");
    }
    resource
}

fn schema(table: TableName) -> Value {
    json!({
        "fields": columns(table).iter().map(field).collect::<Vec<_>>(),
        "primaryKey": key(table),
        "missingValues": [""],
    })
}

fn field(column: &Column) -> Value {
    let mut constraints = json!({ "required": !column.is_optional });
    let kind = match column.kind {
        ColumnKind::Text => "string",
        ColumnKind::Count => {
            constraints["minimum"] = json!(0);
            "integer"
        }
        ColumnKind::Share => {
            constraints["minimum"] = json!(0);
            constraints["maximum"] = json!(1);
            "number"
        }
    };
    if column.name == "state" {
        constraints["enum"] = json!(STATES);
    }
    json!({
        "name": column.name,
        "type": kind,
        "description": column.title,
        "constraints": constraints,
    })
}

/// JSON for people too.
pub(super) fn pretty(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value);
    text.expect("what was put together as JSON is JSON") + "\n"
}
