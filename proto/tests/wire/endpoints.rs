//! Later endpoint lists: golden bytes, canonical form, and every refusal.

use super::golden;
use phonehome_proto::endpoint::later::{CannotFollow, LaterList, LaterRow, NotAList};
use phonehome_proto::endpoint::rules::Fault;
use phonehome_proto::endpoint::{Class, EndpointId, EndpointList, Owner};
use phonehome_proto::limits;
use phonehome_proto::net::Country;
use phonehome_proto::seal::{PayloadType, SealBroken, SealedBatch, SigningKey, VerifyingKey};
use phonehome_proto::time::Day;
use phonehome_proto::vendor::Vendor;
use phonehome_proto::{decode, encode, v1};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// The project's key, in these tests.
fn release_key() -> SigningKey {
    SigningKey::from_seed(&[0x55; 32])
}

fn made() -> Day {
    Day::new(20_780).expect("before 2200")
}

fn no_suffix(_: &str) -> bool {
    false
}

/// A row as a list would hold it.
fn written(endpoint: EndpointId) -> LaterRow {
    LaterRow {
        id: endpoint.number(),
        pattern: endpoint.pattern().to_owned(),
        owner: endpoint.owner().id().to_owned(),
        class: endpoint.class(),
        edge: endpoint.edge().map(ToOwned::to_owned),
        region: endpoint.region(),
    }
}

fn row(id: u32, pattern: &str, owner: &str, class: Class) -> LaterRow {
    LaterRow {
        id,
        pattern: pattern.to_owned(),
        owner: owner.to_owned(),
        class,
        edge: None,
        region: None,
    }
}

/// One endpoint of the first list, one of a vendor behind a content network, one of somebody who makes no
/// phones.
fn sample() -> LaterList {
    let rows = vec![
        written(EndpointId::of_name("sa.api.intl.miui.com").expect("listed")),
        LaterRow {
            edge: Some("akamai".to_owned()),
            region: Country::parse("SG"),
            ..row(60_000, "*.later.miui.com", "xiaomi", Class::Telemetry)
        },
        row(60_001, "later.adjust.com", "adjust", Class::Analytics),
    ];
    LaterList::new(7, made(), rows, &no_suffix).expect("keeps the rules")
}

#[test]
fn golden_lists_decode_and_encode_the_same() {
    let payload = encode::endpoint_list(&sample());
    assert_eq!(golden("endpoint-list.bin", &payload), payload);
    assert_eq!(decode::endpoint_list(&payload, &no_suffix), Ok(sample()));

    let sealed = SealedBatch::seal(PayloadType::Endpoints, payload, &release_key());
    let file = encode::envelope(sealed.clone());
    let stored = golden("sealed-endpoint-list.bin", &file);
    assert_eq!(stored, file);
    assert_eq!(decode::envelope(&stored), Ok(sealed.clone()));
    let key = release_key().public();
    let opened = sealed.open(PayloadType::Endpoints, &key).expect("signed");
    assert_eq!(decode::endpoint_list(opened, &no_suffix), Ok(sample()));
    // A signature of the same key for something else is none for a list.
    let other = SealedBatch::seal(PayloadType::Release, sealed.payload.clone(), &release_key());
    let retyped = SealedBatch {
        payload_type: PayloadType::Endpoints.as_str().to_owned(),
        ..other
    };
    let broken = retyped.open(PayloadType::Endpoints, &key).err();
    assert_eq!(broken, Some(SealBroken::BadSignature));
}

