//! The part of the contract that is about how homes come in.

use super::engine::Engine;
use super::{day, enrolment, invite, now, take_in};
use phonehome_collector::store::{
    Crowd, EnrolAttempt, Enrolled, ForgetAttempt, HOMES_PAGE_MAX, InviteRow, PlaceToken, Standing,
    Store,
};
use phonehome_proto::id::{Hash, HomeId};
use phonehome_proto::time::Day;
use std::collections::BTreeSet;

on_every_engine![
    an_invite_opens_the_door_once,
    keys_are_found_by_hash_and_in_order,
    homes_come_in_pages_that_leave_nobody_out,
    an_invite_lets_in_as_many_as_it_says,
    without_an_invite_a_home_stands_as_the_collector_says,
    a_place_sends_so_many_homes_in_two_months,
    what_has_had_its_time_is_forgotten,
];

/// What a home is that was let in by an invite.
const IN: Standing = Standing::Admitted { counted_from: None };

/// A home that brings no invite, at a collector where such homes stand as said.
fn uninvited(home: u8, wish: u8, standing: Option<Standing>) -> EnrolAttempt {
    EnrolAttempt {
        invite_hash: None,
        uninvited: standing,
        ..enrolment(home, wish)
    }
}

async fn enrol(store: &Store, attempt: EnrolAttempt) -> Enrolled {
    store.enrol(attempt).await.expect("asks")
}

async fn standing(store: &Store, home: u8) -> Option<Standing> {
    let key = Hash::of(&[home; 32]);
    let found = store.keys(vec![key]).await.expect("reads")[0];
    let homes = store.homes(None).await.expect("reads");
    let row = homes
        .iter()
        .find(|row| row.home == HomeId::of_key(&[home; 32]));
    assert_eq!(
        found.map(|row| row.standing),
        row.map(|row| row.standing),
        "keys and homes say the same"
    );
    found.map(|row| row.standing)
}

async fn an_invite_opens_the_door_once(engine: Engine) {
    let (store, _home) = engine.fresh().await;
    assert_eq!(
        store.enrol(enrolment(1, 9)).await.expect("asks"),
        Enrolled::InvalidInvite
    );
    invite(&store, 9, 60).await;
    assert_eq!(
        store.enrol(enrolment(1, 9)).await.expect("asks"),
        Enrolled::Fresh
    );
    assert_eq!(
        store.enrol(enrolment(2, 9)).await.expect("asks"),
        Enrolled::InvalidInvite
    );
    // The same enrolment gets the first receipt, whatever the new attempt would have said.
    let again = EnrolAttempt {
        receipt: vec![0],
        ..enrolment(1, 9)
    };
    assert_eq!(
        store.enrol(again).await.expect("asks"),
        Enrolled::Repeated(vec![1, 9])
    );
    // Another enrolment of the same home needs another invite.
    assert_eq!(
        store.enrol(enrolment(1, 8)).await.expect("asks"),
        Enrolled::InvalidInvite
    );
    invite(&store, 8, 60).await;
    assert_eq!(
        store.enrol(enrolment(1, 8)).await.expect("asks"),
        Enrolled::Fresh
    );
    assert_eq!(store.homes(None).await.expect("reads").len(), 1);
    invite(&store, 7, 0).await;
    assert_eq!(
        store.enrol(enrolment(3, 7)).await.expect("asks"),
        Enrolled::InvalidInvite
    );
}

async fn keys_are_found_by_hash_and_in_order(engine: Engine) {
    let (store, _home) = engine.fresh().await;
    for home in [1, 2] {
        take_in(&store, home).await;
    }
    let asked = [2, 9, 1].map(|home| Hash::of(&[home; 32])).to_vec();
    let found = store.keys(asked).await.expect("reads");
    let found: Vec<_> = found.iter().map(|row| row.map(|row| row.key)).collect();
    assert_eq!(found, [Some([2; 32]), None, Some([1; 32])]);
}

