use super::*;
use crate::verify::fixture::{identity, key, tuesday_noon};
use phonehome_proto::chance::{SeededChance, SharedChance};
use phonehome_proto::{encode, enrolment};

struct Bench {
    folder: tempfile::TempDir,
    registry: Registry,
    invites: Vec<Invite>,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("collector.db"), true).await;
        let months = MonthKeys::new(
            folder.path().to_owned(),
            SharedChance::new(SeededChance::new(3)),
        );
        let registry = Registry::new(store.expect("opens"), months, Limits::default());
        let bench = Self {
            folder,
            registry,
            invites: Vec::new(),
        };
        let order = InviteOrder {
            count: 2,
            ..InviteOrder::default()
        };
        let invites = bench.invites(order).await;
        Self { invites, ..bench }
    }

    async fn invites(&self, order: InviteOrder) -> Vec<Invite> {
        let (identity, now) = (identity(), tuesday_noon());
        let mut chance = SeededChance::new(u64::from(order.uses));
        let invites = self
            .registry
            .invite(order, "a:1", &identity, &mut chance, now);
        invites.await.expect("invites")
    }

    /// A home asks a collector in `mode`, from a household of the block 192.0.2.0/24.
    async fn asks_from(
        &self,
        home: u8,
        household: u8,
        mode: EnrolmentMode,
        token: &[u8],
    ) -> Answer {
        let enrolment = enrolment::Enrolment {
            audience: identity().audience(),
            invite_hash: Hash::of(token),
            consent_hash: Hash::of(b"yes"),
        };
        let payload = encode::enrolment(&enrolment);
        let sealed = SealedBatch::seal(PayloadType::Enrol, payload, &key(home));
        let whence = Whence {
            address: Some([192, 0, 2, household].into()),
            network: None,
        };
        let identity = identity().announcing(mode);
        let answer = self
            .registry
            .enrol(&sealed, token, &whence, &identity, tuesday_noon());
        answer.await.expect("the store answers")
    }

    async fn standing(&self, home: u8) -> Option<Standing> {
        let sealed = SealedBatch::seal(PayloadType::Batch, Vec::new(), &key(home));
        let keys = self.registry.keys(&[sealed]).await.expect("reads");
        keys[0].map(|key| key.standing)
    }

    /// Home 1 asks with a payload and a token; what it hears.
    async fn ask(&self, payload: Vec<u8>, token: &[u8], now: Timestamp) -> Answer {
        let sealed = SealedBatch::seal(PayloadType::Enrol, payload, &key(1));
        self.registry
            .enrol(&sealed, token, &Whence::default(), &identity(), now)
            .await
            .expect("the store answers")
    }

    async fn hears(&self, sealed: &SealedBatch, token: &[u8]) -> Answer {
        let now = tuesday_noon();
        self.registry
            .enrol(sealed, token, &Whence::default(), &identity(), now)
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
        mine.token_bytes(),
        Reject::UnknownType,
    )
    .await;
    let large = vec![0; limits::PAYLOAD_BYTES_MAX + 1];
    let large = SealedBatch::seal(PayloadType::Enrol, large, &key(1));
    check(large, mine.token_bytes(), Reject::TooLarge).await;
    for public_key in [Vec::new(), vec![0; 32], key(2).public().as_bytes().to_vec()] {
        let sealed = SealedBatch {
            public_key,
            ..good.clone()
        };
        check(sealed, mine.token_bytes(), Reject::BadSignature).await;
    }
    let unreadable = SealedBatch::seal(PayloadType::Enrol, vec![0xff], &key(1));
    check(unreadable, mine.token_bytes(), Reject::Malformed).await;
    let elsewhere = payload_for(Audience::new([9; 32]), mine);
    let elsewhere = SealedBatch::seal(PayloadType::Enrol, elsewhere, &key(1));
    check(elsewhere, mine.token_bytes(), Reject::WrongAudience).await;
    // The token must be the one that was signed for, even where another would open the door.
    check(good.clone(), other.token_bytes(), Reject::InvalidInvite).await;
    check(good.clone(), b"", Reject::InvalidInvite).await;
    // None of it spent the invite.
    assert!(matches!(
        bench.hears(&good, mine.token_bytes()).await,
        Answer::Fresh(_)
    ));
}

#[tokio::test]
async fn the_same_enrolment_gets_the_same_receipt_also_later() {
    let bench = Bench::new().await;
    let invite = &bench.invites[0];
    let Answer::Fresh(first) = bench
        .ask(payload(invite), invite.token_bytes(), tuesday_noon())
        .await
    else {
        panic!("the invite is good");
    };
    let later = tuesday_noon().plus_seconds(90 * 86_400);
    let again = bench
        .ask(payload(invite), invite.token_bytes(), later)
        .await;
    assert_eq!(again, Answer::Repeated(first));
}

#[tokio::test]
async fn an_invite_expires() {
    let bench = Bench::new().await;
    let invite = &bench.invites[0];
    let days = i64::from(InviteOrder::default().days);
    let late = tuesday_noon().plus_seconds(days * 86_400);
    let refused = bench.ask(payload(invite), invite.token_bytes(), late).await;
    assert_eq!(refused, Answer::Refused(Reject::InvalidInvite));
    let in_time = bench
        .ask(payload(invite), invite.token_bytes(), late.plus_seconds(-1))
        .await;
    assert!(matches!(in_time, Answer::Fresh(_)));
}

