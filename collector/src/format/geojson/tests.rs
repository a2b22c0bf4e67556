use super::*;
use crate::format::fixture;

const MATRICES: [TableName; 3] = [TableName::Server, TableName::Network, TableName::Owner];

fn features(text: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(text).expect("JSON");
    file["features"].as_array().expect("a list").clone()
}

#[test]
fn what_was_written_reads_back() {
    let release = fixture::release();
    for name in MATRICES {
        let text = write(&release, name).expect("a matrix");
        assert_eq!(read(&text), Some(Table::of(&release, name)), "{name:?}");
    }
    assert_eq!(write(&release, TableName::Home), None);
    assert_eq!(write(&release, TableName::Endpoints), None);
    assert_eq!(read("{}"), None);
}

#[test]
fn what_has_no_place_has_no_geometry() {
    let text = write(&fixture::release(), TableName::Server).expect("a matrix");
    let features = features(&text);
    assert_eq!(features.len(), borders::shapes().len() + NOWHERE.len());
    let without: Vec<&str> = features
        .iter()
        .filter(|feature| feature["geometry"].is_null())
        .map(|feature| feature["id"].as_str().expect("an id"))
        .collect();
    assert_eq!(without, ["AQ", "anycast", "unknown"]);
    let singapore = features.iter().find(|feature| feature["id"] == "SG");
    let singapore = singapore.expect("Singapore is there");
    assert_eq!(singapore["geometry"]["type"], "MultiPolygon");
    assert_eq!(singapore["properties"]["name"], "Singapore");
    assert_eq!(singapore["properties"]["xiaomi.share"], 0.625);
    let gibraltar = features.iter().find(|feature| feature["id"] == "GI");
    assert_eq!(gibraltar.expect("there")["geometry"]["type"], "Point");
}

#[test]
fn suppressed_cells_hold_no_number() {
    let text = write(&fixture::release(), TableName::Server).expect("a matrix");
    let mut suppressed = 0;
    for feature in features(&text) {
        let properties = feature["properties"].as_object().expect("properties");
        for vendor in Vendor::all().map(Vendor::id) {
            if properties.get(&format!("{vendor}.state")) != Some(&"suppressed".into()) {
                continue;
            }
            suppressed += 1;
            let numbers = CELL_COLUMNS[1..]
                .iter()
                .map(|column| &properties[&format!("{vendor}.{column}")]);
            assert!(
                numbers.into_iter().all(Value::is_null),
                "{vendor}: {feature}"
            );
        }
    }
    assert!(suppressed > 10, "{suppressed}");
}