async fn homes_come_in_pages_that_leave_nobody_out(engine: Engine) {
    let (store, _home) = engine.fresh().await;
    let count = HOMES_PAGE_MAX + 3;
    let keys: Vec<[u8; 32]> = (0..count)
        .map(|n| *Hash::of(&n.to_be_bytes()).as_bytes())
        .collect();
    let invites = keys.iter().map(|key| InviteRow {
        token_hash: Hash::of(key),
        expires_at: now().plus_seconds(1),
        uses: 1,
    });
    store.add_invites(invites.collect()).await.expect("adds");
    for key in &keys {
        let attempt = EnrolAttempt {
            home: HomeId::of_key(key),
            key: *key,
            invite_hash: Some(Hash::of(key)),
            ..enrolment(1, 9)
        };
        assert_eq!(store.enrol(attempt).await.expect("asks"), Enrolled::Fresh);
    }
    let first = store.homes(None).await.expect("reads");
    assert_eq!(first.len(), HOMES_PAGE_MAX as usize);
    let rest = store
        .homes(first.last().map(|row| row.home))
        .await
        .expect("reads");
    let homes: BTreeSet<HomeId> = first.iter().chain(&rest).map(|row| row.home).collect();
    assert_eq!(homes, keys.iter().map(HomeId::of_key).collect());
    assert!(
        first
            .iter()
            .chain(&rest)
            .all(|row| Some(row.enrolled) == now().day())
    );
}

async fn an_invite_lets_in_as_many_as_it_says(engine: Engine) {
    let (store, _home) = engine.fresh().await;
    let row = InviteRow {
        token_hash: Hash::of(&[9]),
        expires_at: now().plus_seconds(60),
        uses: 3,
    };
    store.add_invites(vec![row]).await.expect("adds");
    for home in 1..=3 {
        assert_eq!(enrol(&store, enrolment(home, 9)).await, Enrolled::Fresh);
        let again = enrol(&store, enrolment(home, 9)).await;
        assert_eq!(
            again,
            Enrolled::Repeated(vec![home, 9]),
            "a repetition is free"
        );
    }
    assert_eq!(
        enrol(&store, enrolment(4, 9)).await,
        Enrolled::InvalidInvite
    );
    assert_eq!(standing(&store, 3).await, Some(IN));
}

async fn without_an_invite_a_home_stands_as_the_collector_says(engine: Engine) {
    let (store, _home) = engine.fresh().await;
    let refused = enrol(&store, uninvited(1, 1, None)).await;
    assert_eq!(refused, Enrolled::InvalidInvite);
    let trial = Standing::Admitted {
        counted_from: Some(day().plus(7)),
    };
    for (home, standing_of) in [(1, Standing::Pending), (2, trial)] {
        let attempt = uninvited(home, 1, Some(standing_of));
        assert_eq!(enrol(&store, attempt.clone()).await, Enrolled::Fresh);
        assert_eq!(standing(&store, home).await, Some(standing_of));
        assert_eq!(
            enrol(&store, attempt).await,
            Enrolled::Repeated(vec![home, 1])
        );
        // Another wish without an invite changes nothing, whatever the collector says by now.
        let later = uninvited(home, 2, Some(IN));
        assert_eq!(enrol(&store, later).await, Enrolled::Fresh);
        assert_eq!(standing(&store, home).await, Some(standing_of));
    }
    // A bad invite is no good anywhere; a good one admits.
    let bad = EnrolAttempt {
        uninvited: Some(IN),
        ..enrolment(3, 9)
    };
    assert_eq!(enrol(&store, bad.clone()).await, Enrolled::InvalidInvite);
    assert_eq!(standing(&store, 3).await, None);
    for home in [1, 2] {
        invite(&store, 20 + home, 60).await;
        assert_eq!(
            enrol(&store, enrolment(home, 20 + home)).await,
            Enrolled::Fresh
        );
        assert_eq!(standing(&store, home).await, Some(IN));
    }
}

fn crowd(this: u8, last: Option<u8>, homes_max: u32) -> Crowd {
    Crowd {
        this_month: PlaceToken([this; 32]),
        last_month: last.map(|place| PlaceToken([place; 32])),
        homes_max,
    }
}

fn from(home: u8, crowds: Vec<Crowd>, months: [Day; 2]) -> EnrolAttempt {
    EnrolAttempt {
        crowds,
        months,
        ..uninvited(home, 1, Some(IN))
    }
}

