use super::*;

const APPLE: Asn = Asn(714);
const YANDEX: Asn = Asn(13_238);
const UNLISTED: Asn = Asn(64_496);
const UNINHABITED_TEST: &str = "date = '2026-01-01'\nnetwork = [
  { name = '', kind = 'vpn', asns = [13238], source = '' } ]";

/// Apple's AS714, here `Ten`, and Yandex's AS13238, `Twenty`; 1.0.0.0-1.0.0.127 is the first one's, then
/// comes the second up to 1.0.1.255, then an unlisted AS64496 up to 1.0.2.127; 2001:db8::/33 is the
/// second's.
fn table() -> Vec<u8> {
    let mut out = Vec::new();
    let number = |out: &mut Vec<u8>, mut n: u64| {
        while n >= 128 {
            out.push(n.to_le_bytes()[0] | 128);
            n >>= 7;
        }
        out.push(n.to_le_bytes()[0]);
    };
    out.extend(b"PHNETS012026-01-01");
    for step in [3, APPLE.0, YANDEX.0 - APPLE.0, UNLISTED.0 - YANDEX.0] {
        number(&mut out, step.into());
    }
    out.extend(b"Ten\nTwenty\nThirty\n");
    out.push(5);
    for step in [0, 0x0100_0000, 128, 384, 128] {
        number(&mut out, step);
    }
    out.extend([0, 1, 2, 3, 0]);
    out.push(3);
    for step in [0, 0x2001_0db8 << 32, 1 << 31] {
        number(&mut out, step);
    }
    out.extend([0, 2, 0]);
    out
}

fn read() -> NetworkTable {
    NetworkTable::read(&table(), UNINHABITED_TEST).expect("a table")
}

fn of(address: &str) -> Option<Asn> {
    read().network(address.parse().expect("an address"))
}

#[test]
fn addresses_find_their_network() {
    assert_eq!(of("0.255.255.255"), None);
    assert_eq!(of("1.0.0.127"), Some(APPLE));
    assert_eq!(of("1.0.0.128"), Some(YANDEX));
    assert_eq!(of("1.0.1.255"), Some(YANDEX));
    assert_eq!(of("1.0.2.127"), Some(UNLISTED));
    assert_eq!(of("1.0.2.128"), None);
    assert_eq!(of("::ffff:1.0.0.1"), Some(APPLE));
    assert_eq!(of("2001:db8:7fff:ffff::1"), Some(YANDEX));
    assert_eq!(of("2001:db8:8000::"), None);
    assert_eq!(read().name(YANDEX), Some("Twenty"));
    assert_eq!(read().name(Asn(30)), None);
}

#[test]
fn a_prefix_finds_every_network_in_it() {
    let table = read();
    let prefix = |address: &str| Prefix::of(address.parse().expect("an address"));
    assert_eq!(
        table.networks(prefix("1.0.0.9")),
        BTreeSet::from([APPLE, YANDEX])
    );
    assert_eq!(table.networks(prefix("1.0.1.9")), BTreeSet::from([YANDEX]));
    assert_eq!(table.networks(prefix("9.0.0.9")), BTreeSet::new());
    assert_eq!(
        table.operators(prefix("1.0.0.9")).status(),
        super::super::PlaceStatus::Disputed
    );
    assert_eq!(
        table.operators(prefix("1.0.1.9")),
        Place::known(Country::new(*b"RU").expect("a code"))
    );
    assert_eq!(
        table.operators(prefix("9.0.0.9")).status(),
        super::super::PlaceStatus::Unknown
    );
    let operator = |address| table.operator(prefix(address)).map(Operator::name);
    assert_eq!(operator("1.0.0.9"), None, "two companies share it");
    assert_eq!(operator("1.0.1.9"), Some("Yandex"));
    assert_eq!(operator("1.0.2.9"), None, "nobody knows whose it is");
    assert_eq!(operator("9.0.0.9"), None);
}

#[test]
fn nobody_lives_in_hosting_vpn_or_unknown_networks() {
    let table = read();
    assert!(table.is_inhabited(APPLE));
    assert!(!table.is_inhabited(YANDEX));
    assert!(!table.is_inhabited(Asn::UNKNOWN));
}

#[test]
fn a_damaged_table_is_refused() {
    let whole = table();
    for cut in 0..whole.len() {
        let damaged = NetworkTable::read(&whole[..cut], UNINHABITED_TEST);
        assert!(damaged.is_err(), "{cut} bytes of {}", whole.len());
    }
    let out_of_range = whole
        .iter()
        .rposition(|&byte| byte == 2)
        .expect("the second holds IPv6");
    let mut damaged = whole.clone();
    damaged[out_of_range] = 4;
    assert!(NetworkTable::read(&damaged, UNINHABITED_TEST).is_err());
}
