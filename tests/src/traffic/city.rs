//! Where homes and servers stand, and how long a handshake between them takes.

use phonehome_proto::time::Timestamp;

/// A place, good enough to measure distances from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct City {
    /// ISO 3166-1 alpha-2.
    pub country: &'static str,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
}

/// A round trip: never shorter than light in glass allows, as long as real paths detour.
///
/// `jitter_permille` is the queueing of one moment, 0 to 1,000 for up to a quarter more.
#[must_use]
pub fn round_trip_nanos(from: City, to: City, jitter_permille: u32) -> i64 {
    // Light in fibre covers 100 km per millisecond of round trip; paths are about 1.4 times longer
    // than the great circle; access and Wi-Fi take some milliseconds.
    let glass_millis = kilometres(from, to) / 100.0 * 1.4 + 4.0;
    let millis = glass_millis * (1.0 + f64::from(jitter_permille) / 4_000.0);
    // Below a second, so the cast is exact enough and cannot overflow.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a round trip is below a second"
    )]
    let nanos = (millis * 1e6) as i64;
    nanos
}

/// `at`, so many nanoseconds later.
#[must_use]
pub const fn later(at: Timestamp, nanos: i64) -> Timestamp {
    Timestamp::from_nanos(at.nanos().saturating_add(nanos))
}

/// Great-circle distance (haversine, sphere of 6,371 km).
fn kilometres(a: City, b: City) -> f64 {
    let (lat_a, lat_b) = (a.latitude.to_radians(), b.latitude.to_radians());
    let half_north = ((b.latitude - a.latitude).to_radians() / 2.0).sin();
    let half_east = ((b.longitude - a.longitude).to_radians() / 2.0).sin();
    let chord = half_north.powi(2) + lat_a.cos() * lat_b.cos() * half_east.powi(2);
    2.0 * 6_371.0 * chord.sqrt().asin()
}

const fn city(country: &'static str, latitude: f64, longitude: f64) -> City {
    City {
        country,
        latitude,
        longitude,
    }
}

/// Berlin.
pub const BERLIN: City = city("DE", 52.52, 13.40);
/// Paris.
pub const PARIS: City = city("FR", 48.86, 2.35);
/// Manchester.
pub const MANCHESTER: City = city("GB", 53.48, -2.24);
/// Warsaw.
pub const WARSAW: City = city("PL", 52.23, 21.01);
/// Madrid.
pub const MADRID: City = city("ES", 40.42, -3.70);
/// Milan.
pub const MILAN: City = city("IT", 45.46, 9.19);
/// Ankara.
pub const ANKARA: City = city("TR", 39.93, 32.86);
/// Pune.
pub const PUNE: City = city("IN", 18.52, 73.86);
/// Surabaya.
pub const SURABAYA: City = city("ID", -7.26, 112.75);
/// Recife.
pub const RECIFE: City = city("BR", -8.05, -34.90);
/// Lagos.
pub const LAGOS: City = city("NG", 6.52, 3.38);
/// Guadalajara.
pub const GUADALAJARA: City = city("MX", 20.67, -103.35);

/// Singapore.
pub const SINGAPORE: City = city("SG", 1.35, 103.82);
/// Moscow.
pub const MOSCOW: City = city("RU", 55.76, 37.62);
/// Beijing.
pub const BEIJING: City = city("CN", 39.90, 116.41);
/// Seoul.
pub const SEOUL: City = city("KR", 37.57, 126.98);
/// Dublin.
pub const DUBLIN: City = city("IE", 53.35, -6.26);
/// Oregon, where one of the large clouds began.
pub const BOARDMAN: City = city("US", 45.84, -119.70);
/// Cupertino.
pub const CUPERTINO: City = city("US", 37.32, -122.03);
/// Frankfurt.
pub const FRANKFURT: City = city("DE", 50.11, 8.68);
/// Mumbai.
pub const MUMBAI: City = city("IN", 19.08, 72.88);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_an_atlas() {
        assert!((9_900.0..10_000.0).contains(&kilometres(BERLIN, SINGAPORE)));
        assert!((1_600.0..1_625.0).contains(&kilometres(BERLIN, MOSCOW)));
        assert!(round_trip_nanos(BERLIN, SINGAPORE, 0) > 100_000_000);
    }
}