async fn a_place_sends_so_many_homes_in_two_months(engine: Engine) {
    let (store, _home) = engine.fresh().await;
    let (october, november, december) = (day(), day().plus(31), day().plus(61));
    let autumn = [november, october];
    let here = || vec![crowd(1, None, 2), crowd(2, None, 9)];
    for home in [1, 2] {
        let attempt = from(home, here(), autumn);
        assert_eq!(enrol(&store, attempt.clone()).await, Enrolled::Fresh);
        assert_eq!(
            enrol(&store, attempt).await,
            Enrolled::Repeated(vec![home, 1])
        );
    }
    assert_eq!(
        enrol(&store, from(3, here(), autumn)).await,
        Enrolled::Crowded
    );
    assert_eq!(standing(&store, 3).await, None, "nothing of it is kept");
    // A home that is in is in, wherever it is; and there is room elsewhere.
    let known = EnrolAttempt {
        payload_hash: Hash::of(b"another wish"),
        ..from(1, here(), autumn)
    };
    assert_eq!(enrol(&store, known).await, Enrolled::Fresh);
    let elsewhere = vec![crowd(3, None, 2), crowd(2, None, 3)];
    assert_eq!(
        enrol(&store, from(4, elsewhere, autumn)).await,
        Enrolled::Fresh
    );
    // Who is crowded out of one place is counted in none of them: the wider one holds three.
    let wider = vec![crowd(2, None, 3)];
    assert_eq!(
        enrol(&store, from(5, wider, autumn)).await,
        Enrolled::Crowded
    );
    let wider = vec![crowd(2, None, 4)];
    assert_eq!(enrol(&store, from(5, wider, autumn)).await, Enrolled::Fresh);

    // The month after counts the month before, under the name it had then.
    let winter = [december, november];
    let same = vec![crowd(11, Some(1), 3)];
    assert_eq!(
        enrol(&store, from(6, same.clone(), winter)).await,
        Enrolled::Fresh
    );
    assert_eq!(
        enrol(&store, from(7, same, winter)).await,
        Enrolled::Crowded
    );
    // An invite that was not used is there for the next.
    invite(&store, 30, 60).await;
    let invited = EnrolAttempt {
        crowds: vec![crowd(11, Some(1), 3)],
        months: winter,
        ..enrolment(8, 30)
    };
    assert_eq!(enrol(&store, invited.clone()).await, Enrolled::Crowded);
    let roomy = EnrolAttempt {
        crowds: Vec::new(),
        ..invited
    };
    assert_eq!(enrol(&store, roomy).await, Enrolled::Fresh);
}

async fn what_has_had_its_time_is_forgotten(engine: Engine) {
    let (store, _home) = engine.fresh().await;
    let forget = |places_before, pending_before, now| ForgetAttempt {
        keys_before: day(),
        places_before,
        pending_before,
        now,
    };
    let forgets = async |attempt| store.forget(attempt).await.expect("forgets");
    // One spent invite, one that expires, one that lasts.
    invite(&store, 40, 60).await;
    invite(&store, 41, 30).await;
    invite(&store, 42, 60).await;
    assert_eq!(enrol(&store, enrolment(1, 40)).await, Enrolled::Fresh);
    let none = forgets(forget(day(), day(), now())).await;
    assert_eq!((none.invites, none.places, none.pending), (1, 0, 0));
    let some = forgets(forget(day(), day(), now().plus_seconds(30))).await;
    assert_eq!(some.invites, 1);
    assert_eq!(
        enrol(&store, enrolment(2, 41)).await,
        Enrolled::InvalidInvite
    );
    assert_eq!(enrol(&store, enrolment(2, 42)).await, Enrolled::Fresh);

    let months = [day(), day()];
    let here = || vec![crowd(1, None, 1)];
    assert_eq!(
        enrol(&store, from(3, here(), months)).await,
        Enrolled::Fresh
    );
    assert_eq!(
        enrol(&store, from(4, here(), months)).await,
        Enrolled::Crowded
    );
    assert_eq!(forgets(forget(day(), day(), now())).await.places, 0);
    assert_eq!(forgets(forget(day().plus(1), day(), now())).await.places, 1);
    assert_eq!(
        enrol(&store, from(4, here(), months)).await,
        Enrolled::Fresh
    );

    let waits = uninvited(5, 1, Some(Standing::Pending));
    assert_eq!(enrol(&store, waits.clone()).await, Enrolled::Fresh);
    assert_eq!(forgets(forget(day(), day(), now())).await.pending, 0);
    let late = forgets(forget(day(), day().plus(1), now())).await;
    assert_eq!(late.pending, 1);
    assert_eq!(standing(&store, 5).await, None);
    assert_eq!(standing(&store, 3).await, Some(IN), "only who waits");
    assert_eq!(
        enrol(&store, waits).await,
        Enrolled::Fresh,
        "it may ask again"
    );
}
