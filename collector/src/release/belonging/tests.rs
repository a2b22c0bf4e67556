use super::*;
use crate::format::fixture;
use crate::release::Release;
use proptest::prelude::*;

fn vendor(id: &str) -> Vendor {
    Vendor::from_id(id).expect("a listed vendor")
}

fn endpoint(name: &str) -> EndpointId {
    EndpointId::of_name(name).expect("a listed endpoint")
}

fn of(cells: &[(&str, &str, Cell)]) -> Release {
    let mut release = fixture::release();
    release.endpoints = cells
        .iter()
        .map(|(of, name, cell)| ((vendor(of), endpoint(name)), *cell))
        .collect();
    release
}

const OWN: &str = "sa.api.intl.miui.com";
const GOOGLE: &str = "app-measurement.com";

/// Xiaomi's own endpoint, contacted by its phones; a platform's, contacted by everybody's.
fn world() -> Vec<(&'static str, &'static str, Cell)> {
    vec![
        ("xiaomi", OWN, fixture::value(60, 80)),
        ("samsung", OWN, fixture::zero(200)),
        ("huawei", OWN, fixture::value(10, 100)),
        ("xiaomi", GOOGLE, fixture::value(70, 80)),
        ("samsung", GOOGLE, fixture::value(180, 200)),
        ("huawei", GOOGLE, fixture::value(90, 100)),
    ]
}

#[test]
fn what_stands_out_belongs() {
    let found = belongings(&of(&world()));
    let own = &found[&(vendor("xiaomi"), endpoint(OWN))];
    assert!(own.holds(), "{own:?}");
    assert_eq!(
        (own.x, own.n, own.others_x, own.others_n),
        (60, 80, 10, 300)
    );
    assert_eq!(own.others, [vendor("samsung"), vendor("huawei")]);
    for of in ["xiaomi", "samsung", "huawei"] {
        let platform = &found[&(vendor(of), endpoint(GOOGLE))];
        assert!(!platform.holds(), "{of}: {platform:?}");
    }
    let elsewhere = &found[&(vendor("huawei"), endpoint(OWN))];
    assert!(
        !elsewhere.holds() && elsewhere.z < Hundredths(0),
        "{elsewhere:?}"
    );
}

#[test]
fn apple_is_apart() {
    let before = belongings(&of(&world()));
    let mut cells = world();
    cells.push(("apple", OWN, fixture::zero(5_000)));
    cells.push(("apple", GOOGLE, fixture::zero(5_000)));
    assert_eq!(belongings(&of(&cells)), before);
    // Nor is it compared with anybody.
    let cells = [
        ("apple", "xp.apple.com", fixture::value(60, 60)),
        ("samsung", "xp.apple.com", fixture::zero(200)),
    ];
    assert!(belongings(&of(&cells)).is_empty());
}

#[test]
fn what_is_suppressed_takes_no_part() {
    let before = belongings(&of(&world()));
    let mut cells = world();
    for hidden in [Cell::Suppressed, Cell::NoData, Cell::NotApplicable] {
        cells.push(("vivo", OWN, hidden));
        cells.push(("oppo", GOOGLE, hidden));
        assert_eq!(belongings(&of(&cells)), before);
    }
}

#[test]
fn too_little_is_not_tested() {
    // Five homes may be three.
    let few = [
        ("xiaomi", OWN, fixture::value(5, 80)),
        ("samsung", OWN, fixture::zero(200)),
    ];
    assert!(belongings(&of(&few)).is_empty());
    let mut crowded = fixture::value(60, 80);
    if let Cell::Value(numbers) = &mut crowded {
        numbers.networks = 2;
    }
    let crowded = [
        ("xiaomi", OWN, crowded),
        ("samsung", OWN, fixture::zero(200)),
    ];
    assert!(belongings(&of(&crowded)).is_empty());
    let alone = [
        ("xiaomi", OWN, fixture::value(60, 80)),
        ("vivo", OWN, Cell::Suppressed),
    ];
    assert!(belongings(&of(&alone)).is_empty());
    assert!(belongings(&of(&[])).is_empty());
}

/// Every count that rounds to this one.
fn all(told: u32) -> Vec<u32> {
    let range = match told {
        0 => CountRange::exactly(0),
        told => Rounding::to(5).preimage(told),
    };
    (range.min..=range.max).collect()
}

proptest! {
    /// Brute force: the published rate covers that of every set of counts that rounds to those shown,
    /// and a smaller one would not.
    #[test]
    fn no_rounding_makes_a_discovery(x in 2_u32..8, more in 0_u32..8, others in 0_u32..2, rest in 2_u32..20) {
        let (x, n) = (5 * x, 5 * (x + more));
        let (others_x, others_n) = (5 * others, 5 * (others + rest));
        let told = |x: u32, n: u32| match x {
            0 => fixture::zero(n),
            x => fixture::value(x, n),
        };
        // Five of Samsung's homes may be three, so nothing else is tested; but contacts with something
        // else there must be, or there are no odds.
        let release = of(&[
            ("xiaomi", OWN, told(x, n)),
            ("samsung", OWN, told(others_x, others_n)),
            ("xiaomi", GOOGLE, fixture::value(50, 80)),
        ]);
        let found = belongings(&release);
        prop_assert_eq!(found.len(), 1);
        let mut worst = 0.0_f64;
        for these in all(x) {
            for whole in all(n).into_iter().filter(|whole| *whole >= these) {
                for others in all(others_x) {
                    for others_whole in all(others_n).into_iter().filter(|whole| *whole >= others) {
                        let own = Part { these, all: whole };
                        let others = Part { these: others, all: others_whole };
                        worst = worst.max(enrichment::fisher(own, others));
                    }
                }
            }
        }
        let own = &found[&(vendor("xiaomi"), endpoint(OWN))];
        prop_assert_eq!(own.q, BasisPoints::above(worst));
    }
}
