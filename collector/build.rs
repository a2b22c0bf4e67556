//! Projects the world's outlines once, so that nothing is projected while the program runs, and
//! measures how far its countries are apart (module [`distances`]).
//!
//! In: `data/borders.txt` and `data/countries.tsv`. Out: `borders.rs`, one `Shape` per code, sorted,
//! its outline an SVG path in whole tenths of a pixel of the 960 px picture. A territory whose
//! largest piece is under 8 px across also gets a disc; discs that would lie on one another are
//! moved apart.

use projection::{Point, to_picture};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

#[path = "build/distances.rs"]
mod distances;
#[allow(
    unreachable_pub,
    dead_code,
    reason = "the collector's module, used here for its formula"
)]
#[path = "src/map/projection.rs"]
mod projection;

/// A territory smaller than this needs a disc to be seen.
const DISC_UNDER_PX: f64 = 8.0;
/// Centres of two discs lie at least so far apart: two radii of 3.5 px and the line around them.
const DISC_DISTANCE_PX: f64 = 7.6;
/// Rounds of moving discs apart; the Caribbean settles in about a hundred.
const DISC_ROUNDS: u32 = 400;

type Ring = Vec<Point>;

/// A disc: where it is drawn, and the place it stands for.
struct Disc {
    at: Point,
    of: Point,
}

fn main() {
    println!("cargo::rerun-if-changed=data/borders.txt");
    println!("cargo::rerun-if-changed=data/countries.tsv");
    println!("cargo::rerun-if-changed=data/shores.txt");
    println!("cargo::rerun-if-changed=src/map/projection.rs");

    let outlines = read_outlines(&read("data/borders.txt"));
    let countries = read("data/countries.tsv");
    let mut discs = BTreeMap::new();
    let mut rows = Vec::new();
    for line in countries.lines().filter(|line| !line.starts_with('#')) {
        let row: Vec<&str> = line.split('\t').collect();
        let [code, _numeric, name, place @ ..] = &row[..] else {
            panic!("countries.tsv: {line}")
        };
        if let Some(of) = disc_place(place.first().copied(), outlines.get(*code)) {
            discs.insert((*code).to_owned(), Disc { at: of, of });
        }
        rows.push(((*code).to_owned(), (*name).to_owned()));
    }
    spread(&mut discs);
    write_out(&rows, &outlines, &discs);
    let table = distances::table(&read("data/shores.txt"));
    std::fs::write(out_file("distances.bin"), table).expect("OUT_DIR can be written");
}

fn out_file(name: &str) -> PathBuf {
    let folder = std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    PathBuf::from(folder).join(name)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Rings by code, projected.
fn read_outlines(text: &str) -> BTreeMap<String, Vec<Ring>> {
    let mut outlines = BTreeMap::new();
    let mut code = String::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(next) = line.strip_prefix("= ") {
            next.clone_into(&mut code);
        } else {
            outlines
                .entry(code.clone())
                .or_insert_with(Vec::new)
                .push(read_ring(line));
        }
    }
    outlines
}

/// One line of `borders.txt`: a start and steps, in hundredths of a degree.
fn read_ring(line: &str) -> Ring {
    let numbers: Vec<i32> = line
        .split(' ')
        .map(|word| word.parse().expect("borders.txt holds integers"))
        .collect();
    let (mut longitude, mut latitude) = (0, 0);
    let mut ring = Ring::new();
    for step in numbers.chunks_exact(2) {
        longitude += step[0];
        latitude += step[1];
        ring.push(to_picture(
            f64::from(longitude) / 100.0,
            f64::from(latitude) / 100.0,
        ));
    }
    ring
}

/// Where a territory's disc belongs; `None` if its outline can be seen.
fn disc_place(written: Option<&str>, rings: Option<&Vec<Ring>>) -> Option<Point> {
    if let Some(written) = written {
        let (longitude, latitude) = written.split_once(',').expect("longitude,latitude");
        let degrees = |text: &str| text.parse().expect("degrees");
        return Some(to_picture(degrees(longitude), degrees(latitude)));
    }
    let (size, middle) = frame(rings?);
    (size < DISC_UNDER_PX).then_some(middle)
}

/// The larger side of the box around a territory's largest piece, and the box's middle.
fn frame(rings: &[Ring]) -> (f64, Point) {
    let largest = rings.first().expect("a country has a ring");
    let extent = |of: fn(&Point) -> f64| {
        let (low, high) = bounds(largest.iter().map(of));
        (high - low, f64::midpoint(low, high))
    };
    let ((width, x), (height, y)) = (extent(|p| p.x), extent(|p| p.y));
    (width.max(height), Point { x, y })
}

fn bounds(numbers: impl Iterator<Item = f64>) -> (f64, f64) {
    numbers.fold((f64::MAX, f64::MIN), |(low, high), n| {
        (low.min(n), high.max(n))
    })
}