#[tokio::test]
async fn only_enrolled_keys_are_found() {
    let bench = Bench::new().await;
    let invite = &bench.invites[0];
    let _ = bench
        .ask(payload(invite), invite.token_bytes(), tuesday_noon())
        .await;
    let of = |home| SealedBatch::seal(PayloadType::Batch, Vec::new(), &key(home));
    let found = bench.registry.keys(&[of(2), of(1)]).await.expect("reads");
    let mine = HomeKey {
        home: key(1).public().home(),
        key: key(1).public(),
        last_day: None,
        standing: Standing::Admitted { counted_from: None },
    };
    assert_eq!(found, [None, Some(mine)]);
    let homes = bench.registry.homes(None).await.expect("reads");
    assert_eq!(
        homes.iter().map(|row| row.home).collect::<Vec<_>>(),
        [mine.home]
    );
}

#[tokio::test]
async fn the_mode_decides_over_who_brings_no_invite() {
    let bench = Bench::new().await;
    let [approval, open] = [EnrolmentMode::Approval, EnrolmentMode::Open];
    let refused = bench.asks_from(1, 1, EnrolmentMode::Invite, b"").await;
    assert_eq!(refused, Answer::Refused(Reject::InvalidInvite));
    assert_eq!(bench.standing(1).await, None);
    let waits = bench.asks_from(1, 1, approval, b"").await;
    assert!(matches!(waits, Answer::Fresh(_)));
    assert_eq!(bench.standing(1).await, Some(Standing::Pending));
    let trial = bench.asks_from(2, 1, open, b"").await;
    assert!(matches!(trial, Answer::Fresh(_)));
    let eighth_day = tuesday_noon().day().expect("a day").plus(7);
    let counted_from = Some(eighth_day);
    assert_eq!(
        bench.standing(2).await,
        Some(Standing::Admitted { counted_from })
    );
    // A good invite admits everywhere, a bad one nowhere.
    let invite = bench.invites[0].token_bytes();
    let bad = bench.asks_from(3, 2, open, b"a guess").await;
    assert_eq!(bad, Answer::Refused(Reject::InvalidInvite));
    let good = bench.asks_from(3, 2, open, invite).await;
    assert!(matches!(good, Answer::Fresh(_)));
    let counted_from = None;
    assert_eq!(
        bench.standing(3).await,
        Some(Standing::Admitted { counted_from })
    );
}

#[tokio::test]
async fn a_household_and_its_block_send_so_many() {
    let bench = Bench::new().await;
    let open = EnrolmentMode::Open;
    let too_many = Answer::Refused(Reject::TooMany);
    for home in [1, 2] {
        let answer = bench.asks_from(home, 1, open, b"").await;
        assert!(matches!(answer, Answer::Fresh(_)));
    }
    assert_eq!(bench.asks_from(3, 1, open, b"").await, too_many);
    // An invite opens the door, not the limit; and it is not used up by trying.
    let invite = bench.invites[0].token_bytes();
    assert_eq!(bench.asks_from(3, 1, open, invite).await, too_many);
    // 16 homes of the /24 by default, two a household.
    for home in 3..=16 {
        let answer = bench.asks_from(home, 1 + home / 2, open, b"").await;
        assert!(matches!(answer, Answer::Fresh(_)), "{home}");
    }
    assert_eq!(bench.asks_from(17, 200, open, b"").await, too_many);
    let again = bench.asks_from(16, 9, open, b"").await;
    assert!(matches!(again, Answer::Repeated(_)), "who is in is in");
    // The month after next, nothing is left of it: neither counters nor the key.
    let files = || {
        let entries = std::fs::read_dir(bench.folder.path()).expect("reads");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        names
            .filter(|name| name.to_string_lossy().ends_with(".month.key"))
            .count()
    };
    let later = |days: i64| tuesday_noon().plus_seconds(days * 86_400);
    assert_eq!(files(), 1);
    let next_month = bench.registry.forget(later(30)).await.expect("forgets");
    assert_eq!((next_month.places, files()), (0, 1));
    let after_next = bench.registry.forget(later(60)).await.expect("forgets");
    // The block, and the households 1 to 9.
    assert_eq!((after_next.places, files()), (10, 0));
}

#[tokio::test]
async fn attempts_and_spending_are_bounded() {
    let bench = Bench::new().await;
    let now = tuesday_noon();
    let from = |household: u8| Whence {
        address: Some([192, 0, 2, household].into()),
        network: None,
    };
    let most = Limits::default().attempts_per_hour;
    for _ in 0..most {
        assert_eq!(bench.registry.attempt(&from(1), now), Spent::Fits);
    }
    assert_eq!(bench.registry.attempt(&from(1), now), Spent::Over);
    assert_eq!(bench.registry.attempt(&from(2), now), Spent::Fits);
    let nowhere = Whence::default();
    for _ in 0..=most {
        assert_eq!(bench.registry.attempt(&nowhere, now), Spent::Fits);
    }
    let hour = now.plus_seconds(3_600);
    assert_eq!(bench.registry.attempt(&from(1), hour), Spent::Fits);

    let (home, all) = (HomeId::new([7; 32]), Limits::default().home_day.bytes);
    let all = usize::try_from(all).expect("megabytes");
    assert_eq!(bench.registry.spend(home, all, now), Spent::Fits);
    assert_eq!(bench.registry.spend(home, 1, now), Spent::Over);
    let tomorrow = now.plus_seconds(86_400);
    assert_eq!(bench.registry.spend(home, 1, tomorrow), Spent::Fits);
}
