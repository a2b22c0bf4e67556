//! The colours hold for readers who see fewer of them: CIEDE2000 between every two grounds a reader
//! must tell apart, as seen with normal sight, three dichromacies (Machado, Oliveira and Fernandes,
//! 2009, severity 1) and in greyscale.

use super::*;
use crate::format::fixture;
use crate::map::svg::page;
use crate::map::words::language::Language;
use crate::map::{Fact, View};
use resvg::{tiny_skia, usvg};
use std::collections::BTreeMap;

type Rgb = [f64; 3];

/// Two grounds side by side on a map.
const GROUNDS_DELTA_MIN: f64 = 9.0;
/// A pattern's ink on its ground.
const INK_DELTA_MIN: f64 = 25.0;

/// Two states as drawn, the mean over all their pixels; 2.3 is what an eye just notices between areas of
/// one colour, and a pattern is seen sooner.
const STATES_DELTA_MIN: f64 = 3.0;

const PROTAN: [Rgb; 3] = [
    [0.152_286, 1.052_583, -0.204_868],
    [0.114_503, 0.786_281, 0.099_216],
    [-0.003_882, -0.048_116, 1.051_998],
];
const DEUTAN: [Rgb; 3] = [
    [0.367_322, 0.860_646, -0.227_968],
    [0.280_085, 0.672_501, 0.047_413],
    [-0.011_820, 0.042_940, 0.968_881],
];
const TRITAN: [Rgb; 3] = [
    [1.255_528, -0.076_749, -0.178_779],
    [-0.078_411, 0.930_809, 0.147_602],
    [0.004_733, 0.691_367, 0.303_900],
];
const GREY: [Rgb; 3] = [[0.2126, 0.7152, 0.0722]; 3];
const NORMAL: [Rgb; 3] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
const SIGHTS: [(&str, [Rgb; 3]); 5] = [
    ("normal", NORMAL),
    ("protan", PROTAN),
    ("deutan", DEUTAN),
    ("tritan", TRITAN),
    ("greyscale", GREY),
];

/// `#rrggbb` to linear light (IEC 61966-2-1).
fn linear(colour: &str) -> Rgb {
    [1, 3, 5].map(|at| {
        let byte = u8::from_str_radix(&colour[at..at + 2], 16).expect("#rrggbb");
        let c = f64::from(byte) / 255.0;
        if c <= 0.040_45 {
            c / 12.92
        } else {
            ((c + 0.055) / 1.055).powf(2.4)
        }
    })
}

