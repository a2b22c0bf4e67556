//! The world's outlines, as the build script projected them.
//!
//! Every ISO 3166-1 alpha-2 code and `XK` is here once, with its English name: an outline, a disc,
//! both, or (Antarctica) neither. Coordinates are whole tenths of a pixel of the 960 px Equal Earth
//! picture of [`super::projection`]. Outlines show de facto control as Natural Earth draws it; the
//! choices behind them stand in `data/borders.py`. A country without a code of its own is part of
//! the one that address tables name (Northern Cyprus of `CY`, Somaliland of `SO`).

use phonehome_proto::net::Country;

/// A country or territory.
#[derive(Debug)]
pub struct Shape {
    /// ISO 3166-1 alpha-2, or `XK`.
    pub code: &'static str,
    /// Its short name in English.
    pub name: &'static str,
    /// The outline, an SVG path filled by even-odd; empty where only a disc is drawn.
    pub path: &'static str,
    /// The larger side of the box around its largest piece.
    pub size: i32,
    /// The middle of that box.
    pub middle: (i32, i32),
    /// Present when the outline is under 8 px across.
    pub disc: Option<Disc>,
}

/// What stands for a territory too small to see.
#[derive(Clone, Copy, Debug)]
pub struct Disc {
    /// Centre, moved aside where discs would lie on one another.
    pub x: i32,
    /// Centre.
    pub y: i32,
    /// The place it stands for.
    pub of_x: i32,
    /// The place it stands for.
    pub of_y: i32,
}

include!(concat!(env!("OUT_DIR"), "/borders.rs"));

/// All of them, by code.
#[must_use]
pub fn shapes() -> &'static [Shape] {
    SHAPES
}

/// The shape of a country; `None` for a code that is no country's (`EU`, `AP`).
#[must_use]
pub fn shape(country: Country) -> Option<&'static Shape> {
    let at = SHAPES
        .binary_search_by(|shape| shape.code.cmp(country.as_str()))
        .ok()?;
    Some(&SHAPES[at])
}

/// A country's English name, or its code where it has none.
#[must_use]
pub fn name(country: &Country) -> &str {
    shape(*country).map_or(country.as_str(), |shape| shape.name)
}

/// Land that has no code: drawn, never coloured.
#[must_use]
pub fn land_without_code() -> &'static str {
    LAND_WITHOUT_CODE
}

/// The globe's edge, filled as sea.
#[must_use]
pub fn ocean() -> &'static str {
    OCEAN
}

/// Meridians and parallels every 30 degrees.
#[must_use]
pub fn graticule() -> &'static str {
    GRATICULE
}

#[cfg(test)]
mod tests {
    use super::super::projection::{HEIGHT_PX, WIDTH_PX};
    use super::*;