#[test]
fn a_list_is_looked_names_up_in_like_the_compiled_in_one() {
    let list = sample().for_life();
    let found = |name: &str| list.of_name(name).map(EndpointId::number);
    for (name, number) in [
        ("sa.api.intl.miui.com", Some(1)),
        ("later.miui.com", Some(60_000)),
        ("a.b.later.miui.com", Some(60_000)),
        ("later.adjust.com", Some(60_001)),
        ("a.later.adjust.com", None),
        ("data.mistat.xiaomi.com", None),
        ("com", None),
        ("", None),
    ] {
        assert_eq!(found(name), number, "{name}");
    }
    let new = list.get(60_000).expect("it is a row");
    assert_eq!((list.version(), list.all().len()), (7, 3));
    assert_eq!(
        (new.pattern(), new.class()),
        ("*.later.miui.com", Class::Telemetry)
    );
    assert_eq!(new.owner_vendor(), Vendor::from_id("xiaomi"));
    assert_eq!(
        (new.owner(), new.edge()),
        (Owner::from_id("xiaomi").expect("known"), Some("akamai"))
    );
    assert_eq!(new.region(), Country::parse("SG"));
    // From whatever list a row comes: the same id is the same endpoint.
    assert_eq!(list.get(1), EndpointId::from_number(1));
    assert_eq!(
        (list.get(0), list.get(2), list.get(u32::MAX)),
        (None, None, None)
    );
}

#[test]
fn everything_the_build_refuses_is_refused() {
    let xiaomi = |pattern: &str| row(60_000, pattern, "xiaomi", Class::Core);
    let edged = LaterRow {
        edge: Some("moon".to_owned()),
        ..xiaomi("a.miui.com")
    };
    let googles = row(60_000, "*.googleapis.com", "google", Class::Platform);
    for (bad, fault) in [
        (xiaomi("A.miui.com"), Fault::UpperCase),
        (xiaomi("a.miui.com."), Fault::DotAtEnd),
        (xiaomi("*"), Fault::NotAHost),
        (xiaomi("*.com"), Fault::NotAHost),
        (xiaomi("a.*.miui.com"), Fault::NotAHost),
        (xiaomi("a\u{1b}[2j.miui.com"), Fault::NotAHost),
        (xiaomi(""), Fault::NotAHost),
        (xiaomi("*.com.cn"), Fault::PublicSuffix),
        (googles, Fault::PublicSuffix),
        (xiaomi("health.miui.com"), Fault::Sensitive),
        (xiaomi("eu-wallet.mi.com"), Fault::Sensitive),
        (
            row(60_000, "a.miui.com", "nobody", Class::Core),
            Fault::UnknownOwner,
        ),
        (
            row(60_000, "a.miui.com", "", Class::Core),
            Fault::UnknownOwner,
        ),
        (
            row(60_000, "a.miui.com", "huawei", Class::Core),
            Fault::OutsideOwner,
        ),
        (xiaomi("www.example.com"), Fault::OutsideOwner),
        (xiaomi("notmiui.com"), Fault::OutsideOwner),
        (
            row(60_000, "a.adjust.com", "adjust", Class::Telemetry),
            Fault::NotAVendors,
        ),
        (edged, Fault::UnknownEdge),
        (row(0, "a.miui.com", "xiaomi", Class::Core), Fault::NotAnId),
        (
            row(65_536, "a.miui.com", "xiaomi", Class::Core),
            Fault::NotAnId,
        ),
        (row(1, "a.miui.com", "xiaomi", Class::Core), Fault::IdTwice),
        (xiaomi("sa.api.intl.miui.com"), Fault::PatternTwice),
    ] {
        let first = written(EndpointId::from_number(1).expect("listed"));
        let is_suffix = |host: &str| host == "com.cn";
        let refused = LaterList::new(7, made(), vec![first, bad.clone()], &is_suffix);
        let Err(NotAList::Row {
            id, fault: found, ..
        }) = refused
        else {
            panic!("{bad:?}: {refused:?}")
        };
        assert_eq!((id, found), (bad.id, fault), "{bad:?}");
        let said = NotAList::Row {
            id,
            pattern: bad.pattern,
            fault,
        }
        .to_string();
        assert!(said.starts_with(&format!("endpoint {id}, ")), "{said}");
    }
}

