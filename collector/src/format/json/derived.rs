//! What is worked out of a release's shown cells, as JSON beside its tables.
//!
//! It stands here for readers who would have to do the arithmetic; whoever reads a release back works
//! it out again. Rates and shares are numbers between 0 and 1, like in the tables.

use crate::release::belonging::{self, HOMES_MIN, Hundredths, NETWORKS_MIN, Q_MAX, Z_MIN};
use crate::release::composition;
use crate::release::weighted::{self, EFFECTIVE_HOMES_MIN, Shipments, Weighted, WeightedNumbers};
use crate::release::{BasisPoints, Release};
use phonehome_proto::vendor::Vendor;
use serde::Serialize;

/// Homes of one vendor in one home country.
#[derive(Serialize)]
struct Part {
    vendor: &'static str,
    home_country: String,
    n: u32,
}

/// An endpoint tested for one vendor.
#[derive(Serialize)]
struct Tested {
    vendor: &'static str,
    endpoint: &'static str,
    class: &'static str,
    owner: &'static str,
    x: u32,
    n: u32,
    others_x: u32,
    others_n: u32,
    others: Vec<&'static str>,
    z: f64,
    q: f64,
    belongs: bool,
}

/// A country in the weighted column.
#[derive(Serialize)]
struct Row {
    country: String,
    state: &'static str,
    #[serde(flatten)]
    numbers: Option<RowNumbers>,
}

#[derive(Serialize)]
struct RowNumbers {
    share: f64,
    share_low: f64,
    share_high: f64,
    standard_error: f64,
    unweighted: f64,
    homes: u32,
    effective_homes: u32,
    design_effect: f64,
    coverage: f64,
    moved: f64,
    vendors: Vec<&'static str>,
}

/// Appends the keys `composition`, `belonging` and `weighted` to an object that is open.
pub(super) fn push(out: &mut String, release: &Release) {
    out.push_str(",\n\"composition\": ");
    list(out, parts(release));
    out.push_str(&format!(
        ",\n\"belonging\": {{\n\"rule\": {},\n\"tested\": ",
        super::text(&format!(
            "belongs: z at least {Z_MIN} and q at most {Q_MAX}; tested: at least {HOMES_MIN} homes in at \
             least {NETWORKS_MIN} networks, Android vendors against all other Android vendors whose \
             cell for the endpoint is shown"
        ))
    ));
    list(out, tested(release));
    let shipments = Shipments::embedded();
    let facts = [
        ("label", "of observed devices, weighted to shipments"),
        ("period", shipments.period()),
        ("source", shipments.source()),
        ("date", shipments.date()),
    ];
    out.push_str("\n},\n\"weighted\": {\n");
    for (key, value) in facts {
        out.push_str(&format!("\"{key}\": {},\n", super::text(&value)));
    }
    out.push_str(&format!(
        "\"effective_homes_min\": {EFFECTIVE_HOMES_MIN},\n\"countries\": "
    ));
    list(out, rows(release, shipments));
    out.push_str("\n}");
}

/// An array, one element a line.
fn list<T: Serialize>(out: &mut String, elements: impl Iterator<Item = T>) {
    let lines: Vec<String> = elements.map(|element| super::text(&element)).collect();
    if lines.is_empty() {
        out.push_str("[]");
    } else {
        out.push_str(&format!("[\n{}\n]", lines.join(",\n")));
    }
}

fn parts(release: &Release) -> impl Iterator<Item = Part> {
    let of_vendor = |(vendor, composition): (Vendor, composition::Composition)| {
        composition.parts.into_iter().map(move |(country, n)| Part {
            vendor: vendor.id(),
            home_country: country.map_or_else(
                || super::HOME_OTHER.to_owned(),
                |country| country.as_str().to_owned(),
            ),
            n,
        })
    };
    composition::compositions(release)
        .into_iter()
        .flat_map(of_vendor)
}

