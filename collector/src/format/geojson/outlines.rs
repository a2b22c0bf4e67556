//! Outlines of countries in longitude and latitude, as polygons.
//!
//! The table they are drawn from (`data/borders.txt`) holds rings, filled by even-odd; GeoJSON wants to be
//! told which ring is a hole in which. A ring that lies in an odd number of others of its country is a
//! hole in the smallest of them. Outer rings run against the clock, holes with it. A territory too
//! small for an outline is a point; Antarctica, left off every map, has no geometry.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Longitude and latitude in hundredths of a degree.
type Point = (i32, i32);
/// Without its first point again at the end.
type Ring = Vec<Point>;

/// Where a country is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Geometry {
    /// An outer ring and its holes, each.
    Polygons(Vec<Vec<Ring>>),
    /// Too small to draw.
    Point(Point),
}

/// By code.
static OUTLINES: LazyLock<BTreeMap<&'static str, Geometry>> = LazyLock::new(|| {
    let mut rings: BTreeMap<&str, Vec<Ring>> = BTreeMap::new();
    let mut code = "";
    for line in include_str!("../../../data/borders.txt").lines() {
        if let Some(next) = line.strip_prefix("= ") {
            code = next;
        } else if !line.starts_with('#') {
            rings.entry(code).or_default().push(ring(line));
        }
    }
    let mut outlines: BTreeMap<_, _> = rings
        .into_iter()
        .map(|(code, rings)| (code, Geometry::Polygons(polygons(rings))))
        .collect();
    for line in include_str!("../../../data/countries.tsv").lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        if let [code, _, _, place] = columns[..] {
            outlines.entry(code).or_insert_with(|| point(place));
        }
    }
    outlines
});

/// The geometry of the country with this code; `None` for what has no place on a map.
pub(super) fn of(code: &str) -> Option<&'static Geometry> {
    OUTLINES.get(code)
}

impl Geometry {
    /// The geometry as JSON, without spaces.
    pub(super) fn push(&self, out: &mut String) {
        match self {
            Self::Point(at) => {
                out.push_str("{\"type\":\"Point\",\"coordinates\":");
                push_point(out, *at);
            }
            Self::Polygons(polygons) => {
                out.push_str("{\"type\":\"MultiPolygon\",\"coordinates\":");
                push_list(out, polygons, |out, rings| {
                    push_list(out, rings, |out, ring| {
                        let closed: Vec<Point> = ring.iter().chain(ring.first()).copied().collect();
                        push_list(out, &closed, |out, &at| push_point(out, at));
                    });
                });
            }
        }
        out.push('}');
    }
}

fn push_list<T>(out: &mut String, items: &[T], mut push: impl FnMut(&mut String, &T)) {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push(out, item);
    }
    out.push(']');
}

fn push_point(out: &mut String, (longitude, latitude): Point) {
    out.push_str(&format!("[{},{}]", degrees(longitude), degrees(latitude)));
}

/// Hundredths of a degree in the shortest decimal: -0.05, 12.3, 7.
fn degrees(hundredths: i32) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    let (whole, part) = (hundredths.abs() / 100, hundredths.abs() % 100);
    match part {
        0 => format!("{sign}{whole}"),
        part if part % 10 == 0 => format!("{sign}{whole}.{}", part / 10),
        part => format!("{sign}{whole}.{part:02}"),
    }
}

/// A line of the table: a start and steps. Points that repeat the one before, or close the ring, go.
fn ring(line: &str) -> Ring {
    let mut at = (0, 0);
    let mut ring = Ring::new();
    let numbers: Vec<i32> = line
        .split(' ')
        .map(|word| word.parse().expect("the table holds integers"))
        .collect();
    for step in numbers.chunks_exact(2) {
        at = (at.0 + step[0], at.1 + step[1]);
        if ring.last() != Some(&at) {
            ring.push(at);
        }
    }
    if ring.len() > 1 && ring.first() == ring.last() {
        ring.pop();
    }
    ring
}

fn point(place: &str) -> Geometry {
    let hundredths = |text: &str| {
        let degrees: f64 = text.parse().expect("the table holds degrees");
        #[allow(clippy::cast_possible_truncation, reason = "at most 18,000")]
        let hundredths = (degrees * 100.0).round() as i32;
        hundredths
    };
    let (longitude, latitude) = place.split_once(',').expect("longitude,latitude");
    Geometry::Point((hundredths(longitude), hundredths(latitude)))
}