/// Moves discs apart that lie on one another, each half of the way, in the order of their codes.
fn spread(discs: &mut BTreeMap<String, Disc>) {
    let mut places: Vec<Point> = discs.values().map(|disc| round(disc.at)).collect();
    for _ in 0..DISC_ROUNDS {
        for one in 0..places.len() {
            for other in one + 1..places.len() {
                let (a, b) = (places[one], places[other]);
                let (dx, dy) = (b.x - a.x, b.y - a.y);
                let distance = (dx * dx + dy * dy).sqrt().max(0.01);
                if distance < DISC_DISTANCE_PX {
                    let push = (DISC_DISTANCE_PX - distance) / 2.0 / distance;
                    places[one] = Point {
                        x: a.x - dx * push,
                        y: a.y - dy * push,
                    };
                    places[other] = Point {
                        x: b.x + dx * push,
                        y: b.y + dy * push,
                    };
                }
            }
        }
    }
    for (disc, place) in discs.values_mut().zip(places) {
        disc.at = place;
    }
}

fn round(point: Point) -> Point {
    Point {
        x: f64::from(tenths(point.x)) / 10.0,
        y: f64::from(tenths(point.y)) / 10.0,
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "the picture is 9,600 tenths wide"
)]
fn tenths(pixels: f64) -> i32 {
    (pixels * 10.0).round() as i32
}

/// Whether a path's lines return to where they began.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    Closed,
    Open,
}

/// An SVG path, relative, in tenths of a pixel.
fn path(lines: &[Ring], ends: Ends) -> String {
    let mut text = String::new();
    let mut pen = (0, 0);
    for line in lines {
        let points: Vec<(i32, i32)> = line.iter().map(|p| (tenths(p.x), tenths(p.y))).collect();
        let start = points[0];
        let mut last = pen;
        for (index, &point) in points.iter().enumerate() {
            let step = (point.0 - last.0, point.1 - last.1);
            if index == 0 {
                write!(text, "m{}", pair(step)).expect("a String takes everything");
            } else if step != (0, 0) {
                // A minus sign separates by itself.
                let gap = if step.0 < 0 { "" } else { " " };
                write!(text, "{gap}{}", pair(step)).expect("a String takes everything");
            }
            last = point;
        }
        pen = last;
        if ends == Ends::Closed {
            // Closing returns the pen to the start.
            text.push('z');
            pen = start;
        }
    }
    text
}

fn pair((x, y): (i32, i32)) -> String {
    if y < 0 {
        format!("{x}{y}")
    } else {
        format!("{x} {y}")
    }
}

/// The edge of the globe between the picture's two latitudes.
fn ocean() -> Ring {
    let latitudes = || (-12..=17).map(|step| f64::from(step) * 5.0);
    let west = latitudes().map(|latitude| to_picture(-180.0, latitude));
    let east = latitudes()
        .rev()
        .map(|latitude| to_picture(180.0, latitude));
    west.chain(east).collect()
}

/// Meridians and parallels every 30 degrees, as open lines.
fn graticule() -> String {
    let meridians = (-5..=5).map(|step| {
        let longitude = f64::from(step) * 30.0;
        (-12..=17)
            .map(|at| to_picture(longitude, f64::from(at) * 5.0))
            .collect::<Ring>()
    });
    let parallels = (-1..=2).map(|step| {
        let latitude = f64::from(step) * 30.0;
        vec![to_picture(-180.0, latitude), to_picture(180.0, latitude)]
    });
    path(&meridians.chain(parallels).collect::<Vec<_>>(), Ends::Open)
}

fn write_out(
    rows: &[(String, String)],
    outlines: &BTreeMap<String, Vec<Ring>>,
    discs: &BTreeMap<String, Disc>,
) {
    let mut out = String::from("pub(super) static SHAPES: &[Shape] = &[\n");
    for (code, name) in rows {
        let path = outlines
            .get(code)
            .map(|rings| path(rings, Ends::Closed))
            .unwrap_or_default();
        let disc = discs.get(code).map_or_else(
            || "None".to_owned(),
            |disc| {
                let (at, of) = (disc.at, disc.of);
                let [x, y, of_x, of_y] = [at.x, at.y, of.x, of.y].map(tenths);
                format!("Some(Disc {{ x: {x}, y: {y}, of_x: {of_x}, of_y: {of_y} }})")
            },
        );
        let nowhere = Point { x: 0.0, y: 0.0 };
        let (size, middle) = outlines.get(code).map_or_else(
            || (0.0, discs.get(code).map_or(nowhere, |disc| disc.of)),
            |rings| frame(rings),
        );
        let (size, x, y) = (tenths(size), tenths(middle.x), tenths(middle.y));
        writeln!(
            out,
            "    Shape {{ code: {code:?}, name: {name:?}, path: {path:?}, size: {size}, \
             middle: ({x}, {y}), disc: {disc} }},"
        )
        .expect("a String takes everything");
    }
    let rest = path(&outlines["--"], Ends::Closed);
    write!(
        out,
        "];\npub(super) static LAND_WITHOUT_CODE: &str = {rest:?};\n\
         pub(super) static OCEAN: &str = {:?};\n\
         pub(super) static GRATICULE: &str = {:?};\n",
        path(&[ocean()], Ends::Closed),
        graticule()
    )
    .expect("a String takes everything");
    std::fs::write(out_file("borders.rs"), out).expect("OUT_DIR can be written");
}