fn dot(a: Rgb, b: Rgb) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// CIE L*a*b* under D65.
fn lab(linear: Rgb) -> Rgb {
    let xyz = [
        dot([0.412_456, 0.357_576, 0.180_438], linear) / 0.950_47,
        dot([0.212_673, 0.715_152, 0.072_175], linear),
        dot([0.019_334, 0.119_192, 0.950_304], linear) / 1.088_83,
    ];
    let [x, y, z] = xyz.map(|t| {
        if t > 216.0 / 24_389.0 {
            t.cbrt()
        } else {
            t * 24_389.0 / 27.0 / 116.0 + 16.0 / 116.0
        }
    });
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// CIEDE2000 (Sharma, Wu and Dalal, 2005).
fn ciede2000(one: Rgb, two: Rgb) -> f64 {
    let chroma = |lab: Rgb| lab[1].hypot(lab[2]);
    let mean = f64::midpoint(chroma(one), chroma(two)).powi(7);
    let g = 0.5 * (1.0 - (mean / (mean + 25f64.powi(7))).sqrt());
    let stretch = |lab: Rgb| {
        let a = lab[1] * (1.0 + g);
        (
            a.hypot(lab[2]),
            lab[2].atan2(a).to_degrees().rem_euclid(360.0),
        )
    };
    let ((c1, h1), (c2, h2)) = (stretch(one), stretch(two));
    let turn = match h2 - h1 {
        _ if c1 * c2 == 0.0 => 0.0,
        d if d > 180.0 => d - 360.0,
        d if d < -180.0 => d + 360.0,
        d => d,
    };
    let (dl, dc) = (two[0] - one[0], c2 - c1);
    let dh = 2.0 * (c1 * c2).sqrt() * (turn / 2.0).to_radians().sin();
    let (l, c) = (f64::midpoint(one[0], two[0]), f64::midpoint(c1, c2));
    let h = if c1 * c2 == 0.0 {
        h1 + h2
    } else {
        (h1 + turn / 2.0).rem_euclid(360.0)
    };
    let cos = |degrees: f64| degrees.to_radians().cos();
    let t = 1.0 - 0.17 * cos(h - 30.0) + 0.24 * cos(2.0 * h) + 0.32 * cos(3.0 * h + 6.0)
        - 0.20 * cos(4.0 * h - 63.0);
    let square = (l - 50.0).powi(2);
    let sl = 1.0 + 0.015 * square / (20.0 + square).sqrt();
    let (sc, sh) = (1.0 + 0.045 * c, 1.0 + 0.015 * c * t);
    let c7 = c.powi(7);
    let rotation = -2.0
        * (c7 / (c7 + 25f64.powi(7))).sqrt()
        * (60.0 * (-((h - 275.0) / 25.0).powi(2)).exp())
            .to_radians()
            .sin();
    let (l, c, h) = (dl / sl, dc / sc, dh / sh);
    (l * l + c * c + h * h + rotation * c * h).sqrt()
}

fn seen(colour: &str, sight: [Rgb; 3]) -> Rgb {
    let light = linear(colour);
    lab(sight.map(|row| dot(row, light).clamp(0.0, 1.0)))
}

#[test]
fn the_difference_is_ciede2000() {
    // Pairs 1, 7, 16 and 25 of the published test data.
    for (one, two, delta) in [
        ([50.0, 2.6772, -79.7751], [50.0, 0.0, -82.7485], 2.0425),
        ([50.0, 0.0, 0.0], [50.0, -1.0, 2.0], 2.3669),
        ([50.0, 2.5, 0.0], [50.0, 0.0, -2.5], 4.3065),
        (
            [60.2574, -34.0099, 36.2677],
            [60.4626, -34.1751, 39.4387],
            1.2644,
        ),
    ] {
        assert!(
            (ciede2000(one, two) - delta).abs() < 1e-4,
            "{}",
            ciede2000(one, two)
        );
    }
}

#[test]
fn neighbouring_grounds_differ_for_every_reader() {
    for palette in [Palette::LIGHT, Palette::DARK] {
        let mut grounds = vec![palette.zero];
        grounds.extend(palette.classes);
        for (sight, matrix) in SIGHTS {
            for (index, one) in grounds.iter().enumerate() {
                for two in &grounds[index + 1..] {
                    let delta = ciede2000(seen(one, matrix), seen(two, matrix));
                    assert!(
                        delta >= GROUNDS_DELTA_MIN,
                        "{sight}: {one} and {two} differ by {delta:.1}"
                    );
                }
            }
        }
    }
}

#[test]
fn patterns_show_on_their_ground_for_every_reader() {
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for palette in [Palette::LIGHT, Palette::DARK] {
        pairs.extend(palette.classes.into_iter().zip(palette.stipples));
        pairs.extend([
            (palette.suppressed, palette.ink),
            (palette.blank, palette.ink),
        ]);
    }
    for (sight, matrix) in SIGHTS {
        for (ground, ink) in &pairs {
            let delta = ciede2000(seen(ground, matrix), seen(ink, matrix));
            assert!(
                delta >= INK_DELTA_MIN,
                "{sight}: {ink} on {ground} differs by {delta:.1}"
            );
        }
    }
}

/// Colours of a page by their names in its style sheet.
fn coloured(drawing: &str, palette: Palette) -> String {
    let mut drawing = drawing.to_owned();
    for at in 0..5 {
        for (name, colours) in [("k", palette.classes), ("t", palette.stipples)] {
            drawing = drawing.replace(&format!("var(--m-{name}{})", at + 1), colours[at]);
        }
    }
    for (name, colour) in [
        ("z", palette.zero),
        ("s", palette.suppressed),
        ("a", palette.blank),
        ("ink", palette.ink),
    ] {
        drawing = drawing.replace(&format!("var(--m-{name})"), colour);
    }
    assert!(!drawing.contains("var("), "{drawing}");
    drawing
}

/// The sample of the legend, with its pattern, as so many pixels of colour.
fn sampled(look: Look, patterns: &str, palette: Palette) -> Vec<String> {
    let swatch = page::swatch(look).replace(
        "<svg ",
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"64\" height=\"40\" ",
    );
    let (head, body) = swatch.split_once('>').expect("an element");
    let drawing = coloured(&format!("{head}>{patterns}{body}"), palette);
    let tree = usvg::Tree::from_str(&drawing, &usvg::Options::default()).expect("an SVG of ours");
    let mut pixels = tiny_skia::Pixmap::new(64, 40).expect("some pixels");
    resvg::render(&tree, tiny_skia::Transform::default(), &mut pixels.as_mut());
    let colours = pixels.pixels().iter().map(|pixel| {
        let colour = pixel.demultiply();
        format!(
            "#{:02x}{:02x}{:02x}",
            colour.red(),
            colour.green(),
            colour.blue()
        )
    });
    colours.collect()
}

/// The six states as readers meet them, ground and pattern and outline together: drawn, and compared
/// pixel by pixel. An imprecise cell is compared with its own class, which it is most like.
#[test]
fn six_states_differ_for_every_reader() {
    let world = page::world(&fixture::release(), Fact::Server, View::World, Language::En);
    let (_, rest) = world.split_once("<defs>").expect("patterns");
    let (patterns, _) = rest.split_once("</defs>").expect("an end");
    let patterns = format!("<defs>{patterns}</defs>");
    for palette in [Palette::LIGHT, Palette::DARK] {
        let states = [
            Look::Zero,
            Look::Suppressed,
            Look::NoData,
            Look::NotApplicable,
        ];
        let mut pairs: Vec<(Look, Look)> = Vec::new();
        for class in Class::all() {
            pairs.push((Look::Value(class), Look::Imprecise(class)));
            for state in states {
                pairs.extend([(Look::Value(class), state), (Look::Imprecise(class), state)]);
            }
        }
        for (at, one) in states.iter().enumerate() {
            pairs.extend(states[at + 1..].iter().map(|other| (*one, *other)));
        }
        let mut drawn: BTreeMap<Look, Vec<String>> = BTreeMap::new();
        for look in pairs.iter().flat_map(|(one, other)| [*one, *other]) {
            drawn
                .entry(look)
                .or_insert_with(|| sampled(look, &patterns, palette));
        }
        for (sight, matrix) in SIGHTS {
            let mut known: BTreeMap<(&str, &str), f64> = BTreeMap::new();
            for (one, other) in &pairs {
                let points = drawn[one].iter().zip(&drawn[other]);
                let count = f64::from(64 * 40);
                let sum: f64 = points
                    .map(|(a, b)| {
                        *known
                            .entry((a, b))
                            .or_insert_with(|| ciede2000(seen(a, matrix), seen(b, matrix)))
                    })
                    .sum();
                let delta = sum / count;
                assert!(
                    delta >= STATES_DELTA_MIN,
                    "{sight}: {one:?} and {other:?} differ by {delta:.1}"
                );
            }
        }
    }
}

#[test]
fn a_share_has_one_class() {
    let classes: Vec<usize> = [0, 1, 999, 1_000, 2_499, 2_500, 5_000, 7_499, 7_500, 10_000]
        .map(|points| Class::of(BasisPoints(points)).number())
        .into();
    assert_eq!(classes, [1, 1, 1, 2, 2, 3, 4, 4, 5, 5]);
    assert!(spans_classes(BasisPoints(999), BasisPoints(1_000)));
    assert!(!spans_classes(BasisPoints(1_000), BasisPoints(2_499)));
}