    fn of(code: &str) -> &'static Shape {
        shape(Country::parse(code).expect("a code")).expect("a country")
    }

    /// Every corner of an outline, in tenths of a pixel.
    fn corners(path: &str) -> Vec<Vec<(i32, i32)>> {
        let mut pen = (0, 0);
        path.split('z')
            .filter(|ring| !ring.is_empty())
            .map(|ring| {
                let spaced = ring[1..].replace('-', " -");
                let numbers: Vec<i32> = spaced
                    .split_whitespace()
                    .map(|word| word.parse().expect("whole tenths"))
                    .collect();
                let mut at = pen;
                let ring: Vec<(i32, i32)> = numbers
                    .chunks_exact(2)
                    .map(|step| {
                        at = (at.0 + step[0], at.1 + step[1]);
                        at
                    })
                    .collect();
                pen = ring[0];
                ring
            })
            .collect()
    }

    /// Area in square pixels.
    fn area(path: &str) -> f64 {
        let twice: i64 = corners(path)
            .iter()
            .map(|ring| {
                let next = ring.iter().cycle().skip(1);
                ring.iter()
                    .zip(next)
                    .map(|(a, b)| i64::from(a.0) * i64::from(b.1) - i64::from(b.0) * i64::from(a.1))
                    .sum::<i64>()
                    .abs()
            })
            .sum();
        f64::from(i32::try_from(twice).expect("the picture is small")) / 200.0
    }

    #[test]
    fn every_code_has_its_place() {
        assert!(
            SHAPES.is_sorted_by(|a, b| a.code < b.code),
            "binary search needs order"
        );
        assert_eq!(SHAPES.len(), 250, "249 codes of ISO 3166-1, and XK");
        for shape in SHAPES {
            let drawn = !shape.path.is_empty() || shape.disc.is_some();
            assert_eq!(drawn, shape.code != "AQ", "{} has no place", shape.code);
        }
    }

    #[test]
    fn the_sources_traps_are_handled() {
        // No id: Kosovo. No polygon of their own: France's and the Netherlands' overseas parts.
        for code in ["XK", "GF", "RE", "BQ", "SJ", "CC", "CX"] {
            assert!(!of(code).path.is_empty(), "{code}");
        }
        for code in [
            "SG", "HK", "MO", "MT", "BH", "TV", "GI", "LI", "MC", "JE", "SC",
        ] {
            assert!(of(code).disc.is_some(), "{code} can be seen");
        }
        // Id 036 twice: Australia stays whole. Northern Cyprus and Somaliland are drawn.
        assert!(of("AU").disc.is_none() && corners(of("SO").path).len() == 2);
        assert_eq!(name(&Country::parse("EU").expect("letters")), "EU");
    }

    #[test]
    fn nothing_crosses_the_picture() {
        // An outline not cut at 180 degrees would draw a streak from edge to edge.
        let widest = WIDTH_PX * 10.0 * 0.1;
        for shape in SHAPES {
            for ring in corners(shape.path) {
                for pair in ring.windows(2) {
                    let step = f64::from((pair[1].0 - pair[0].0).abs());
                    assert!(step < widest, "{}: a step of {step} tenths", shape.code);
                }
                for (x, y) in ring {
                    let (x, y) = (f64::from(x) / 10.0, f64::from(y) / 10.0);
                    assert!((0.0..=WIDTH_PX).contains(&x), "{} at {x}", shape.code);
                    assert!((0.0..=HEIGHT_PX).contains(&y), "{} at {y}", shape.code);
                }
            }
        }
        // Chukotka lies at the left edge, the rest of Russia at the right one.
        let russia = corners(of("RU").path);
        assert!(
            russia
                .iter()
                .any(|ring| ring.iter().all(|&(x, _)| x < 2_000))
        );
        assert!(
            russia
                .iter()
                .any(|ring| ring.iter().all(|&(x, _)| x > 5_000))
        );
    }

    #[test]
    fn countries_keep_their_proportions() {
        // Areas in thousand square kilometres, CIA World Factbook; simplified lines cost little.
        let scale = area(of("CD").path) / 2_345.0;
        for (code, area_km2) in [
            ("RU", 17_098.0),
            ("GL", 2_166.0),
            ("FI", 338.0),
            ("BR", 8_516.0),
            ("SG", 0.72),
        ] {
            let ratio = area(of(code).path) / area_km2 / scale;
            let slack = if code == "SG" { 0.5 } else { 0.06 };
            assert!(
                (ratio - 1.0).abs() < slack,
                "{code} is drawn {ratio:.3} times its size"
            );
        }
    }

    #[test]
    fn discs_do_not_cover_one_another() {
        let discs: Vec<(&str, Disc)> = SHAPES
            .iter()
            .filter_map(|shape| Some((shape.code, shape.disc?)))
            .collect();
        assert!((70..110).contains(&discs.len()), "{} discs", discs.len());
        for (index, (one, a)) in discs.iter().enumerate() {
            let (dx, dy) = (f64::from(a.x - a.of_x), f64::from(a.y - a.of_y));
            assert!(
                dx.hypot(dy) < 300.0,
                "{one} is {} tenths from home",
                dx.hypot(dy)
            );
            for (other, b) in &discs[index + 1..] {
                let apart = f64::from(a.x - b.x).hypot(f64::from(a.y - b.y));
                assert!(apart >= 70.0, "{one} and {other} are {apart} tenths apart");
            }
        }
    }
}
