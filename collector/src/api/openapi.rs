//! The description of the API, made of the routes and of the types that are sent (OpenAPI 3.1).
//!
//! Paths, parameters, kinds, problems and the block `meta` come from the code. The shapes of rows and of a whole
//! release stand in `schemas.json`, since those texts are written by hand to the byte; tests hold both to what
//! is sent.

use super::kind::Kind;
use super::meta::Meta;
use super::problem::{Document, SORTS};
use super::routes::{ROUTES, Route};
use super::v1;
use crate::format::json::LICENCE;
use phonehome_proto::vendor::Vendor;
use serde_json::{Value, json};
use std::sync::LazyLock;
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem, PathsBuilder,
};
use utoipa::openapi::{
    ComponentsBuilder, Content, HeaderBuilder, InfoBuilder, LicenseBuilder, ObjectBuilder,
    OpenApiBuilder, Ref, RefOr, Required, Response, ResponseBuilder, Schema, Type,
};
use utoipa::{PartialSchema, ToSchema};

/// The shapes of rows and of a whole release.
const SCHEMAS: &str = include_str!("schemas.json");

/// The description, as text.
pub(super) static TEXT: LazyLock<String> = LazyLock::new(|| {
    let text = serde_json::to_string_pretty(&*DOCUMENT);
    text.expect("texts and numbers") + "\n"
});

/// The description.
pub(super) static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

fn document() -> Value {
    let mut paths = PathsBuilder::new();
    for route in ROUTES {
        paths = paths.path(
            route.path,
            PathItem::new(HttpMethod::Get, operation(route, false)),
        );
        if route.has_endings() {
            let path = format!("{}.{{ending}}", route.path);
            paths = paths.path(path, PathItem::new(HttpMethod::Get, operation(route, true)));
        }
    }
    let mut schemas = Vec::new();
    Meta::schemas(&mut schemas);
    v1::MapEntry::schemas(&mut schemas);
    schemas.push(("Meta".to_owned(), Meta::schema()));
    schemas.push(("MapEntry".to_owned(), v1::MapEntry::schema()));
    schemas.push(("Problem".to_owned(), Document::schema()));
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .response("Problem", problem());
    let licence = LicenseBuilder::new()
        .name("CC BY 4.0 (the numbers)")
        .url(LICENCE.split(", ").nth(1));
    let info = InfoBuilder::new()
        .title("Phonehome")
        .version("1")
        .description(Some(
            "Which phone vendors ship data to which countries: the released numbers, and nothing else. Open \
             weeks are never shown. Reads need no key. What an answer is follows from the ending of its path, \
             else from `format`, else from the header Accept. A parameter that is not listed is refused.",
        ))
        .license(Some(licence.build()));
    let described = OpenApiBuilder::new()
        .info(info.build())
        .paths(paths.build())
        .components(Some(components.build()));
    let mut document = serde_json::to_value(described.build()).expect("texts and numbers");
    let by_hand: Value = serde_json::from_str(SCHEMAS).expect("a file of ours is JSON");
    let schemas = &mut document["components"]["schemas"];
    for (name, schema) in by_hand
        .as_object()
        .expect("an object")
        .iter()
        .chain(&answers())
    {
        schemas[name] = schema.clone();
    }
    document
}