#[test]
fn a_list_is_whole_and_bounded() {
    let rows = |count: u32| {
        let row = |n| row(n, &format!("h{n}.miui.com"), "xiaomi", Class::Core);
        (1..=count).map(row).collect::<Vec<_>>()
    };
    let list = |version, rows| LaterList::new(version, made(), rows, &no_suffix).map(drop);
    let full = u32::try_from(limits::ENDPOINT_LIST_ROWS_MAX).expect("small");
    assert_eq!(list(1, rows(full)), Ok(()));
    assert_eq!(list(1, rows(full + 1)), Err(NotAList::TooManyRows));
    assert_eq!(list(0, rows(1)), Err(NotAList::NoVersion));
    let mut turned = rows(3);
    turned.swap(1, 2);
    assert_eq!(list(1, turned), Err(NotAList::NotInOrder { id: 2 }));
    // A list that counts nothing is one.
    assert_eq!(list(1, Vec::new()), Ok(()));

    let long = vec![0; limits::ENDPOINT_LIST_BYTES_MAX + 1];
    let refused = decode::endpoint_list(&long, &no_suffix);
    assert_eq!(refused, Err(decode::ListRefused::TooLarge));
}

#[test]
fn ids_keep_their_meaning_and_versions_rise() {
    let present = EndpointList::compiled_in();
    let first = EndpointId::from_number(1).expect("listed");
    let follows = |version, row| {
        let list = LaterList::new(version, made(), vec![row], &no_suffix);
        let list = list.expect("keeps the rules").for_life();
        list.follows(present)
    };
    let next = present.version() + 1;
    assert_eq!(follows(next, written(first)), Ok(()));
    // Where its owner says it stands is an opinion, and may change.
    let moved = LaterRow {
        region: Country::parse("RU"),
        ..written(first)
    };
    assert_eq!(follows(next, moved), Ok(()));
    for version in [1, present.version()] {
        let refused = follows(version, written(first));
        let present = present.version();
        assert_eq!(refused, Err(CannotFollow::NotNewer { version, present }));
    }
    for other in [
        LaterRow {
            pattern: "other.miui.com".to_owned(),
            ..written(first)
        },
        LaterRow {
            pattern: "a.huawei.com".to_owned(),
            owner: "huawei".to_owned(),
            ..written(first)
        },
        LaterRow {
            class: Class::Core,
            ..written(first)
        },
        LaterRow {
            edge: Some("mixed".to_owned()),
            ..written(first)
        },
    ] {
        let refused = follows(next, other.clone());
        let Err(CannotFollow::IdReused { id: 1, was, now }) = refused else {
            panic!("{other:?}: {refused:?}")
        };
        assert_eq!(was, "sa.api.intl.miui.com (xiaomi, telemetry)");
        assert_ne!(was, now);
    }
}

#[test]
fn a_difference_names_what_comes_goes_and_changes() {
    let before = EndpointList::compiled_in();
    let first = EndpointId::from_number(1).expect("listed");
    let rows = before.all().filter(|row| !matches!(row.number(), 1 | 2));
    let mut rows: Vec<_> = rows.map(written).collect();
    // What means something else now takes another id.
    rows.push(row(60_000, first.pattern(), "xiaomi", Class::Core));
    rows.push(row(60_001, "new.miui.com", "xiaomi", Class::Core));
    let list = LaterList::new(before.version() + 1, made(), rows, &no_suffix);
    let list = list.expect("keeps the rules");
    let list = list.for_life();
    assert_eq!(list.follows(before), Ok(()));
    let difference = list.difference(before);
    let numbers = |rows: &[EndpointId]| rows.iter().map(|row| row.number()).collect::<Vec<_>>();
    assert_eq!(numbers(&difference.added), [60_001]);
    assert_eq!(numbers(&difference.removed), [2]);
    let [(was, now)] = difference.changed[..] else {
        panic!("one changed")
    };
    assert_eq!((was.number(), now.number()), (1, 60_000));
    assert!(list.difference(list).is_empty() && !difference.is_empty());
}

/// The same message, altered.
fn altered(alter: impl Fn(&mut v1::EndpointList)) -> Result<LaterList, decode::ListRefused> {
    let payload = encode::endpoint_list(&sample());
    let mut message: v1::EndpointList = prost::Message::decode(&payload[..]).expect("a list");
    alter(&mut message);
    let payload = prost::Message::encode_to_vec(&message);
    decode::endpoint_list(&payload, &no_suffix)
}

