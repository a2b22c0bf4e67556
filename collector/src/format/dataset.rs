//! What a release is, said once: the facts that every description of it is made of.
//!
//! Takes a release and the files made of it; gives a `Dataset`, from which the modules below write what
//! readers and catalogues ask for. They say the same because none of them knows anything else: titles,
//! dates, licence and sources stand here, sums and sizes come from the files' own bytes. No clock, no
//! address of any host: a release may lie anywhere.

mod citation;
mod croissant;
mod frictionless;
mod text;

use super::json;
use super::table::{CELL_COLUMNS, TableName};
use crate::map::words;
use crate::release::{AtlasSource, Release};
use phonehome_proto::id::Hash;

/// A file's name and bytes.
pub type File = (String, Vec<u8>);

/// The facts.
#[derive(Debug)]
struct Dataset<'a> {
    release: &'a Release,
    /// `phonehome-2026-w46-0`.
    id: String,
    title: String,
    description: String,
    /// Year, week and revision: `2026.46.0`.
    version: String,
    /// First and last day.
    period: [String; 2],
    /// The day the week closed.
    closed: String,
    /// How to cite it.
    citation: String,
    resources: Vec<Resource>,
}

/// One file of it.
#[derive(Debug)]
struct Resource {
    name: String,
    title: String,
    media_type: &'static str,
    bytes: usize,
    sha256: String,
    /// The table in it, if it is one in rows and columns.
    table: Option<TableName>,
}

/// A column, as every description of it says.
struct Column {
    name: &'static str,
    kind: ColumnKind,
    title: &'static str,
    /// Whether rows may have nothing here.
    is_optional: bool,
}

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ColumnKind {
    Text,
    Count,
    Share,
}

/// The short name of the licence of the numbers, and where it stands.
const LICENCE_ID: &str = "CC-BY-4.0";
const LICENCE_TITLE: &str = "Creative Commons Attribution 4.0 International";
const LICENCE_URL: &str = "https://creativecommons.org/licenses/by/4.0/";

/// Who stands behind the numbers.
const CREATOR: &str = "Phonehome";

const KEYWORDS: [&str; 5] = ["phones", "privacy", "telemetry", "data flows", "countries"];

/// The descriptions of a release whose other files these are: for readers, for programs and for whoever
/// cites it. The same release and files give the same bytes.
#[must_use]
pub fn describe(release: &Release, files: &[File]) -> Vec<File> {
    let dataset = Dataset::of(release, files);
    [
        ("CITATION.cff", citation::write(&dataset)),
        ("METHOD.md", text::method(&dataset)),
        ("README.md", text::readme(&dataset)),
        ("datapackage.json", frictionless::write(&dataset)),
        ("dataset.jsonld", croissant::write(&dataset)),
    ]
    .map(|(name, text)| (name.to_owned(), text.into_bytes()))
    .into()
}

impl<'a> Dataset<'a> {
    fn of(release: &'a Release, files: &[File]) -> Self {
        let week = release.id.week;
        let (year, number) = week.year_and_number();
        let exercise = words::of_exercise(release);
        let mark = exercise.map_or_else(String::new, |words| format!(" ({words})"));
        let mut resources: Vec<Resource> = files.iter().filter_map(Resource::of).collect();
        resources.sort_by(|one, other| one.name.cmp(&other.name));
        Self {
            release,
            id: format!("phonehome-{}", release.id.to_string().replace('.', "-")).to_lowercase(),
            title: format!(
                "Phonehome release {}: which phone vendors ship data to which countries{mark}",
                release.id
            ),
            description: format!(
                "For each phone vendor and country: the share of homes with a phone of the vendor in which \
                 that phone was seen contacting a server there, with its interval, in ISO week {}. From \
                 {}. {} {}",
                words::of_week(release),
                words::of_homes(release),
                words::of_gate(release),
                words::of_sample(release)
            ),
            version: format!("{year}.{number}.{}", release.id.revision),
            period: [week.monday(), week.next().monday().previous()].map(|day| day.to_string()),
            closed: words::of_closing(release),
            citation: json::citation(release),
            resources,
        }
    }

    /// Tables of others that the numbers rest on.
    fn sources(&self) -> &[AtlasSource] {
        &self.release.atlas
    }

    /// The resources that are tables in CSV.
    fn tables(&self) -> impl Iterator<Item = (&Resource, TableName)> {
        let csv = self.resources.iter().filter(|file| file.media_type == CSV);
        csv.filter_map(|file| Some((file, file.table?)))
    }
}