/// The shapes of whole answers.
fn answers() -> serde_json::Map<String, Value> {
    let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let rows = |row: Value| {
        json!({
            "type": "object",
            "required": ["meta", "rows"],
            "properties": {
                "meta": reference("Meta"),
                "rows": {"type": "array", "items": row},
                "means_are": {"type": "string", "description": "What the means are, in words"},
                "means": {
                    "type": "array",
                    "description": "Of a range of weeks: the plain mean of the weekly shares, cell by cell",
                    "items": reference("MeanRow"),
                },
            },
        })
    };
    let matrix = json!({"anyOf": [reference("MatrixRow"), reference("HomeRow")]});
    let all = json!({
        "Description": {"type": "object"},
        "MatrixAnswer": rows(matrix),
        "EndpointsAnswer": rows(reference("EndpointRow")),
        "OperatorsAnswer": rows(reference("OperatorRow")),
        "MeanRow": {
            "type": "object",
            "required": ["vendor", "country", "weeks", "weeks_with_numbers", "mean_of_weekly_shares"],
            "properties": {
                "vendor": {"type": "string"},
                "endpoint": {"type": "string"},
                "country": {"type": "string"},
                "home_country": {"type": "string"},
                "weeks": {"type": "integer", "minimum": 1, "description": "Weeks of the range that have this row"},
                "weeks_with_numbers": {"type": "integer", "minimum": 0, "description": "Those the mean is over"},
                "mean_of_weekly_shares": {
                    "type": ["number", "null"], "minimum": 0, "maximum": 1,
                    "description": "Each week of equal weight; null where no week shows a number",
                },
            },
        },
        "Releases": {
            "type": "object",
            "required": ["meta", "next", "releases"],
            "properties": {
                "meta": {"anyOf": [reference("Meta"), {"type": "null"}]},
                "next": {"type": ["string", "null"], "description": "Where the list goes on"},
                "releases": {"type": "array", "items": reference("ReleaseFacts")},
            },
        },
        "ReleaseAnswer": {
            "type": "object",
            "required": ["meta"],
            "properties": {"meta": reference("Meta")},
            "allOf": [reference("Release")],
        },
        "Maps": {
            "type": "object",
            "required": ["meta", "maps"],
            "properties": {
                "meta": reference("Meta"),
                "maps": {"type": "array", "items": reference("MapEntry")},
            },
        },
    });
    match all {
        Value::Object(all) => all,
        _ => serde_json::Map::new(),
    }
}

fn operation(route: &Route, with_ending: bool) -> utoipa::openapi::path::Operation {
    let name = |text: &str| {
        let word = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        text.trim_matches('/').chars().map(word).collect::<String>()
    };
    let id = name(route.path)
        .replace("__", "_")
        .trim_end_matches('_')
        .to_owned();
    let mut operation = OperationBuilder::new().summary(Some(route.summary));
    operation = operation.operation_id(Some(if with_ending { id + "_as" } else { id }));
    for part in parts(route.path) {
        operation = operation.parameter(part_of(route, part));
    }
    if with_ending {
        let schema = one_of(route.kinds.iter().map(|kind| kind.ending()));
        operation = operation.parameter(in_path(
            ParameterBuilder::new(),
            "ending",
            "The kind of the answer",
            schema,
        ));
    }
    for name in route.parameters {
        operation = operation.parameter(in_query(route, name));
    }
    let mut ok = ResponseBuilder::new().description("OK");
    for (name, words) in HEADERS {
        let header = HeaderBuilder::new()
            .schema(Some(text()))
            .description(Some(*words));
        ok = ok.header(*name, header.build());
    }
    if route.path == "/releases/{id}/{file}" {
        ok = ok.content("*/*", Content::new(None::<RefOr<Schema>>));
    }
    for kind in route.kinds {
        let schema: RefOr<Schema> = match kind {
            Kind::Json => Ref::from_schema_name(route.schema).into(),
            Kind::GeoJson => ObjectBuilder::new().into(),
            _ => text(),
        };
        ok = ok.content(kind.essence(), Content::new(Some(schema)));
    }
    operation = operation
        .response("200", ok.build())
        .response("206", Response::new("The bytes that Range asked for"))
        .response("304", Response::new("The asker has it already"));
    for status in statuses() {
        let reference = Ref::from_response_name("Problem");
        operation = operation.response(status, RefOr::<Response>::Ref(reference));
    }
    operation.build()
}

/// Every status that a problem has, each once.
fn statuses() -> Vec<String> {
    let mut statuses: Vec<u16> = SORTS.iter().map(|sort| sort.status).collect();
    statuses.sort_unstable();
    statuses.dedup();
    statuses.iter().map(ToString::to_string).collect()
}

/// Headers of an answer.
const HEADERS: &[(&str, &str)] = &[
    ("ETag", "Strong: SHA-256 of the body"),
    ("Phonehome-Release", "The release an answer is from"),
    (
        "Phonehome-Purpose",
        "observatory, or exercise when the homes are synthetic",
    ),
    (
        "RateLimit-Policy",
        "How many requests one place may make, and in how many seconds",
    ),
    (
        "RateLimit",
        "How many are left, and in how many seconds all are again",
    ),
];

