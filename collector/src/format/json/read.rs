//! Reading a release back from its JSON.

use super::revision;
use crate::format::table::{HOME_OTHER, TableName};
use crate::release::{
    AtlasSource, BasisPoints, Cell, Column, HomeTable, Matrix, NetworkOperator, Numbers,
    OPERATORS_MAX, PlaceStatus, RegistryAnswers, Release,
};
use phonehome_proto::endpoint::EndpointId;
use phonehome_proto::manifest::Purpose;
use phonehome_proto::net::Country;
use phonehome_proto::time::Timestamp;
use phonehome_proto::vendor::Vendor;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// A text that is no release in JSON.
#[derive(Debug, Error)]
pub enum NotARelease {
    /// Not JSON, or a key is missing or of another kind.
    #[error("not a release in JSON: {0}")]
    Form(#[from] serde_json::Error),
    /// A value that no release has.
    #[error("a release cannot say {key} '{value}'")]
    Value {
        /// Where it stands.
        key: &'static str,
        /// What it says.
        value: String,
    },
}

/// The keys that make a release; all others are words for readers.
#[derive(Deserialize)]
struct Written {
    id: String,
    closed_at_seconds: i64,
    purpose: String,
    homes: Option<u32>,
    networks: Option<u32>,
    k: u32,
    network_homes_max: u32,
    rounding: u32,
    refutation_homes_min: u32,
    method: u32,
    atlas: Vec<WrittenSource>,
    registrants: Option<serde_json::Value>,
    revised: Option<revision::Written>,
    /// Releases that were made before operators were named have none.
    #[serde(default)]
    operators: Vec<WrittenOperator>,
    tables: BTreeMap<String, Vec<WrittenRow>>,
}

#[derive(Deserialize)]
struct WrittenSource {
    name: String,
    build: String,
    licence: String,
}

#[derive(Deserialize)]
struct WrittenOperator {
    vendor: String,
    operator: String,
    country: String,
}

#[derive(Deserialize)]
pub(super) struct WrittenRow {
    vendor: String,
    endpoint: Option<String>,
    country: String,
    home_country: Option<String>,
    state: String,
    share: Option<f64>,
    share_low: Option<f64>,
    share_high: Option<f64>,
    x_low: Option<u32>,
    x_high: Option<u32>,
    n: Option<u32>,
    networks: Option<u32>,
    radius: Option<u32>,
    place_status: Option<String>,
}

/// The release a JSON text holds: equal to the one that was written.
///
/// # Errors
/// [`NotARelease`], with the first key that does not fit.
pub fn from_json(text: &str) -> Result<Release, NotARelease> {
    let written: Written = serde_json::from_str(text)?;
    let rows = |name: TableName| {
        let rows = written.tables.get(name.file_stem());
        rows.ok_or_else(|| refuse("tables", name.file_stem()))
    };
    let mut endpoints = BTreeMap::new();
    for row in rows(TableName::Endpoints)? {
        endpoints.insert(
            (vendor(&row.vendor)?, endpoint(row.endpoint.as_deref())?),
            cell(row)?,
        );
    }
    Ok(Release {
        id: written.id.parse().map_err(|_| refuse("id", &written.id))?,
        closed_at: Timestamp::from_seconds(written.closed_at_seconds),
        purpose: [Purpose::Observatory, Purpose::Exercise]
            .into_iter()
            .find(|purpose| purpose.as_str() == written.purpose)
            .ok_or_else(|| refuse("purpose", &written.purpose))?,
        k: written.k,
        network_homes_max: written.network_homes_max,
        rounding: written.rounding,
        refutation_homes_min: written.refutation_homes_min,
        method: written.method,
        server: matrix(rows(TableName::Server)?)?,
        network: matrix(rows(TableName::Network)?)?,
        operators: operators(&written.operators)?,
        owner: matrix(rows(TableName::Owner)?)?,
        home: home_table(rows(TableName::Home)?)?,
        endpoints,
        registrants: written.registrants.map_or_else(
            || Ok(RegistryAnswers::default()),
            |answers| registrants(&answers),
        )?,
        revision: written.revised.map(revision::Written::read).transpose()?,
        homes: written.homes,
        networks: written.networks,
        atlas: written
            .atlas
            .into_iter()
            .map(
                |WrittenSource {
                     name,
                     build,
                     licence,
                 }| AtlasSource {
                    name,
                    build,
                    licence,
                },
            )
            .collect(),
    })
}

fn refuse(key: &'static str, value: &str) -> NotARelease {
    NotARelease::Value {
        key,
        value: value.to_owned(),
    }
}

pub(super) fn matrix(rows: &[WrittenRow]) -> Result<Matrix, NotARelease> {
    rows.iter()
        .map(|row| Ok(((vendor(&row.vendor)?, column(&row.country)?), cell(row)?)))
        .collect()
}

pub(super) fn home_table(rows: &[WrittenRow]) -> Result<HomeTable, NotARelease> {
    let key = |row: &WrittenRow| {
        let home = match row.home_country.as_deref() {
            Some(HOME_OTHER) => None,
            Some(code) => Some(country(code)?),
            None => return Err(refuse("home_country", "null")),
        };
        Ok((vendor(&row.vendor)?, column(&row.country)?, home))
    };
    rows.iter().map(|row| Ok((key(row)?, cell(row)?))).collect()
}

/// At most as many of each vendor as there can be.
fn operators(rows: &[WrittenOperator]) -> Result<BTreeSet<(Vendor, NetworkOperator)>, NotARelease> {
    let mut operators = BTreeSet::new();
    let mut of_vendor: BTreeMap<Vendor, usize> = BTreeMap::new();
    for row in rows {
        let vendor = vendor(&row.vendor)?;
        let operator = NetworkOperator {
            name: row.operator.clone(),
            country: country(&row.country)?,
        };
        let many = of_vendor.entry(vendor).or_default();
        *many += 1;
        if operator.name.is_empty() || *many > OPERATORS_MAX {
            return Err(refuse("operator", &row.operator));
        }
        operators.insert((vendor, operator));
    }
    Ok(operators)
}

fn registrants(written: &serde_json::Value) -> Result<RegistryAnswers, NotARelease> {
    RegistryAnswers::read(&written.to_string())
        .map_err(|refused| refuse("registrants", &refused.to_string()))
}

fn vendor(id: &str) -> Result<Vendor, NotARelease> {
    Vendor::from_id(id).ok_or_else(|| refuse("vendor", id))
}

fn country(code: &str) -> Result<Country, NotARelease> {
    Country::parse(code).ok_or_else(|| refuse("country", code))
}

fn column(code: &str) -> Result<Column, NotARelease> {
    match code {
        "anycast" => Ok(Column::Anycast),
        "unknown" => Ok(Column::Unknown),
        code => country(code).map(Column::Country),
    }
}

fn endpoint(pattern: Option<&str>) -> Result<EndpointId, NotARelease> {
    let pattern = pattern.unwrap_or("null");
    EndpointId::all()
        .find(|endpoint| endpoint.pattern() == pattern)
        .ok_or_else(|| refuse("endpoint", pattern))
}

fn cell(row: &WrittenRow) -> Result<Cell, NotARelease> {
    match row.state.as_str() {
        "value" => numbers(row).map(Cell::Value),
        "zero" => numbers(row).map(Cell::Zero),
        "imprecise" => numbers(row).map(Cell::Imprecise),
        "suppressed" => Ok(Cell::Suppressed),
        "no_data" => Ok(Cell::NoData),
        "not_applicable" => Ok(Cell::NotApplicable),
        other => Err(refuse("state", other)),
    }
}

fn numbers(row: &WrittenRow) -> Result<Numbers, NotARelease> {
    let count = |key, value: Option<u32>| value.ok_or_else(|| refuse(key, "null"));
    let statuses = [
        PlaceStatus::Confident,
        PlaceStatus::Single,
        PlaceStatus::Disputed,
        PlaceStatus::Anycast,
        PlaceStatus::Unknown,
    ];
    let status = row.place_status.as_deref().unwrap_or("null");
    Ok(Numbers {
        share: share("share", row.share)?,
        share_low: share("share_low", row.share_low)?,
        share_high: share("share_high", row.share_high)?,
        x_low: count("x_low", row.x_low)?,
        x_high: count("x_high", row.x_high)?,
        n: count("n", row.n)?,
        networks: count("networks", row.networks)?,
        radius: count("radius", row.radius)?,
        place_status: statuses
            .into_iter()
            .find(|known| known.as_str() == status)
            .ok_or_else(|| refuse("place_status", status))?,
    })
}

fn share(key: &'static str, value: Option<f64>) -> Result<BasisPoints, NotARelease> {
    let value = value.ok_or_else(|| refuse(key, "null"))?;
    BasisPoints::read(value).ok_or_else(|| refuse(key, &value.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::to_json;
    use super::*;
    use crate::format::fixture;

    #[test]
    fn a_release_comes_back_whole() {
        let mut release = fixture::release();
        assert_eq!(from_json(&to_json(&release)).expect("as written"), release);
        release.homes = None;
        release.networks = None;
        release.atlas[0].name = "\"quoted\", <tagged>, ünïcode\n".to_owned();
        release.purpose = Purpose::Observatory;
        assert_eq!(from_json(&to_json(&release)).expect("as written"), release);
        let answers = r#"{"date": "2027-01-02", "domains": [{"domain": "miui.com", "registrant_country":
            "redacted", "organisation": "\"X\"", "source": "https://rdap.example/", "date": "2027-01-02"}]}"#;
        release.registrants = RegistryAnswers::read(answers).expect("answers");
        assert_eq!(from_json(&to_json(&release)).expect("as written"), release);
        let damaged = to_json(&release).replace("redacted", "nowhere");
        assert!(from_json(&damaged).is_err());
    }

