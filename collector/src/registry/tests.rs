use super::*;
use crate::verify::fixture::{identity, key, tuesday_noon};
use phonehome_proto::chance::SeededChance;
use phonehome_proto::{encode, enrolment};

struct Bench {
    _folder: tempfile::TempDir,
    registry: Registry,
    invites: Vec<Invite>,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("collector.db"), true).await;
        let registry = Registry::new(store.expect("opens"));
        let mut chance = SeededChance::new(2);
        let now = tuesday_noon();
        let invites = registry
            .invite(2, "a:1", &identity(), &mut chance, now)
            .await;
        Self {
            _folder: folder,
            registry,
            invites: invites.expect("invites"),
        }
    }

    /// Home 1 asks with a payload and a token; what it hears.
    async fn ask(&self, payload: Vec<u8>, token: &[u8], now: Timestamp) -> Answer {
        let sealed = SealedBatch::seal(PayloadType::Enrol, payload, &key(1));
        self.registry
            .enrol(&sealed, token, &identity(), now)
            .await
            .expect("the store answers")
    }

    async fn hears(&self, sealed: &SealedBatch, token: &[u8]) -> Answer {
        let now = tuesday_noon();
        self.registry
            .enrol(sealed, token, &identity(), now)
            .await
            .expect("the store answers")
    }
}

fn payload(invite: &Invite) -> Vec<u8> {
    payload_for(identity().audience(), invite)
}

fn payload_for(audience: Audience, invite: &Invite) -> Vec<u8> {
    encode::enrolment(&enrolment::Enrolment {
        audience,
        invite_hash: invite.token_hash(),
        consent_hash: Hash::of(b"yes"),
    })
}

#[tokio::test]
async fn every_refusal_has_its_enrolment() {
    let bench = Bench::new().await;
    let [mine, other] = &bench.invites[..] else {
        panic!("two invites")
    };
    let good = SealedBatch::seal(PayloadType::Enrol, payload(mine), &key(1));
    let check = async |sealed: SealedBatch, token: &[u8], reject| {
        assert_eq!(
            bench.hears(&sealed, token).await,
            Answer::Refused(reject),
            "{reject:?}"
        );
    };
    let payload_type = PayloadType::Batch.as_str().to_owned();
    check(
        SealedBatch {
            payload_type,
            ..good.clone()
        },
        &mine.token,
        Reject::UnknownType,
    )
    .await;
    let large = vec![0; limits::PAYLOAD_BYTES_MAX + 1];
    let large = SealedBatch::seal(PayloadType::Enrol, large, &key(1));
    check(large, &mine.token, Reject::TooLarge).await;
    for public_key in [Vec::new(), vec![0; 32], key(2).public().as_bytes().to_vec()] {
        let sealed = SealedBatch {
            public_key,
            ..good.clone()
        };
        check(sealed, &mine.token, Reject::BadSignature).await;
    }
    let unreadable = SealedBatch::seal(PayloadType::Enrol, vec![0xff], &key(1));
    check(unreadable, &mine.token, Reject::Malformed).await;
    let elsewhere = payload_for(Audience::new([9; 32]), mine);
    let elsewhere = SealedBatch::seal(PayloadType::Enrol, elsewhere, &key(1));
    check(elsewhere, &mine.token, Reject::WrongAudience).await;
    // The token must be the one that was signed for, even where another would open the door.
    check(good.clone(), &other.token, Reject::InvalidInvite).await;
    check(good.clone(), b"", Reject::InvalidInvite).await;
    // None of it spent the invite.
    assert!(matches!(
        bench.hears(&good, &mine.token).await,
        Answer::Fresh(_)
    ));
}

#[tokio::test]
async fn the_same_enrolment_gets_the_same_receipt_also_later() {
    let bench = Bench::new().await;
    let invite = &bench.invites[0];
    let Answer::Fresh(first) = bench
        .ask(payload(invite), &invite.token, tuesday_noon())
        .await
    else {
        panic!("the invite is good");
    };
    let later = tuesday_noon().plus_seconds(90 * 86_400);
    let again = bench.ask(payload(invite), &invite.token, later).await;
    assert_eq!(again, Answer::Repeated(first));
}

#[tokio::test]
async fn an_invite_expires() {
    let bench = Bench::new().await;
    let invite = &bench.invites[0];
    let late = tuesday_noon().plus_seconds(INVITE_DAYS * 86_400);
    let refused = bench.ask(payload(invite), &invite.token, late).await;
    assert_eq!(refused, Answer::Refused(Reject::InvalidInvite));
    let in_time = bench
        .ask(payload(invite), &invite.token, late.plus_seconds(-1))
        .await;
    assert!(matches!(in_time, Answer::Fresh(_)));
}

#[tokio::test]
async fn only_enrolled_keys_are_found() {
    let bench = Bench::new().await;
    let invite = &bench.invites[0];
    let _ = bench
        .ask(payload(invite), &invite.token, tuesday_noon())
        .await;
    let of = |home| SealedBatch::seal(PayloadType::Batch, Vec::new(), &key(home));
    let found = bench.registry.keys(&[of(2), of(1)]).await.expect("reads");
    let mine = HomeKey {
        home: key(1).public().home(),
        key: key(1).public(),
        last_day: None,
    };
    assert_eq!(found, [None, Some(mine)]);
    let homes = bench.registry.homes().await.expect("reads");
    assert_eq!(
        homes.iter().map(|row| row.home).collect::<Vec<_>>(),
        [mine.home]
    );
}