#[test]
fn other_spellings_and_unknown_words_are_refused() {
    use decode::ListRefused::Unreadable;
    assert_eq!(altered(|_| ()), Ok(sample()));
    assert_eq!(altered(|list| list.endpoints[0].class = 0), Err(Unreadable));
    assert_eq!(altered(|list| list.endpoints[0].class = 9), Err(Unreadable));
    for region in ["sg", "SGP", "S"] {
        let refused = altered(|list| list.endpoints[0].region = region.to_owned());
        assert_eq!(refused, Err(Unreadable), "{region}");
    }
    let late = altered(|list| list.made_day = Day::LAST.number() + 1);
    assert_eq!(late, Err(Unreadable));

    let mut more = encode::endpoint_list(&sample());
    more.extend([0xf8, 0x07, 1]); // field 127, varint 1
    assert_eq!(decode::endpoint_list(&more, &no_suffix), Err(Unreadable));
    let list = encode::endpoint_list(&sample());
    for cut in 0..list.len() {
        assert_ne!(
            decode::endpoint_list(&list[..cut], &no_suffix),
            Ok(sample())
        );
    }
}

prop_compose! {
    fn any_list()(
        version in 1..=u32::MAX,
        made in 0..=Day::LAST.number(),
        rows in subsequence(EndpointId::all().collect::<Vec<_>>(), 0..40),
        new in proptest::collection::btree_map(
            40_000_u32..=65_535,
            ("[a-z]{6,9}", select(vec!["miui.com", "mi.com"]), any::<bool>()),
            0..20,
        ),
    ) -> Option<LaterList> {
        let new = new.into_iter().map(|(id, (host, domain, is_all))| {
            let stars = if is_all { "*." } else { "" };
            row(id, &format!("{stars}{host}.{domain}"), "xiaomi", Class::Telemetry)
        });
        let rows = rows.into_iter().map(written).chain(new).collect();
        // Letters drawn at random may make a word that no list may hold.
        LaterList::new(version, Day::new(made).expect("in range"), rows, &no_suffix).ok()
    }
}

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_the_same_list(list in any_list()) {
        let Some(list) = list else { return Ok(()) };
        let payload = encode::endpoint_list(&list);
        prop_assert!(payload.len() <= limits::ENDPOINT_LIST_BYTES_MAX);
        prop_assert_eq!(decode::endpoint_list(&payload, &no_suffix), Ok(list.clone()));
        // And every row is found by its number and by its name.
        let kept = list.for_life();
        for row in list.rows() {
            let endpoint = kept.get(row.id).expect("it is a row");
            prop_assert_eq!(endpoint.pattern(), &row.pattern);
            let name = row.pattern.strip_prefix("*.").unwrap_or(&row.pattern);
            let found = kept.of_name(name).expect("it is a row");
            prop_assert_eq!(found.pattern().trim_start_matches("*."), name);
        }
    }

    /// Whatever is accepted is exactly what encoding gives: no second spelling exists.
    #[test]
    fn an_altered_list_is_another_or_none(list in any_list(), at: prop::sample::Index, byte: u8) {
        let Some(list) = list else { return Ok(()) };
        let mut payload = encode::endpoint_list(&list);
        let at = at.index(payload.len());
        payload[at] = byte;
        if let Ok(other) = decode::endpoint_list(&payload, &no_suffix) {
            prop_assert_eq!(encode::endpoint_list(&other), payload);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        if let Ok(list) = decode::endpoint_list(&bytes, &no_suffix) {
            prop_assert_eq!(encode::endpoint_list(&list), bytes);
        }
    }
}

/// Whoever opens it with a collector's key opens nothing.
#[test]
fn only_a_release_key_opens_a_list() {
    let payload = encode::endpoint_list(&sample());
    let collector = SigningKey::from_seed(&[0x22; 32]);
    let forged = SealedBatch::seal(PayloadType::Endpoints, payload, &collector);
    let open = |key: &VerifyingKey| forged.open(PayloadType::Endpoints, key).err();
    assert_eq!(open(&release_key().public()), Some(SealBroken::OtherKey));
    let mut renamed = forged.clone();
    renamed.public_key = release_key().public().as_bytes().to_vec();
    let opened = renamed.open(PayloadType::Endpoints, &release_key().public());
    assert_eq!(opened.err(), Some(SealBroken::BadSignature));
}
