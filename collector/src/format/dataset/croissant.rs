//! `dataset.jsonld`: schema.org's Dataset and Croissant 1.1 in one, which catalogues and search engines read.
//!
//! Addresses are relative to the file: nobody knows here where the folder will lie.

use super::frictionless::pretty;
use super::{
    CREATOR, ColumnKind, Dataset, KEYWORDS, LICENCE_URL, Resource, columns, key, title_of,
};
use crate::format::table::TableName;
use serde_json::{Value, json};

pub(super) fn write(dataset: &Dataset<'_>) -> String {
    let sources = dataset.sources().iter().map(|source| {
        json!({
            "@type": "sc:Dataset",
            "name": source.name,
            "version": source.build,
            "description": format!("{} ({}): {}", source.name, source.build, source.licence),
        })
    });
    let tables = dataset
        .tables()
        .map(|(file, table)| record_set(file, table));
    let graph = json!({
        "@context": context(),
        "@type": "sc:Dataset",
        "@id": dataset.id,
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": dataset.title,
        "description": dataset.description,
        "license": LICENCE_URL,
        "url": "index.html",
        "version": dataset.version,
        "datePublished": dataset.closed,
        "temporalCoverage": dataset.period.join("/"),
        "keywords": KEYWORDS,
        "inLanguage": "en",
        "isAccessibleForFree": true,
        "creator": { "@type": "sc:Organization", "name": CREATOR },
        "publisher": { "@type": "sc:Organization", "name": CREATOR },
        "citeAs": dataset.citation,
        "isBasedOn": sources.collect::<Vec<_>>(),
        "distribution": dataset.resources.iter().map(file_object).collect::<Vec<_>>(),
        "recordSet": tables.collect::<Vec<_>>(),
    });
    pretty(&graph)
}

fn file_object(file: &Resource) -> Value {
    json!({
        "@type": "cr:FileObject",
        "@id": file.id(),
        "name": file.id(),
        "description": file.title,
        "contentUrl": file.name,
        "contentSize": format!("{} B", file.bytes),
        "encodingFormat": file.media_type,
        "sha256": file.sha256,
    })
}

fn record_set(file: &Resource, table: TableName) -> Value {
    let id = table.file_stem();
    let fields = columns(table).into_iter().map(|column| {
        let kind = match column.kind {
            ColumnKind::Text => "sc:Text",
            ColumnKind::Count => "sc:Integer",
            ColumnKind::Share => "sc:Float",
        };
        json!({
            "@type": "cr:Field",
            "@id": format!("{id}/{}", column.name),
            "name": format!("{id}/{}", column.name),
            "description": column.title,
            "dataType": kind,
            "source": { "fileObject": { "@id": file.id() }, "extract": { "column": column.name } },
        })
    });
    let key = key(table).iter();
    let key = key.map(|column| json!({ "@id": format!("{id}/{column}") }));
    json!({
        "@type": "cr:RecordSet",
        "@id": id,
        "name": id,
        "description": title_of(table),
        "key": key.collect::<Vec<_>>(),
        "field": fields.collect::<Vec<_>>(),
    })
}

/// The context that Croissant prescribes.
fn context() -> Value {
    json!({
        "@language": "en",
        "@vocab": "https://schema.org/",
        "sc": "https://schema.org/",
        "cr": "http://mlcommons.org/croissant/",
        "rai": "http://mlcommons.org/croissant/RAI/",
        "dct": "http://purl.org/dc/terms/",
        "citeAs": "cr:citeAs",
        "column": "cr:column",
        "conformsTo": "dct:conformsTo",
        "data": { "@id": "cr:data", "@type": "@json" },
        "dataType": { "@id": "cr:dataType", "@type": "@vocab" },
        "equivalentProperty": "cr:equivalentProperty",
        "examples": { "@id": "cr:examples", "@type": "@json" },
        "extract": "cr:extract",
        "field": "cr:field",
        "fileProperty": "cr:fileProperty",
        "fileObject": "cr:fileObject",
        "fileSet": "cr:fileSet",
        "format": "cr:format",
        "includes": "cr:includes",
        "isLiveDataset": "cr:isLiveDataset",
        "jsonPath": "cr:jsonPath",
        "key": "cr:key",
        "md5": "cr:md5",
        "parentField": "cr:parentField",
        "path": "cr:path",
        "recordSet": "cr:recordSet",
        "references": "cr:references",
        "regex": "cr:regex",
        "repeated": "cr:repeated",
        "replace": "cr:replace",
        "samplingRate": "cr:samplingRate",
        "separator": "cr:separator",
        "source": "cr:source",
        "subField": "cr:subField",
        "transform": "cr:transform",
    })
}
