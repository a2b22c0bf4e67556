//! The part of the contract that is about the operator's word: who may report, and who no longer.

use super::engine::Engine;
use super::{append, enrolment, invite, look, now, row, take_in, week};
use phonehome_collector::store::{
    Appended, Approved, Attempt, EnrolAttempt, Enrolled, EraseAttempt, Erased, ForgetAttempt,
    HomeToRevoke, HomeToken, JournalRow, KeyRow, NotItsKey, ReleaseRow, RevokeAttempt, Revoked,
    RevokedHome, RotateAttempt, Rotated, Slice, Standing, Store, Stored, WeekRow,
};
use phonehome_proto::id::{Hash, HomeId};
use phonehome_proto::time::Week;

on_every_engine![
    a_pending_home_reports_once_it_is_approved,
    a_revoked_home_is_out_of_every_week_that_is_not_final,
    a_revoked_homes_keys_are_known_and_do_nothing,
    what_a_revoked_home_said_is_not_found_again,
];

fn id(home: u8) -> HomeId {
    HomeId::of_key(&[home; 32])
}

async fn waits(store: &Store, home: u8) {
    let attempt = EnrolAttempt {
        invite_hash: None,
        uninvited: Some(Standing::Pending),
        ..enrolment(home, home)
    };
    assert_eq!(store.enrol(attempt).await.expect("asks"), Enrolled::Fresh);
}

/// Appends a row of `home`, whose key signed it.
async fn report(store: &Store, home: u8, row: JournalRow) -> Appended {
    let attempt = Attempt::Append {
        row,
        key_hash: Hash::of(&[home; 32]),
    };
    let appended = store.append(vec![attempt]).await.expect("appends");
    appended.into_iter().next().expect("one answer")
}

fn attempt(homes: &[u8], weeks: &[Week]) -> RevokeAttempt {
    let held = |home: u8| weeks.iter().map(move |week| (*week, HomeToken([home; 32])));
    RevokeAttempt {
        homes: homes
            .iter()
            .map(|home| HomeToRevoke {
                home: id(*home),
                held: held(*home).collect(),
                listed: Hash::of(&[*home]),
            })
            .collect(),
        now: now(),
    }
}

async fn revoke(store: &Store, homes: &[u8], weeks: &[Week]) -> Revoked {
    let attempt = attempt(homes, weeks);
    store.revoke(attempt).await.expect("revokes")
}

async fn key(store: &Store, key: u8) -> Option<KeyRow> {
    let found = store.keys(vec![Hash::of(&[key; 32])]).await.expect("reads");
    found[0]
}

async fn week_row(store: &Store, week: Week) -> WeekRow {
    let rows = store.weeks().await.expect("reads");
    let found = rows.into_iter().find(|row| row.week == week);
    found.expect("it was opened")
}

async fn held(store: &Store, week: Week) -> Vec<JournalRow> {
    let page = store.journal_page(week, Slice::WHOLE, None, usize::MAX);
    page.await.expect("reads")
}

async fn a_pending_home_reports_once_it_is_approved(engine: Engine) {
    let (store, _home) = engine.fresh().await;
    let opened = store.open_week(week(), Hash::of(b"key")).await;
    opened.expect("opens");
    waits(&store, 1).await;
    take_in(&store, 2).await;
    assert_eq!(report(&store, 1, row(1, 1)).await, Appended::Stranger);
    let answers = store.approve(vec![id(9), id(2), id(1), id(1)]).await;
    assert_eq!(
        answers.expect("approves"),
        [
            Approved::Unknown,
            Approved::Before,
            Approved::Now,
            Approved::Before
        ]
    );
    assert_eq!(report(&store, 1, row(1, 1)).await, Appended::Fresh);
    let standing = key(&store, 1).await.map(|row| row.standing);
    assert_eq!(standing, Some(Standing::Admitted { counted_from: None }));
}