    #[test]
    fn every_share_comes_back() {
        for points in 0..=10_000u16 {
            let written = serde_json::to_string(&(f64::from(points) / 10_000.0)).expect("a number");
            let read: f64 = serde_json::from_str(&written).expect("as written");
            assert_eq!(
                share("share", Some(read)).expect("in range"),
                BasisPoints(points)
            );
        }
        assert!(share("share", Some(1.0001)).is_err() && share("share", Some(f64::NAN)).is_err());
    }

    #[test]
    fn what_no_release_says_is_refused_by_name() {
        let good = to_json(&fixture::release());
        for (from, to, complaint) in [
            ("\"xiaomi\"", "\"nokia\"", "vendor 'nokia'"),
            ("\"state\":\"zero\"", "\"state\":\"null\"", "state 'null'"),
            (
                "\"place_status\":\"single\"",
                "\"place_status\":null",
                "place_status 'null'",
            ),
            (
                "\"purpose\": \"exercise\"",
                "\"purpose\": \"fun\"",
                "purpose 'fun'",
            ),
            (
                "\"matrix-owner\"",
                "\"matrix-over\"",
                "tables 'matrix-owner'",
            ),
            ("2026-W46.0", "2026-W60.0", "id '2026-W60.0'"),
            ("\"Kingsoft Cloud\"", "\"\"", "operator ''"),
            (
                "\"operator\":\"Kingsoft Cloud\",\"country\":\"CN\"",
                "\"operator\":\"Kingsoft Cloud\",\"country\":\"anycast\"",
                "country 'anycast'",
            ),
        ] {
            let bad = good.replacen(from, to, usize::MAX);
            let error = from_json(&bad).expect_err(from).to_string();
            assert!(error.contains(complaint), "{error}");
        }
        assert!(from_json("{}").is_err() && from_json("").is_err());
    }
}
