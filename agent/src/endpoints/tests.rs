use super::*;
use phonehome_proto::encode;
use phonehome_proto::endpoint::later::{LaterList, LaterRow};
use phonehome_proto::endpoint::rules::Fault;
use phonehome_proto::endpoint::{Class, EndpointId};
use phonehome_proto::seal::SigningKey;

/// The project's key, in these tests.
pub(crate) fn release_key() -> SigningKey {
    SigningKey::from_seed(&[0x55; 32])
}

/// A shelf that takes what [`release_key`] signed.
pub(crate) fn shelf() -> Shelf {
    Shelf::new(vec![release_key().public()])
}

/// A new host of Xiaomi's.
pub(crate) const NEW: u32 = 60_000;

pub(crate) fn row(id: u32, pattern: &str) -> LaterRow {
    LaterRow {
        id,
        pattern: pattern.to_owned(),
        owner: "xiaomi".to_owned(),
        class: Class::Telemetry,
        edge: None,
        region: None,
    }
}

/// The compiled-in list without one of its rows, and with others.
pub(crate) fn list(version: u32, without: Option<u32>, more: Vec<LaterRow>) -> LaterList {
    let rows = EndpointId::all().filter(|row| Some(row.number()) != without);
    let rows = rows.map(|row| LaterRow {
        id: row.number(),
        pattern: row.pattern().to_owned(),
        owner: row.owner().id().to_owned(),
        class: row.class(),
        edge: row.edge().map(ToOwned::to_owned),
        region: row.region(),
    });
    let made = Day::new(20_780).expect("before 2200");
    LaterList::new(version, made, rows.chain(more).collect(), &|_| false).expect("keeps the rules")
}

pub(crate) fn signed(list: &LaterList, key: &SigningKey) -> SealedBatch {
    SealedBatch::seal(PayloadType::Endpoints, encode::endpoint_list(list), key)
}

#[test]
fn a_list_is_opened_once_and_kept() {
    let shelf = shelf();
    let later = list(2, Some(1), vec![row(NEW, "new.miui.com")]);
    let sealed = signed(&later, &release_key());
    let opened = shelf.open(&sealed).expect("it is signed and sound");
    assert_eq!(opened.list.version(), 2);
    assert_eq!(
        (opened.made, opened.key),
        (later.made(), release_key().public())
    );
    let found = |name| opened.list.of_name(name).map(EndpointId::number);
    assert_eq!(
        (found("new.miui.com"), found("data.mistat.xiaomi.com")),
        (Some(NEW), Some(2))
    );
    assert_eq!(found("other.miui.com"), None);
    let again = shelf.open(&sealed).expect("as before");
    assert!(std::ptr::eq(opened.list, again.list));
}

#[test]
fn only_a_release_key_opens_a_list() {
    let later = list(2, None, Vec::new());
    let ours = signed(&later, &release_key());
    let refused = |sealed: &SealedBatch| shelf().open(sealed).err();
    assert_eq!(Shelf::default().open(&ours).err(), Some(NotOpened::NoKeys));

    // A collector's key, or the home's own.
    let theirs = signed(&later, &SigningKey::from_seed(&[0x22; 32]));
    assert_eq!(refused(&theirs), Some(NotOpened::NotAReleaseKey));
    let mut renamed = theirs;
    renamed.public_key.clone_from(&ours.public_key);
    assert_eq!(refused(&renamed), Some(NotOpened::BadSignature));

    let mut changed = ours.clone();
    let at = changed.payload.len() - 1;
    changed.payload[at] ^= 1;
    assert_eq!(refused(&changed), Some(NotOpened::BadSignature));

    let manifest = SealedBatch::seal(PayloadType::Manifest, ours.payload.clone(), &release_key());
    assert_eq!(refused(&manifest), Some(NotOpened::OtherType));
    let mut retyped = manifest;
    retyped.payload_type.clone_from(&ours.payload_type);
    assert_eq!(refused(&retyped), Some(NotOpened::BadSignature));
}

#[test]
fn what_no_list_may_be_no_signature_makes_one() {
    let raw = |payload| SealedBatch::seal(PayloadType::Endpoints, payload, &release_key());
    let refused = shelf().open(&raw(vec![0xff; 40])).err();
    assert_eq!(refused, Some(NotOpened::Refused(ListRefused::Unreadable)));

    // What the maker's tool would have refused too, had it been asked.
    let suffix = |pattern: &str| {
        let honest = LaterList::new(
            2,
            list(2, None, Vec::new()).made(),
            vec![row(NEW, "a.mi.com")],
            &|_| false,
        );
        let mut payload = encode::endpoint_list(&honest.expect("keeps the rules"));
        let mut windows = payload.windows(pattern.len());
        let at = windows.position(|window| window == b"a.mi.com");
        let at = at.expect("it is its only row");
        // Of the same length, so that the message stays one.
        payload[at..at + pattern.len()].copy_from_slice(pattern.as_bytes());
        raw(payload)
    };
    let fault = |sealed: &SealedBatch| match shelf().open(sealed) {
        Err(NotOpened::Refused(ListRefused::NotAList(why))) => why.to_string(),
        other => panic!("{other:?}"),
    };
    let said = fault(&suffix("*.com.cn"));
    assert!(said.ends_with(Fault::PublicSuffix.sentence()), "{said}");
    let said = fault(&suffix("a.qq.com"));
    assert!(said.ends_with(Fault::OutsideOwner.sentence()), "{said}");

    let mut other = list(2, Some(1), Vec::new()).rows().to_vec();
    other.insert(0, row(1, "other.miui.com"));
    let made = list(2, None, Vec::new()).made();
    let other = LaterList::new(2, made, other, &|_| false).expect("keeps the rules");
    let refused = shelf().open(&signed(&other, &release_key()));
    let Err(NotOpened::Contradicts(CannotFollow::IdReused { id: 1, .. })) = refused else {
        panic!("{refused:?}")
    };
}

#[test]
fn there_is_an_end_to_it() {
    let shelf = shelf();
    let open = |version| shelf.open(&signed(&list(version, None, Vec::new()), &release_key()));
    for version in 2..10 {
        assert!(open(version).is_ok(), "{version}");
    }
    assert_eq!(open(10).err(), Some(NotOpened::Full));
    // Those that are there stay.
    assert!(open(2).is_ok());
}
