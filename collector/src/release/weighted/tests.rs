use super::*;
use crate::format::fixture;
use phonehome_proto::net::Country;

fn vendor(id: &str) -> Vendor {
    Vendor::from_id(id).expect("a listed vendor")
}

fn singapore() -> Column {
    Column::Country(Country::parse("SG").expect("a code"))
}

/// Singapore's cell in a release with these cells for Singapore and no others.
fn of(cells: &[(&str, Cell)]) -> Weighted {
    let mut release = fixture::release();
    release.server = cells
        .iter()
        .map(|(of, cell)| ((vendor(of), singapore()), *cell))
        .collect();
    weighted(&release, Shipments::embedded())[&singapore()].clone()
}

fn shown(cells: &[(&str, Cell)]) -> WeightedNumbers {
    match of(cells) {
        Weighted::Shown(numbers) => numbers,
        Weighted::Suppressed => panic!("shown"),
    }
}

#[test]
fn strata_count_for_what_was_shipped() {
    // Twice the phones, fewer homes.
    let numbers = shown(&[
        ("samsung", fixture::value(80, 80)),
        ("xiaomi", fixture::zero(120)),
    ]);
    // 21.1 of 31.8.
    assert_eq!(numbers.share, BasisPoints(6_635));
    assert_eq!(numbers.unweighted, BasisPoints(4_000));
    assert_eq!(numbers.coverage, BasisPoints(3_180));
    assert_eq!((numbers.homes, numbers.moved), (200, BasisPoints(0)));
    // 1 / (.6635² / 80 + .3365² / 120)
    assert_eq!(numbers.effective_homes, 155);
    assert_eq!(numbers.design_effect, Hundredths(128));
    assert_eq!(numbers.vendors, [vendor("samsung"), vendor("xiaomi")]);
    // Where one home would weigh six others it weighs five, and it is said.
    let trimmed = shown(&[
        ("samsung", fixture::value(50, 50)),
        ("xiaomi", fixture::zero(150)),
    ]);
    assert_eq!(trimmed.share, BasisPoints(6_250));
    assert!(trimmed.moved > BasisPoints(0), "{trimmed:?}");
}

#[test]
fn the_interval_holds_all_that_rounds_so_and_all_that_is_possible() {
    let certain = shown(&[
        ("samsung", fixture::value(100, 200)),
        ("xiaomi", fixture::value(100, 200)),
    ]);
    assert_eq!(certain.share, BasisPoints(5_000));
    assert!(certain.share_low < BasisPoints(4_600) && certain.share_high > BasisPoints(5_400));
    let mut disputed = fixture::value(100, 200);
    if let Cell::Value(numbers) = &mut disputed {
        numbers.x_low = 0;
    }
    let doubtful = shown(&[("samsung", disputed), ("xiaomi", disputed)]);
    assert_eq!(
        (doubtful.share, doubtful.share_low),
        (BasisPoints(2_500), BasisPoints(0))
    );
    assert_eq!(doubtful.share_high, certain.share_high);
    // Nobody did it: still no certainty.
    let none = shown(&[
        ("samsung", fixture::zero(200)),
        ("xiaomi", fixture::zero(200)),
    ]);
    assert_eq!((none.share, none.share_low, none.standard_error), {
        let nothing = BasisPoints(0);
        (nothing, nothing, nothing)
    });
    assert!(none.share_high > BasisPoints(50), "{none:?}");
}

#[test]
fn too_little_is_suppressed() {
    for cells in [
        vec![],
        vec![("samsung", fixture::value(100, 400))],
        vec![
            ("samsung", fixture::value(10, 15)),
            ("xiaomi", fixture::value(10, 10)),
        ],
        // Those that name no shipments are nobody's voice.
        vec![
            ("samsung", fixture::value(100, 400)),
            ("oppo", fixture::value(100, 400)),
        ],
        vec![
            ("samsung", fixture::value(100, 400)),
            ("xiaomi", Cell::Suppressed),
        ],
        vec![
            ("samsung", fixture::value(100, 400)),
            ("xiaomi", Cell::NoData),
        ],
    ] {
        let mut cells = cells;
        cells.push(("asus", Cell::NotApplicable));
        assert_eq!(of(&cells), Weighted::Suppressed, "{cells:?}");
    }
    let barely = [
        ("samsung", fixture::value(10, 20)),
        ("huawei", fixture::value(10, 15)),
    ];
    assert_eq!(shown(&barely).effective_homes, 34);
}

#[test]
fn what_is_suppressed_takes_no_part() {
    let cells = [
        ("samsung", fixture::value(50, 100)),
        ("xiaomi", fixture::value(50, 100)),
    ];
    let before = of(&cells);
    for hidden in [Cell::Suppressed, Cell::NoData, Cell::NotApplicable] {
        let mut cells = cells.to_vec();
        cells.push(("huawei", hidden));
        assert_eq!(of(&cells), before);
    }
}

#[test]
fn every_country_of_the_table_has_a_cell() {
    let release = fixture::release();
    let column = weighted(&release, Shipments::embedded());
    let columns: BTreeSet<Column> = release.server.keys().map(|&(_, column)| column).collect();
    assert_eq!(column.keys().copied().collect::<BTreeSet<_>>(), columns);
    assert!(matches!(column[&singapore()], Weighted::Shown(_)));
}