fn tested(release: &Release) -> impl Iterator<Item = Tested> {
    let tested = belonging::belongings(release).into_iter();
    tested.map(|((vendor, endpoint), found)| Tested {
        vendor: vendor.id(),
        endpoint: endpoint.pattern(),
        class: endpoint.class().as_str(),
        owner: endpoint.owner_name(),
        x: found.x,
        n: found.n,
        others_x: found.others_x,
        others_n: found.others_n,
        others: ids(&found.others),
        z: hundredths(found.z),
        q: share(found.q),
        belongs: found.holds(),
    })
}

fn rows(release: &Release, shipments: &Shipments) -> impl Iterator<Item = Row> {
    let cells = weighted::weighted(release, shipments).into_iter();
    cells.map(|(column, cell)| Row {
        country: column.code().to_owned(),
        state: match cell {
            Weighted::Shown(_) => "value",
            Weighted::Suppressed => "suppressed",
        },
        numbers: match cell {
            Weighted::Shown(numbers) => Some(RowNumbers::of(&numbers)),
            Weighted::Suppressed => None,
        },
    })
}

impl RowNumbers {
    fn of(numbers: &WeightedNumbers) -> Self {
        Self {
            share: share(numbers.share),
            share_low: share(numbers.share_low),
            share_high: share(numbers.share_high),
            standard_error: share(numbers.standard_error),
            unweighted: share(numbers.unweighted),
            homes: numbers.homes,
            effective_homes: numbers.effective_homes,
            design_effect: hundredths(numbers.design_effect),
            coverage: share(numbers.coverage),
            moved: share(numbers.moved),
            vendors: ids(&numbers.vendors),
        }
    }
}

fn ids(vendors: &[Vendor]) -> Vec<&'static str> {
    vendors.iter().map(|vendor| vendor.id()).collect()
}

/// Shortest decimals that read back the same, as in the tables.
fn share(points: BasisPoints) -> f64 {
    f64::from(points.0) / 10_000.0
}

fn hundredths(value: Hundredths) -> f64 {
    f64::from(value.0) / 100.0
}

#[cfg(test)]
mod tests {
    use super::super::{from_json, to_json};
    use crate::format::fixture;
    use serde_json::Value;

    #[test]
    fn what_is_worked_out_stands_beside_the_tables() {
        let release = fixture::release();
        let text = to_json(&release);
        assert_eq!(from_json(&text).expect("as written"), release);
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["composition"][0]["vendor"], "xiaomi");
        assert_eq!(value["composition"][0]["n"], 30);
        let tested = value["belonging"]["tested"].as_array().expect("a list");
        let said: Vec<String> = tested
            .iter()
            .map(|row| {
                let text = |key: &str| row[key].to_string().replace('"', "");
                format!(
                    "{} {} {}",
                    text("vendor"),
                    text("endpoint"),
                    text("belongs")
                )
            })
            .collect();
        assert_eq!(
            said,
            [
                "samsung connect.rom.miui.com false",
                "samsung play.googleapis.com false",
                "samsung graph.facebook.com false",
                "huawei connect.rom.miui.com false",
                "huawei play.googleapis.com false",
                "xiaomi sa.api.intl.miui.com true",
                "xiaomi data.mistat.rus.xiaomi.com true",
                "xiaomi connect.rom.miui.com true",
                "xiaomi play.googleapis.com false",
                "xiaomi graph.facebook.com false",
            ]
        );
        assert_eq!(value["weighted"]["period"], "2020-Q1");
        let countries = value["weighted"]["countries"].as_array().expect("a list");
        let singapore = countries.iter().find(|row| row["country"] == "SG");
        let singapore = singapore.expect("a row");
        assert_eq!(singapore["state"], "value");
        assert!(singapore["effective_homes"].as_u64() >= Some(30));
        // A suppressed one has no numbers, not even empty ones.
        for row in countries.iter().filter(|row| row["state"] == "suppressed") {
            assert_eq!(row.as_object().expect("an object").len(), 2);
        }
    }

    #[test]
    fn endpoints_say_their_class_and_owner() {
        let value: Value = serde_json::from_str(&to_json(&fixture::release())).expect("JSON");
        for row in value["tables"]["endpoints"].as_array().expect("rows") {
            assert!(
                row["class"].is_string() && row["owner"].is_string(),
                "{row}"
            );
        }
        assert!(value["tables"]["matrix-server"][0].get("class").is_none());
    }
}