/// Rings sorted into outer ones and their holes.
fn polygons(rings: Vec<Ring>) -> Vec<Vec<Ring>> {
    let around: Vec<Vec<usize>> = (0..rings.len())
        .map(|inner| {
            let holds = |&outer: &usize| outer != inner && holds(&rings[outer], &rings[inner]);
            (0..rings.len()).filter(holds).collect()
        })
        .collect();
    let is_hole = |at: usize| around[at].len() % 2 == 1;
    let mut polygons: BTreeMap<usize, Vec<Ring>> = (0..rings.len())
        .filter(|&at| !is_hole(at))
        .map(|at| (at, vec![turned(&rings[at], false)]))
        .collect();
    for at in (0..rings.len()).filter(|&at| is_hole(at)) {
        let smallest = around[at]
            .iter()
            .filter(|outer| !is_hole(**outer))
            .min_by_key(|outer| area_twice(&rings[**outer]).abs());
        let outer = smallest.expect("a hole lies in a ring that is none");
        let polygon = polygons.get_mut(outer).expect("an outer ring");
        polygon.push(turned(&rings[at], true));
    }
    polygons.into_values().collect()
}

/// Twice the area; positive if the ring runs against the clock.
fn area_twice(ring: &[Point]) -> i64 {
    let next = ring.iter().cycle().skip(1);
    let cross = |(a, b): (&Point, &Point)| {
        i64::from(a.0) * i64::from(b.1) - i64::from(b.0) * i64::from(a.1)
    };
    ring.iter().zip(next).map(cross).sum()
}

/// The ring, run with the clock or against it.
fn turned(ring: &[Point], with_clock: bool) -> Ring {
    let mut ring = ring.to_vec();
    if (area_twice(&ring) < 0) != with_clock {
        ring.reverse();
    }
    ring
}

/// Whether a ring lies inside another; rings of one country do not cross.
fn holds(outer: &[Point], inner: &[Point]) -> bool {
    // A corner they share says nothing: the first that they do not share does.
    let corner = inner.iter().find(|corner| !outer.contains(corner));
    corner.is_some_and(|&(x, y)| {
        let next = outer.iter().cycle().skip(1);
        let crossings = outer.iter().zip(next).filter(|(a, b)| {
            if (a.1 > y) == (b.1 > y) {
                return false;
            }
            // Whether the edge passes to the right of the corner, without a division.
            let (low, high) = if a.1 < b.1 { (a, b) } else { (b, a) };
            let side = i64::from(high.0 - low.0) * i64::from(y - low.1)
                - i64::from(x - low.0) * i64::from(high.1 - low.1);
            side > 0
        });
        crossings.count() % 2 == 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_run_as_they_must() {
        let mut holes = Vec::new();
        for (code, geometry) in &*OUTLINES {
            let Geometry::Polygons(polygons) = geometry else {
                continue;
            };
            for rings in polygons {
                assert!(area_twice(&rings[0]) > 0, "{code}: an outer ring");
                for ring in &rings[1..] {
                    assert!(area_twice(ring) < 0, "{code}: a hole");
                    assert!(holds(&rings[0], ring), "{code}: a hole outside");
                    holes.push(*code);
                }
                for &(longitude, latitude) in rings.iter().flatten() {
                    assert!(
                        longitude.abs() <= 18_000 && latitude.abs() <= 9_000,
                        "{code}"
                    );
                }
                assert!(rings.iter().all(|ring| ring.len() >= 3), "{code}");
            }
        }
        // Lesotho lies in South Africa; what else is a hole is as well known.
        assert!(holes.contains(&"ZA"), "{holes:?}");
    }

    #[test]
    fn a_ring_in_a_hole_is_an_island_again() {
        let square = |from: i32, to: i32| vec![(from, from), (to, from), (to, to), (from, to)];
        let found = polygons(vec![
            square(0, 100),
            square(10, 90),
            square(20, 30),
            square(200, 300),
        ]);
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 1]);
    }

    #[test]
    fn degrees_are_the_shortest_decimals() {
        let told = [0, 5, -5, 10, -1_230, 18_000].map(degrees);
        assert_eq!(told, ["0", "0.05", "-0.05", "0.1", "-12.3", "180"]);
    }
}
