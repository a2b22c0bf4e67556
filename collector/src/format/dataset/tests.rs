use super::*;
use crate::format::csv;
use crate::format::fixture;
use crate::format::table::Table;
use serde_json::Value;

fn files(release: &Release) -> Vec<File> {
    let tables = TableName::ALL.map(|name| {
        let text = csv::write(&Table::of(release, name));
        (format!("{}.csv", name.file_stem()), text.into_bytes())
    });
    let others = [("index.html", "page"), ("map.svg", "<svg/>")];
    let others = others.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
    tables.into_iter().chain(others).collect()
}

fn described(name: &str) -> String {
    let release = fixture::release();
    let description = describe(&release, &files(&release));
    let (_, bytes) = description
        .into_iter()
        .find(|(of, _)| of == name)
        .expect(name);
    String::from_utf8(bytes).expect("text")
}

fn json(name: &str) -> Value {
    serde_json::from_str(&described(name)).expect("JSON")
}

#[test]
fn the_same_release_is_described_in_the_same_words() {
    let release = fixture::release();
    let files = files(&release);
    let description = describe(&release, &files);
    assert_eq!(description, describe(&release.clone(), &files));
    assert!(description.is_sorted());
    for (name, bytes) in description {
        let text = String::from_utf8(bytes).expect("text");
        assert!(text.contains("SYNTHETIC HOMES"), "{name} marks an exercise");
        assert!(text.contains("2026-W46"), "{name} names its week");
    }
}

#[test]
fn a_package_has_the_columns_that_the_tables_have() {
    let release = fixture::release();
    let package = json("datapackage.json");
    let resources = package["resources"].as_array().expect("a list");
    assert_eq!(
        resources.len(),
        TableName::ALL.len() + 1,
        "pages are no data"
    );
    for name in TableName::ALL {
        let path = format!("{}.csv", name.file_stem());
        let resource = resources
            .iter()
            .find(|of| of["path"] == *path)
            .expect("a table");
        let fields = resource["schema"]["fields"].as_array().expect("a list");
        let fields: Vec<_> = fields.iter().map(|field| &field["name"]).collect();
        let table = Table::of(&release, name);
        assert_eq!(fields, table.columns);
        let text = csv::write(&table);
        assert_eq!(resource["bytes"], text.len());
        let sum = Hash::of(text.as_bytes()).to_hex();
        assert_eq!(resource["hash"], format!("sha256:{sum}"));
    }
}

#[test]
fn the_key_of_a_table_is_one() {
    let release = fixture::release();
    for name in TableName::ALL {
        let table = Table::of(&release, name);
        let at: Vec<usize> = key(name)
            .iter()
            .map(|key| {
                table
                    .columns
                    .iter()
                    .position(|column| column == key)
                    .expect("a column")
            })
            .collect();
        let keys: std::collections::BTreeSet<String> = table
            .rows
            .iter()
            .map(|row| format!("{:?}", at.iter().map(|&at| &row[at]).collect::<Vec<_>>()))
            .collect();
        assert_eq!(keys.len(), table.rows.len(), "{name:?}");
    }
}

#[test]
fn every_source_is_named_with_its_licence_everywhere() {
    let release = fixture::release();
    for name in [
        "README.md",
        "CITATION.cff",
        "datapackage.json",
        "dataset.jsonld",
    ] {
        let text = described(name);
        for source in &release.atlas {
            assert!(
                text.contains(&source.name) && text.contains(&source.licence),
                "{name}: {source:?}"
            );
        }
        assert!(text.contains("https://db-ip.com"), "{name}");
    }
}

#[test]
fn catalogues_find_every_file_by_its_sum() {
    let dataset = json("dataset.jsonld");
    let objects = dataset["distribution"].as_array().expect("a list");
    for object in objects {
        assert_eq!(
            object["sha256"].as_str().map(str::len),
            Some(64),
            "{object}"
        );
    }
    assert_eq!(dataset["recordSet"].as_array().map(Vec::len), Some(5));
    assert_eq!(dataset["version"], "2026.46.0");
    assert_eq!(dataset["temporalCoverage"], "2026-11-09/2026-11-15");
}
