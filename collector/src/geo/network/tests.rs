use super::*;

const OPERATORS_TEST: &str = "date = '2026-01-01'\noperator = [
  { asn = 10, name = '', country = 'SG', source = '' },
  { asn = 20, name = '', country = 'RU', source = '' } ]";
const UNINHABITED_TEST: &str = "date = '2026-01-01'\nnetwork = [
  { name = '', kind = 'vpn', asns = [20], source = '' } ]";

/// Two operators, AS10 `Ten` and AS20 `Twenty`; 1.0.0.0-1.0.0.127 is AS10's, then comes AS20 up to
/// 1.0.1.255; 2001:db8::/33 is AS20's.
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
    out.extend([2, 10, 10]);
    out.extend(b"Ten\nTwenty\n");
    out.push(4);
    for step in [0, 0x0100_0000, 128, 384] {
        number(&mut out, step);
    }
    out.extend([0, 1, 2, 0]);
    out.push(3);
    for step in [0, 0x2001_0db8 << 32, 1 << 31] {
        number(&mut out, step);
    }
    out.extend([0, 2, 0]);
    out
}

fn read() -> NetworkTable {
    NetworkTable::read(&table(), OPERATORS_TEST, UNINHABITED_TEST).expect("a table")
}

fn of(address: &str) -> Option<Asn> {
    read().network(address.parse().expect("an address"))
}

#[test]
fn addresses_find_their_network() {
    assert_eq!(of("0.255.255.255"), None);
    assert_eq!(of("1.0.0.127"), Some(Asn(10)));
    assert_eq!(of("1.0.0.128"), Some(Asn(20)));
    assert_eq!(of("1.0.1.255"), Some(Asn(20)));
    assert_eq!(of("1.0.2.0"), None);
    assert_eq!(of("::ffff:1.0.0.1"), Some(Asn(10)));
    assert_eq!(of("2001:db8:7fff:ffff::1"), Some(Asn(20)));
    assert_eq!(of("2001:db8:8000::"), None);
    assert_eq!(read().name(Asn(20)), Some("Twenty"));
    assert_eq!(read().name(Asn(30)), None);
}

#[test]
fn a_prefix_finds_every_network_in_it() {
    let table = read();
    let prefix = |address: &str| Prefix::of(address.parse().expect("an address"));
    assert_eq!(
        table.networks(prefix("1.0.0.9")),
        BTreeSet::from([Asn(10), Asn(20)])
    );
    assert_eq!(table.networks(prefix("1.0.1.9")), BTreeSet::from([Asn(20)]));
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
}

#[test]
fn nobody_lives_in_hosting_vpn_or_unknown_networks() {
    let table = read();
    assert!(table.is_inhabited(Asn(10)));
    assert!(!table.is_inhabited(Asn(20)));
    assert!(!table.is_inhabited(Asn::UNKNOWN));
}

#[test]
fn a_damaged_table_is_refused() {
    let whole = table();
    for cut in 0..whole.len() {
        let damaged = NetworkTable::read(&whole[..cut], OPERATORS_TEST, UNINHABITED_TEST);
        assert!(damaged.is_err(), "{cut} bytes of {}", whole.len());
    }
    let out_of_range = whole
        .iter()
        .rposition(|&byte| byte == 2)
        .expect("AS20 holds IPv6");
    let mut damaged = whole.clone();
    damaged[out_of_range] = 3;
    assert!(NetworkTable::read(&damaged, OPERATORS_TEST, UNINHABITED_TEST).is_err());
    let no_country = OPERATORS_TEST.replace("'RU'", "'ru'");
    assert!(NetworkTable::read(&whole, &no_country, UNINHABITED_TEST).is_err());
}