async fn a_revoked_home_is_out_of_every_week_that_is_not_final(engine: Engine) {
    let (store, _home) = engine.fresh().await;
    for home in [1, 2] {
        take_in(&store, home).await;
    }
    let (first, next) = (week(), week().next());
    for week in [first, next] {
        let opened = store.open_week(week, Hash::of(b"key")).await;
        opened.expect("opens");
    }
    for (home, batch) in [(1, 1), (1, 2), (2, 1)] {
        let fresh = report(&store, home, row(home, batch)).await;
        assert_eq!(fresh, Appended::Fresh);
    }
    let later = JournalRow {
        week: next,
        ..row(1, 3)
    };
    assert_eq!(report(&store, 1, later).await, Appended::Fresh);
    let rotated = store.rotate(RotateAttempt {
        home: id(1),
        key: [1; 32],
        new_key: [3; 32],
        payload_hash: Hash::of(b"a rotation"),
        receipt: vec![1],
        last_day: first.monday(),
    });
    assert_eq!(rotated.await.expect("asks"), Rotated::Fresh);
    store.close_week(first, now()).await.expect("closes");
    let release = ReleaseRow {
        week: first,
        revision: 0,
        text: "{}\n".to_owned(),
        signature: [7; 64],
    };
    let stored = store.release_week(release.clone(), 0, now()).await;
    assert_eq!(stored.expect("stores"), Stored::Fresh);

    // Of some weeks only, nothing is done.
    assert_eq!(revoke(&store, &[1], &[first]).await, Revoked::Otherwise);
    let both = revoke(&store, &[1, 2], &[next]).await;
    assert_eq!(both, Revoked::Otherwise);
    assert_eq!(held(&store, first).await.len(), 3);

    let done = revoke(&store, &[9, 1], &[first, next]).await;
    let answers = vec![RevokedHome::Unknown, RevokedHome::Now(3)];
    assert_eq!(done, Revoked::Done(answers));
    assert_eq!(held(&store, first).await, [row(2, 1)]);
    assert_eq!(held(&store, next).await, []);
    let counts = |row: WeekRow| (row.erasures, row.revocations);
    assert_eq!(counts(week_row(&store, first).await), (1, 1));
    assert_eq!(
        counts(week_row(&store, next).await),
        (1, 0),
        "it is not released yet"
    );
    let again = revoke(&store, &[1], &[first, next]).await;
    assert_eq!(again, Revoked::Done(vec![RevokedHome::Before]));

    // The ledger says which, for whoever can tell, how many, and of which weeks.
    let ledger = store.ledger().await.expect("reads");
    let events: Vec<&str> = ledger.iter().map(|row| row.event.as_str()).collect();
    assert_eq!(
        events.last(),
        Some(&"revoked 1 2026-W46 2026-W47"),
        "{events:?}"
    );
    assert!(
        events[events.len() - 2].starts_with("barred "),
        "{events:?}"
    );
    assert_eq!(events.len(), 4, "{events:?}");

    // A revision that was counted without it has told it.
    let revised = ReleaseRow {
        revision: 1,
        ..release
    };
    let stored = store.release_week(revised, 1, now()).await;
    assert_eq!(stored.expect("stores"), Stored::Fresh);
    assert_eq!(counts(week_row(&store, first).await), (1, 0));
}

async fn a_revoked_homes_keys_are_known_and_do_nothing(engine: Engine) {
    let (store, _home) = engine.fresh().await;
    let opened = store.open_week(week(), Hash::of(b"key")).await;
    opened.expect("opens");
    take_in(&store, 1).await;
    waits(&store, 2).await;
    let rotation = |home: u8, old: u8, new: u8| RotateAttempt {
        home: id(home),
        key: [old; 32],
        new_key: [new; 32],
        payload_hash: Hash::of(&[old, new]),
        receipt: vec![old, new],
        last_day: week().monday(),
    };
    let rotated = store.rotate(rotation(1, 1, 3)).await.expect("asks");
    assert_eq!(rotated, Rotated::Fresh);
    let done = revoke(&store, &[1, 2], &[week()]).await;
    assert_eq!(done, Revoked::Done(vec![RevokedHome::Now(0); 2]));

    // Replaced keys too, and for as long as there is a registry.
    let forget = ForgetAttempt {
        keys_before: week().next().monday(),
        places_before: week().monday(),
        pending_before: week().next().next().monday(),
        now: now(),
    };
    let forgotten = store.forget(forget).await.expect("forgets");
    assert_eq!((forgotten.keys, forgotten.pending), (0, 0));
    for of in [1, 2, 3] {
        let standing = key(&store, of).await.map(|row| row.standing);
        assert_eq!(standing, Some(Standing::Revoked), "key {of}");
    }
    invite(&store, 50, 60).await;
    for home in [1, 2] {
        let enrolled = store.enrol(enrolment(home, 50)).await.expect("asks");
        assert_eq!(enrolled, Enrolled::Revoked);
        assert_eq!(report(&store, home, row(home, 1)).await, Appended::Stranger);
    }
    let elsewhere = store.enrol(enrolment(3, 50)).await.expect("asks");
    assert_eq!(elsewhere, Enrolled::Taken, "a later key is no new home");
    let refused = Rotated::Refused(NotItsKey::Revoked);
    let rotated = store.rotate(rotation(1, 3, 4)).await.expect("asks");
    assert_eq!(rotated, refused);
    let erased = store.erase(EraseAttempt {
        home: id(1),
        key: [3; 32],
        withdrawal_hash: Hash::of(b"a withdrawal"),
        held: vec![(week(), HomeToken([1; 32]), 0)],
        receipt: vec![1],
        forget_at: now(),
        listed: (week().monday(), Hash::of(b"a home")),
    });
    let erased = erased.await.expect("asks");
    assert_eq!(erased, Erased::Refused(NotItsKey::Revoked));
    let approved = store.approve(vec![id(1)]).await.expect("approves");
    assert_eq!(approved, [Approved::Revoked]);
    let ledger = store.ledger().await.expect("reads");
    let last = ledger.last().map(|row| row.event.as_str());
    assert_eq!(last, Some("revoked 2"), "it touched no week");
}

async fn what_a_revoked_home_said_is_not_found_again(engine: Engine) {
    let (store, _home) = engine.fresh().await;
    let opened = store.open_week(week(), Hash::of(b"key")).await;
    opened.expect("opens");
    take_in(&store, 1).await;
    assert_eq!(report(&store, 1, row(1, 1)).await, Appended::Fresh);
    revoke(&store, &[1], &[week()]).await;
    let seen = store.append(vec![look(&row(1, 1))]).await.expect("asks");
    assert_eq!(seen, [Appended::Closed]);
    assert_eq!(append(&store, row(1, 1)).await, Appended::Stranger);
}