const CSV: &str = "text/csv";

impl Resource {
    /// `None` for what is no data: pages and keys.
    fn of((name, bytes): &File) -> Option<Self> {
        let (stem, ending) = name.rsplit_once('.')?;
        let table = TableName::ALL
            .into_iter()
            .find(|table| table.file_stem() == stem);
        let (media_type, form) = match ending {
            "csv" => (CSV, "CSV"),
            "json" => ("application/json", "JSON"),
            "geojson" => ("application/geo+json", "GeoJSON"),
            "parquet" => ("application/vnd.apache.parquet", "Parquet"),
            "svg" => ("image/svg+xml", "SVG"),
            "png" => ("image/png", "PNG"),
            "pdf" => ("application/pdf", "PDF"),
            _ => return None,
        };
        let title = match (table, stem) {
            (Some(table), _) => format!("{}, {form}", title_of(table)),
            (None, "release") => "Everything the release says, JSON".to_owned(),
            (None, "map") => format!("Map by country of the server, {form}"),
            (None, "map-network") => format!("Map by country of the network's operator, {form}"),
            (None, "map-owner") => format!("Map by country of the domain's owner, {form}"),
            (None, _) => format!("{stem}, {form}"),
        };
        Some(Self {
            name: name.clone(),
            title,
            media_type,
            bytes: bytes.len(),
            sha256: Hash::of(bytes).to_hex(),
            table,
        })
    }

    /// A name that is an identifier everywhere: `matrix-server-csv`.
    fn id(&self) -> String {
        self.name.replace('.', "-")
    }
}

const fn title_of(table: TableName) -> &'static str {
    match table {
        TableName::Server => "Vendor by country of the server",
        TableName::Network => "Vendor by country of the network's operator",
        TableName::Owner => "Vendor by country of the domain's owner",
        TableName::Home => "Vendor by country of the server by country of the home",
        TableName::Endpoints => "Vendor by listed endpoint",
    }
}

/// The columns of a table, in their order.
fn columns(table: TableName) -> Vec<Column> {
    let between: &[&'static str] = match table {
        TableName::Server | TableName::Network | TableName::Owner => &["country"],
        TableName::Home => &["country", "home_country"],
        TableName::Endpoints => &["endpoint", "country"],
    };
    ["week", "vendor"]
        .iter()
        .chain(between)
        .chain(&CELL_COLUMNS)
        .map(|name| column(name))
        .collect()
}

/// The columns of which a row's key is made.
fn key(table: TableName) -> &'static [&'static str] {
    match table {
        TableName::Server | TableName::Network | TableName::Owner => &["week", "vendor", "country"],
        TableName::Home => &["week", "vendor", "country", "home_country"],
        TableName::Endpoints => &["week", "vendor", "endpoint"],
    }
}

/// The states of a cell.
const STATES: [&str; 6] = [
    "value",
    "zero",
    "imprecise",
    "suppressed",
    "no_data",
    "not_applicable",
];

fn column(name: &'static str) -> Column {
    use ColumnKind::{Count, Share, Text};
    let (kind, title) = match name {
        "week" => (Text, "ISO week"),
        "vendor" => (Text, "Phone vendor"),
        "country" => (
            Text,
            "ISO 3166-1 alpha-2 or XK; anycast: from many places at once; unknown: in no table",
        ),
        "home_country" => (Text, "Country of the homes, or other"),
        "endpoint" => (Text, "Endpoint of the public list"),
        "state" => (
            Text,
            "Which of six states the cell is in; only value, zero and imprecise have numbers",
        ),
        "share" => (
            Share,
            "Share of the homes asked, midway between x_low / n and x_high / n",
        ),
        "share_low" => (Share, "Lower limit of the 95 % interval"),
        "share_high" => (Share, "Upper limit of the 95 % interval"),
        "x_low" => (Count, "Homes in which it was certainly so, rounded"),
        "x_high" => (Count, "Homes in which it was possibly so, rounded"),
        "n" => (Count, "Homes asked, rounded"),
        "networks" => (Count, "At least so many networks stand behind the cell"),
        "radius" => (
            Count,
            "At least so many homes would have to lie for the cell to vanish",
        ),
        "place_status" => (Text, "How the places behind the cell are known"),
        _ => (Text, name),
    };
    let at = CELL_COLUMNS.iter().position(|column| *column == name);
    Column {
        name,
        kind,
        title,
        is_optional: at.is_some_and(|at| at > 0),
    }
}

#[cfg(test)]
mod tests;
