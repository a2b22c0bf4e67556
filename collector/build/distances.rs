//! Measures the least distance between any two countries, once, from their outlines.
//!
//! In: `data/shores.txt`, outlines on a lattice. Out: the table that `src/geo/distances.rs` reads. A
//! distance is a lower bound, because it serves to refute: two countries are as far apart as their
//! nearest lattice points, less what lattice and map can hide, less what a sphere overstates against
//! the ellipsoid. Neighbours have 0.
//!
//! The nearest points of two outlines are found without looking at most of them: balls around
//! ever smaller pieces of an outline, and a pair of balls that cannot hold a nearer pair is left out.

use std::collections::BTreeMap;
use std::f64::consts::FRAC_PI_4;

/// The mean radius of the Earth.
const RADIUS_KM: f64 = 6_371.0;
/// The ellipsoid's shortest way is at most so much shorter than the sphere's.
const ELLIPSOID: f64 = 0.994;
/// For each of the two outlines: what lies between a point of it and the lattice, and 5 km for its
/// own error at 1:50 million.
const MARGIN_KM: f64 = 2.0 * (9.3 + 5.0);
const LATTICE_PER_DEGREE: f64 = 10.0;
/// Pieces are halved down to so many points.
const LEAF_POINTS: usize = 4;

/// On the unit sphere.
type Point = [f64; 3];

/// A piece of an outline, in a ball around it.
struct Piece {
    centre: Point,
    radius: f64,
    points: std::ops::Range<usize>,
    /// Its halves; none in a leaf.
    halves: Option<[usize; 2]>,
}

struct Outline {
    points: Vec<Point>,
    /// The first is the whole.
    pieces: Vec<Piece>,
}

/// The table: magic, `u16` count, the codes, then `u16` kilometres, row by row, each row the
/// countries after its own; all little-endian.
pub(crate) fn table(shores: &str) -> Vec<u8> {
    let outlines: BTreeMap<&str, Outline> = read(shores)
        .into_iter()
        .map(|(code, points)| (code, Outline::of(points)))
        .collect();
    let count = u16::try_from(outlines.len()).expect("there are fewer countries");
    let mut out = b"PHDIST01".to_vec();
    out.extend(count.to_le_bytes());
    out.extend(outlines.keys().flat_map(|code| code.bytes()));
    let outlines: Vec<&Outline> = outlines.values().collect();
    for (at, one) in outlines.iter().enumerate() {
        for other in &outlines[at + 1..] {
            out.extend(kilometres(one, other).to_le_bytes());
        }
    }
    out
}

/// The lattice points of every code.
fn read(shores: &str) -> BTreeMap<&str, Vec<Point>> {
    let mut outlines: BTreeMap<&str, Vec<Point>> = BTreeMap::new();
    let mut code = "";
    for line in shores.lines().filter(|line| !line.starts_with('#')) {
        if let Some(next) = line.strip_prefix("= ") {
            code = next;
            continue;
        }
        let mut words = line.split(' ');
        let mut degree = || -> i32 {
            let word = words.next().expect("shores.txt: two numbers");
            word.parse().expect("shores.txt: a number")
        };
        let (mut x, mut y) = (degree(), degree());
        let points = outlines.entry(code).or_default();
        points.push(point(x, y));
        for way in words.next().unwrap_or_default().bytes() {
            // Eighths of a turn, counter-clockwise from the east.
            let turn = f64::from(way - b'0') * FRAC_PI_4;
            x += sign(turn.cos());
            y += sign(turn.sin());
            points.push(point(x, y));
        }
    }
    outlines
}

fn sign(part: f64) -> i32 {
    i32::from(part > 0.1) - i32::from(part < -0.1)
}

fn point(x: i32, y: i32) -> Point {
    let [longitude, latitude] =
        [x, y].map(|tenths| (f64::from(tenths) / LATTICE_PER_DEGREE).to_radians());
    let (sin_y, cos_y) = latitude.sin_cos();
    let (sin_x, cos_x) = longitude.sin_cos();
    [cos_y * cos_x, cos_y * sin_x, sin_y]
}

impl Outline {
    fn of(points: Vec<Point>) -> Self {
        let mut outline = Self {
            pieces: Vec::new(),
            points,
        };
        outline.cut(0..outline.points.len());
        outline
    }

    /// Cuts a stretch of points into pieces; gives the place of the piece that holds them all.
    fn cut(&mut self, range: std::ops::Range<usize>) -> usize {
        let points = &self.points[range.clone()];
        let sum = points.iter().fold([0.0; 3], |sum: Point, point| {
            [sum[0] + point[0], sum[1] + point[1], sum[2] + point[2]]
        });
        #[allow(clippy::cast_precision_loss, reason = "few points")]
        let centre = sum.map(|part| part / points.len() as f64);
        let radius = points.iter().map(|point| squared(&centre, point));
        let at = self.pieces.len();
        let radius = radius.fold(0.0, f64::max).sqrt();
        self.pieces.push(Piece {
            centre,
            radius,
            points: range.clone(),
            halves: None,
        });
        if range.len() > LEAF_POINTS {
            let middle = range.start + range.len() / 2;
            let halves = [self.cut(range.start..middle), self.cut(middle..range.end)];
            self.pieces[at].halves = Some(halves);
        }
        at
    }
}

fn kilometres(one: &Outline, other: &Outline) -> u16 {
    let mut best = f64::MAX;
    nearest((one, 0), (other, 0), &mut best);
    // From the chord to the arc above it.
    let arc = 2.0 * (best.min(2.0) / 2.0).asin();
    let kilometres = (RADIUS_KM * arc * ELLIPSOID - MARGIN_KM).floor().max(0.0);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "half of the way around is 20,015"
    )]
    let kilometres = kilometres as u16;
    kilometres
}

/// Lowers `best` to the least chord between points of two pieces, if it is less.
fn nearest(one: (&Outline, usize), other: (&Outline, usize), best: &mut f64) {
    let (a, b) = (&one.0.pieces[one.1], &other.0.pieces[other.1]);
    if least(a, b) >= *best {
        return;
    }
    match (a.halves, b.halves) {
        (None, None) => {
            for p in &one.0.points[a.points.clone()] {
                for q in &other.0.points[b.points.clone()] {
                    *best = best.min(squared(p, q).sqrt());
                }
            }
        }
        // The larger one is halved, and its nearer half goes first.
        (Some(halves), _) if a.radius >= b.radius || b.halves.is_none() => {
            for half in nearer_first(halves, |half| least(&one.0.pieces[half], b)) {
                nearest((one.0, half), other, best);
            }
        }
        (_, Some(halves)) => {
            for half in nearer_first(halves, |half| least(a, &other.0.pieces[half])) {
                nearest(one, (other.0, half), best);
            }
        }
        (Some(_), None) => unreachable!("the second arm takes it"),
    }
}

fn nearer_first([a, b]: [usize; 2], least: impl Fn(usize) -> f64) -> [usize; 2] {
    if least(a) <= least(b) { [a, b] } else { [b, a] }
}

/// No two points of these pieces are nearer.
fn least(a: &Piece, b: &Piece) -> f64 {
    squared(&a.centre, &b.centre).sqrt() - a.radius - b.radius
}

fn squared(a: &Point, b: &Point) -> f64 {
    let [x, y, z] = [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
    x * x + y * y + z * z
}
