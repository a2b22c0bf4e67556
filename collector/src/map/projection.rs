//! Equal Earth: longitude and latitude in, picture coordinates out.
//!
//! The map colours land by area, so the projection must keep areas. Formula: Šavrič, Patterson and
//! Jenny, "The Equal Earth map projection" (2018), as in d3-geo's `equalEarth.js`; central meridian
//! 0. The build script includes this file and projects every outline once, so nothing is projected
//! while the program runs. Pure arithmetic: degrees in, no table, no state.

/// A point of the picture, in pixels from the upper left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// To the right.
    pub x: f64,
    /// Down.
    pub y: f64,
}

/// Width of the whole world in the picture.
pub const WIDTH_PX: f64 = 960.0;

/// Height of the picture between the two latitudes it ends at.
pub const HEIGHT_PX: f64 = 426.0;

/// Where the picture ends in the north: just above Greenland and Ellesmere Island.
pub const NORTH_DEGREES: f64 = 85.0;

/// Where it ends in the south: just below the South Sandwich Islands; Antarctica is left off.
pub const SOUTH_DEGREES: f64 = -60.0;

const A1: f64 = 1.340_264;
const A2: f64 = -0.081_106;
const A3: f64 = 0.000_893;
const A4: f64 = 0.003_796;

/// Equal Earth on the unit sphere: degrees of longitude (-180 to 180) and latitude (-90 to 90) to
/// x (to the right) and y (up).
#[must_use]
pub fn equal_earth(longitude_degrees: f64, latitude_degrees: f64) -> (f64, f64) {
    let m = 3f64.sqrt() / 2.0;
    let theta = (m * latitude_degrees.to_radians().sin()).asin();
    let t2 = theta * theta;
    let t6 = t2 * t2 * t2;
    let x = longitude_degrees.to_radians() * theta.cos()
        / (m * (A1 + 3.0 * A2 * t2 + t6 * (7.0 * A3 + 9.0 * A4 * t2)));
    let y = theta * (A1 + A2 * t2 + t6 * (A3 + A4 * t2));
    (x, y)
}

/// Pixels per unit of [`equal_earth`].
#[must_use]
pub fn scale() -> f64 {
    WIDTH_PX / 2.0 / equal_earth(180.0, 0.0).0
}

/// Where a place stands in the picture.
#[must_use]
pub fn to_picture(longitude_degrees: f64, latitude_degrees: f64) -> Point {
    let scale = scale();
    let (x, y) = equal_earth(longitude_degrees, latitude_degrees);
    let (_, top) = equal_earth(0.0, NORTH_DEGREES);
    Point {
        x: WIDTH_PX / 2.0 + x * scale,
        y: (top - y) * scale,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_d3_and_proj() {
        for (longitude, latitude, x, y) in [
            (180.0, 0.0, 2.70663, 0.0),
            (90.0, 30.0, 1.26585, 0.59294),
            (90.0, 60.0, 1.01953, 1.08830),
            (180.0, 75.0, 1.74510, 1.25348),
            (180.0, 90.0, 1.60359, 1.31736),
        ] {
            let got = equal_earth(longitude, latitude);
            assert!(
                (got.0 - x).abs() < 1e-5 && (got.1 - y).abs() < 1e-5,
                "{latitude}: {got:?}"
            );
            let south = equal_earth(-longitude, -latitude);
            assert_eq!(south, (-got.0, -got.1), "the projection is symmetric");
        }
    }

    #[test]
    fn keeps_areas_everywhere() {
        // One-degree cells from pole to pole against their area on the sphere. The cell is a
        // trapezoid in the picture, because parallels are straight and evenly divided.
        for south in -90..90 {
            let (low, high) = (f64::from(south), f64::from(south) + 1.0);
            let (x1, y1) = equal_earth(1.0, low);
            let (x2, y2) = equal_earth(1.0, high);
            let drawn = (x1 + x2) / 2.0 * (y2 - y1);
            let real = 1f64.to_radians() * (high.to_radians().sin() - low.to_radians().sin());
            assert!(
                (drawn / real - 1.0).abs() < 0.005,
                "at {south}: {}",
                drawn / real
            );
        }
    }

    #[test]
    fn keeps_its_shape_towards_the_poles() {
        // A wrong A3 stays equal-area, because x is derived from dy: only the shape tells. The pole
        // line is 0.59247 of the equator, and the map 0.48672 as high as wide.
        let (equator, _) = equal_earth(180.0, 0.0);
        let (pole, top) = equal_earth(180.0, 90.0);
        assert!(
            (pole / equator - 0.592_47).abs() < 1e-5,
            "{}",
            pole / equator
        );
        assert!((top / equator - 0.486_72).abs() < 1e-5, "{}", top / equator);
    }

    #[test]
    fn the_picture_holds_the_world_between_its_two_latitudes() {
        let north_west = to_picture(-180.0, NORTH_DEGREES);
        assert!(north_west.x > 0.0 && north_west.y.abs() < 1e-9);
        assert!((to_picture(180.0, 0.0).x - WIDTH_PX).abs() < 1e-9);
        let bottom = to_picture(0.0, SOUTH_DEGREES).y;
        assert!(
            (bottom - HEIGHT_PX).abs() < 1.0,
            "the picture is {bottom} px high"
        );
    }
}
