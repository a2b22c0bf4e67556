//! The colours hold for readers who see fewer of them: CIEDE2000 between every two grounds a reader
//! must tell apart, as seen with normal sight, three dichromacies (Machado, Oliveira and Fernandes,
//! 2009, severity 1) and in greyscale.

use super::*;

type Rgb = [f64; 3];

/// Two grounds side by side on a map.
const GROUNDS_DELTA_MIN: f64 = 9.0;
/// A pattern's ink on its ground.
const INK_DELTA_MIN: f64 = 25.0;

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

#[test]
fn a_share_has_one_class() {
    let classes: Vec<usize> = [0, 1, 999, 1_000, 2_499, 2_500, 5_000, 7_499, 7_500, 10_000]
        .map(|points| Class::of(BasisPoints(points)).number())
        .into();
    assert_eq!(classes, [1, 1, 1, 2, 2, 3, 4, 4, 5, 5]);
    assert!(spans_classes(BasisPoints(999), BasisPoints(1_000)));
    assert!(!spans_classes(BasisPoints(1_000), BasisPoints(2_499)));
}