fn problem() -> Response {
    let schema: RefOr<Schema> = Ref::from_schema_name("Problem").into();
    ResponseBuilder::new()
        .description("A problem (RFC 9457)")
        .content("application/problem+json", Content::new(Some(schema)))
        .build()
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next())
}

/// An ISO week, and a release of one; only calendars know which years have a week 53.
const WEEK: &str = "2[01][0-9]{2}-W(0[1-9]|[1-4][0-9]|5[0-3])";

fn part_of(route: &Route, name: &str) -> Parameter {
    let (words, schema, example) = match (route.path, name) {
        ("/v1/releases/{id}", "id") => (
            "A release, or latest",
            pattern(&format!("^({WEEK}\\.[01]|latest)$")),
            "latest",
        ),
        (path, "id") if path.starts_with("/releases/") => (
            "A release",
            pattern(&format!("^{WEEK}\\.[01]$")),
            "2026-W46.0",
        ),
        (_, "id") => {
            let vendors = one_of(Vendor::all().map(Vendor::id));
            (
                "A vendor; may end in .csv, .json or .parquet",
                vendors,
                "xiaomi",
            )
        }
        (_, "code") => (
            "ISO 3166-1 alpha-2 in capitals, XK, anycast or unknown; may end in .csv, .json or .parquet",
            pattern("^([A-Z]{2}|anycast|unknown)(\\.(csv|json|parquet))?$"),
            "SG",
        ),
        (_, "map") => (
            "The name of a map, such as world-server, matrix-owner, xiaomi-server, home-DE; /v1/maps lists them. As a \
             picture it may end in .svg, .png or .pdf",
            pattern("^[A-Za-z-]+(\\.(svg|png|pdf))?$"),
            "world-server",
        ),
        _ => (
            "A file that SHA256SUMS lists",
            text(),
            "matrix-server.parquet",
        ),
    };
    let part = ParameterBuilder::new().example(Some(example.into()));
    in_path(part, name, words, schema)
}

fn in_path(part: ParameterBuilder, name: &str, words: &str, schema: RefOr<Schema>) -> Parameter {
    part.name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(words))
        .schema(Some(schema))
        .build()
}

fn in_query(route: &Route, name: &str) -> Parameter {
    let week_or_latest = || pattern(&format!("^({WEEK}|latest)$"));
    let (words, schema) = match name {
        "by" => (
            "Which matrix: by country of the server, of the network's operator, of the domain's owner, or of \
             server and home",
            one_of(["server", "network", "owner", "home"].into_iter()),
        ),
        "week" => (
            "A released ISO week, in its last revision; the newest if not given",
            week_or_latest(),
        ),
        "release" => (
            "A release by its name, whose answer never changes; not together with week or from",
            pattern(&format!("^({WEEK}\\.[01]|latest)$")),
        ),
        "from" => (
            "The first week of a range of at most 53; JSON and CSV only, not together with week or release",
            pattern(&format!("^{WEEK}$")),
        ),
        "to" => (
            "The last week of the range; the newest if not given",
            week_or_latest(),
        ),
        "format" => (
            "Which kind; must agree with the ending of the path, if that has one",
            one_of(route.kinds.iter().map(|kind| kind.ending())),
        ),
        "vendor" => {
            let vendors = one_of(Vendor::all().map(Vendor::id));
            ("A vendor; all of them if not given", vendors)
        }
        "limit" => ("At most so many", number(1, 500)),
        "cursor" => (
            "Where a list goes on: `next` of the answer before, as it is",
            pattern("^[0-9a-f]+$"),
        ),
        "width" => ("Pixels across, of a PNG", number(16, 4_096)),
        _ => ("", text()),
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(words))
        .schema(Some(schema))
        .build()
}

fn text() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).into()
}

fn pattern(pattern: &str) -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(Type::String);
    text.pattern(Some(pattern)).into()
}

fn one_of<'a>(words: impl Iterator<Item = &'a str>) -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(Type::String);
    text.enum_values(Some(words.collect::<Vec<_>>())).into()
}

fn number(least: u32, most: u32) -> RefOr<Schema> {
    let number = ObjectBuilder::new().schema_type(Type::Integer);
    number.minimum(Some(least)).maximum(Some(most)).into()
}
