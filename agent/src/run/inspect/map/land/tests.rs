//! The tables are made here, from what the collector draws: with `UPDATE_GOLDEN=1` they are written.

use super::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The collector's own projection; its build script includes the same file.
#[allow(unreachable_pub, reason = "it is public in the crate it comes from")]
#[path = "../../../../../../collector/src/map/projection.rs"]
mod projection;

/// Corners of one ring, in squares of the raster.
type Ring = Vec<(f64, f64)>;

const SQUARE_PX: f64 = TENTHS_PER_SQUARE as f64 / 10.0;

fn source(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../collector/data");
    fs::read_to_string(folder.join(name)).expect("the collector's table")
}

/// Degrees of longitude and latitude to squares of the raster.
fn corner(longitude: f64, latitude: f64) -> (f64, f64) {
    let point = projection::to_picture(longitude, latitude);
    (point.x / SQUARE_PX, point.y / SQUARE_PX)
}

/// Every country's rings; `--` is land without a code.
fn outlines() -> BTreeMap<String, Vec<Ring>> {
    let mut outlines = BTreeMap::<String, Vec<Ring>>::new();
    let mut code = String::new();
    for line in source("borders.txt").lines() {
        if let Some(opened) = line.strip_prefix("= ") {
            code = opened.to_owned();
        } else if !line.starts_with('#') {
            let words = line.split(' ').map(|word| word.parse().expect("a number"));
            let numbers: Vec<i32> = words.collect();
            let (mut x, mut y) = (0, 0);
            let ring = numbers.chunks_exact(2).map(|step| {
                (x, y) = (x + step[0], y + step[1]);
                corner(f64::from(x) / 100.0, f64::from(y) / 100.0)
            });
            let ring = ring.collect();
            outlines.entry(code.clone()).or_default().push(ring);
        }
    }
    outlines
}

/// Fills what the rings enclose, even-odd, a square by its middle.
fn fill(rings: &[Ring], raster: &mut [u8]) {
    for row in 0..ROWS {
        let height = row as f64 + 0.5;
        let mut crossings = Vec::new();
        for ring in rings {
            let next = ring.iter().cycle().skip(1);
            for (a, b) in ring.iter().zip(next) {
                if (a.1 <= height) != (b.1 <= height) {
                    crossings.push(a.0 + (height - a.1) / (b.1 - a.1) * (b.0 - a.0));
                }
            }
        }
        crossings.sort_by(f64::total_cmp);
        for span in crossings.chunks_exact(2) {
            for column in 0..COLUMNS {
                let middle = column as f64 + 0.5;
                if (span[0]..span[1]).contains(&middle) {
                    let bit = row * COLUMNS + column;
                    raster[bit / 8] |= 0x80 >> (bit % 8);
                }
            }
        }
    }
}

/// The middle of the box around the largest piece, in squares.
fn middle(rings: &[Ring]) -> (f64, f64) {
    let area = |ring: &Ring| {
        let next = ring.iter().cycle().skip(1);
        let twice = ring.iter().zip(next).map(|(a, b)| a.0 * b.1 - b.0 * a.1);
        twice.sum::<f64>().abs()
    };
    let largest = rings.iter().max_by(|a, b| area(a).total_cmp(&area(b)));
    let largest = largest.expect("a country has a ring");
    let side = |of: fn(&(f64, f64)) -> f64| {
        let low = largest.iter().map(of).fold(f64::INFINITY, f64::min);
        let high = largest.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
        f64::midpoint(low, high)
    };
    (side(|point| point.0), side(|point| point.1))
}

fn places(outlines: &BTreeMap<String, Vec<Ring>>) -> String {
    let mut table = String::new();
    for line in source("countries.tsv").lines() {
        if line.starts_with('#') {
            continue;
        }
        let mut fields = line.split('\t');
        let (code, name) = (fields.next(), fields.nth(1));
        let (code, name) = code.zip(name).expect("a code and a name");
        let disc = fields.next().map(|words| {
            let degrees = |word: &str| word.parse::<f64>().expect("degrees");
            let mut words = words.split(',').map(degrees);
            words.next().zip(words.next()).expect("two numbers")
        });
        let rings = outlines.get(code).map(|rings| middle(rings));
        let at = rings.or_else(|| disc.map(|(x, y)| corner(x, y)));
        write!(table, "{code}\t{name}").expect("a text grows");
        if let Some((x, y)) = at {
            let tenths = |squares: f64| (squares * TENTHS_PER_SQUARE as f64).round();
            write!(table, "\t{}\t{}", tenths(x), tenths(y)).expect("a text grows");
        }
        table.push('\n');
    }
    table
}

fn compare(name: &str, made: &[u8]) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data")
        .join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, made).expect("the tree can be written");
    }
    let kept = fs::read(&path).expect("the table is there");
    assert!(kept == made, "{name} is not what the outlines give");
}

#[test]
fn the_tables_are_made_of_what_the_collector_draws() {
    let outlines = outlines();
    let mut raster = vec![0; LAND.len()];
    for rings in outlines.values() {
        fill(rings, &mut raster);
    }
    compare("land.bin", &raster);
    compare("places.tsv", places(&outlines).as_bytes());
}

#[test]
fn every_country_has_a_place_on_the_picture() {
    assert_eq!(
        PLACES.lines().count(),
        250,
        "249 codes of ISO 3166-1, and XK"
    );
    for line in PLACES.lines() {
        let code = Country::parse(&line[..2]).expect("a code");
        let place = place(code).expect("it is in the table");
        assert!(!place.name.is_empty(), "{code}");
        assert_eq!(place.at.is_none(), code.as_str() == "AQ", "{code}");
        if let Some((x, y)) = place.at {
            let (column, row) = (x / TENTHS_PER_SQUARE, y / TENTHS_PER_SQUARE);
            assert!(column < COLUMNS && row < ROWS, "{code} at {x}, {y}");
        }
    }
    assert_eq!(Country::parse("EU").and_then(place), None);
}

#[test]
fn land_is_where_it_is() {
    let square = |longitude, latitude| {
        let (x, y) = corner(f64::from(longitude), f64::from(latitude));
        let last_to = |line: f64| move |square: &usize| *square as f64 <= line;
        let (column, row) = ((0..COLUMNS).rfind(last_to(x)), (0..ROWS).rfind(last_to(y)));
        column.zip(row).expect("it is on the picture")
    };
    for (name, longitude, latitude, expected) in [
        ("Berlin", 13, 52, true),
        ("Moscow", 38, 56, true),
        ("Alice Springs", 134, -24, true),
        ("Brasilia", -48, -16, true),
        ("Denver", -105, 40, true),
        ("the Atlantic", -30, 0, false),
        ("the Pacific", -150, 10, false),
        ("the Caspian Sea", 51, 42, false),
    ] {
        let (column, row) = square(longitude, latitude);
        assert_eq!(is_land(column, row), expected, "{name}");
    }
    assert!(
        !is_mostly_land(0..COLUMNS, ROWS..ROWS + 1),
        "nothing lies south"
    );
}
