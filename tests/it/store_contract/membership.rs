//! The part of the contract that is about homes that change their key, or leave.

use super::engine::Engine;
use super::{append, attempt, enrolment, invite, look, now, row, take_in, week};
use phonehome_collector::store::{
    Appended, Enrolled, EraseAttempt, Erased, ForgetAttempt, Forgotten, HomeToken, JournalRow,
    KeyRow, NotItsKey, ReleaseRow, RotateAttempt, Rotated, Slice, Standing, Store, Stored,
};
use phonehome_proto::id::{Hash, HomeId};
use phonehome_proto::limits;
use phonehome_proto::time::{Day, Week};

on_every_engine![
    a_rotation_is_done_once_and_by_the_current_key,
    replaced_keys_are_bounded_and_forgotten,
    a_home_is_erased_whole_and_alone,
    a_release_is_not_stored_with_a_home_that_has_left,
    only_who_is_in_the_registry_reports,
];

fn last_day() -> Day {
    week().monday().plus(2)
}

/// A home's wish to be known by `new` instead of `old`.
fn rotation(home: u8, old: u8, new: u8) -> RotateAttempt {
    RotateAttempt {
        home: HomeId::of_key(&[home; 32]),
        key: [old; 32],
        new_key: [new; 32],
        payload_hash: Hash::of(&[home, old, new]),
        receipt: vec![old, new],
        last_day: last_day(),
    }
}

/// To forget keys of days before this one, and nothing else that is there.
fn forget(keys_before: Day) -> ForgetAttempt {
    ForgetAttempt {
        keys_before,
        places_before: week().monday(),
        pending_before: week().monday(),
        now: now(),
    }
}

/// A home's wish to be forgotten, signed with `key`; it is taken to hold `held`.
fn erasure(home: u8, key: u8, held: &[(Week, u32)]) -> EraseAttempt {
    let token = |(week, count): &(Week, u32)| (*week, HomeToken([home; 32]), *count);
    EraseAttempt {
        home: HomeId::of_key(&[home; 32]),
        key: [key; 32],
        withdrawal_hash: Hash::of(&[home, key]),
        held: held.iter().map(token).collect(),
        receipt: vec![home, key, 77],
        forget_at: now().plus_seconds(60),
        listed: (week().monday(), Hash::of(&[home])),
    }
}

async fn rotate(store: &Store, attempt: RotateAttempt) -> Rotated {
    store.rotate(attempt).await.expect("asks")
}

async fn erase(store: &Store, attempt: EraseAttempt) -> Erased {
    store.erase(attempt).await.expect("asks")
}

async fn key(store: &Store, key: u8) -> Option<KeyRow> {
    let found = store.keys(vec![Hash::of(&[key; 32])]).await.expect("reads");
    found[0]
}

/// Appends a row of `home`, whose key signed it.
async fn report(store: &Store, home: u8, batch: u8) -> Appended {
    let attempt = phonehome_collector::store::Attempt::Append {
        row: row(home, batch),
        key_hash: Hash::of(&[home; 32]),
    };
    let appended = store.append(vec![attempt]).await.expect("appends");
    appended.into_iter().next().expect("one answer")
}

async fn rows(store: &Store) -> Vec<JournalRow> {
    let page = store.journal_page(week(), Slice::WHOLE, None, usize::MAX);
    page.await.expect("reads")
}

async fn a_rotation_is_done_once_and_by_the_current_key(engine: Engine) {
    let (store, _home) = engine.fresh().await;
    take_in(&store, 1).await;
    take_in(&store, 2).await;
    let refused = |why| Rotated::Refused(why);
    // Nobody's key, another home's key; to a key another home has, or to itself.
    assert_eq!(
        rotate(&store, rotation(1, 9, 3)).await,
        refused(NotItsKey::Unknown)
    );
    assert_eq!(
        rotate(&store, rotation(1, 2, 3)).await,
        refused(NotItsKey::OtherHome)
    );
    assert_eq!(rotate(&store, rotation(1, 1, 2)).await, Rotated::Taken);
    assert_eq!(rotate(&store, rotation(1, 1, 1)).await, Rotated::Taken);

    assert_eq!(rotate(&store, rotation(1, 1, 3)).await, Rotated::Fresh);
    let again = RotateAttempt {
        receipt: vec![0],
        ..rotation(1, 1, 3)
    };
    assert_eq!(rotate(&store, again).await, Rotated::Repeated(vec![1, 3]));
    let home = HomeId::of_key(&[1; 32]);
    let (old, new) = (key(&store, 1).await, key(&store, 3).await);
    let row = |key, last_day| KeyRow {
        home,
        key: [key; 32],
        last_day,
        standing: Standing::Admitted { counted_from: None },
    };
    assert_eq!(
        (old, new),
        (Some(row(1, Some(last_day()))), Some(row(3, None)))
    );
    let homes = store.homes(None).await.expect("reads");
    let counts: Vec<_> = homes
        .iter()
        .map(|row| (row.home == home, row.keys))
        .collect();
    assert!(
        counts.contains(&(true, 2)) && counts.contains(&(false, 1)),
        "{counts:?}"
    );

    // The old key does nothing more; nor does the home's own past come back.
    assert_eq!(
        rotate(&store, rotation(1, 1, 4)).await,
        refused(NotItsKey::Retired)
    );
    assert_eq!(rotate(&store, rotation(1, 3, 1)).await, Rotated::Taken);
    assert_eq!(rotate(&store, rotation(1, 3, 4)).await, Rotated::Fresh);
    assert_eq!(
        rotate(&store, rotation(1, 1, 3)).await,
        refused(NotItsKey::Retired)
    );
    assert_eq!(
        erase(&store, erasure(1, 1, &[])).await,
        Erased::Refused(NotItsKey::Retired)
    );
    assert_eq!(
        store.enrol(enrolment(1, 1)).await.expect("asks"),
        Enrolled::Retired
    );
    // A later key of one home is not the first of another.
    invite(&store, 50, 60).await;
    assert_eq!(
        store.enrol(enrolment(4, 50)).await.expect("asks"),
        Enrolled::Taken
    );
}

async fn replaced_keys_are_bounded_and_forgotten(engine: Engine) {
    let (store, _home) = engine.fresh().await;
    take_in(&store, 1).await;
    let full = u8::try_from(limits::RETIRED_KEYS_MAX).expect("a few") + 1;
    for old in 1..full {
        assert_eq!(
            rotate(&store, rotation(1, old, old + 1)).await,
            Rotated::Fresh
        );
    }
    let next = rotation(1, full, full + 1);
    assert_eq!(rotate(&store, next.clone()).await, Rotated::Full);
    let none = store.forget(forget(last_day())).await.expect("forgets");
    assert_eq!(
        none,
        Forgotten {
            invites: 1,
            ..Forgotten::default()
        }
    );
    let some = store
        .forget(forget(last_day().plus(1)))
        .await
        .expect("forgets");
    assert_eq!(some.keys, usize::from(full) - 1);
    assert_eq!(
        (key(&store, 1).await, key(&store, full).await.is_some()),
        (None, true)
    );
    assert_eq!(rotate(&store, next).await, Rotated::Fresh);
    // What brought the current key is repeated also when the key before is forgotten.
    store
        .forget(forget(last_day().plus(1)))
        .await
        .expect("forgets");
    let again = rotate(&store, rotation(1, full, full + 1)).await;
    assert_eq!(again, Rotated::Repeated(vec![full, full + 1]));
    // The first key is forgotten, but not that the home is named after it.
    assert_eq!(
        store.enrol(enrolment(1, 1)).await.expect("asks"),
        Enrolled::Retired
    );
    assert_eq!(
        rotate(&store, rotation(1, full + 1, 1)).await,
        Rotated::Taken
    );
}

async fn a_home_is_erased_whole_and_alone(engine: Engine) {
    let (store, _home) = engine.fresh().await;
    for home in [1, 2] {
        take_in(&store, home).await;
    }
    let next = week().next();
    for week in [week(), next] {
        store
            .open_week(week, Hash::of(b"key"))
            .await
            .expect("opens");
    }
    for (home, batch) in [(1, 1), (1, 2), (2, 1)] {
        assert_eq!(report(&store, home, batch).await, Appended::Fresh);
    }
    rotate(&store, rotation(1, 1, 3)).await;

    // A receipt that would not be true, or not of every week, erases nothing.
    let otherwise = Erased::Otherwise(vec![(week(), 2), (next, 0)]);
    let wrong = erasure(1, 3, &[(week(), 1), (next, 0)]);
    assert_eq!(erase(&store, wrong).await, otherwise);
    let some = erasure(1, 3, &[(week(), 2)]);
    assert_eq!(
        erase(&store, some).await,
        Erased::Otherwise(vec![(week(), 2)])
    );
    let stranger = erasure(1, 9, &[(week(), 2), (next, 0)]);
    assert_eq!(
        erase(&store, stranger).await,
        Erased::Refused(NotItsKey::Unknown)
    );
    let other = erasure(1, 2, &[(week(), 2), (next, 0)]);
    assert_eq!(
        erase(&store, other).await,
        Erased::Refused(NotItsKey::OtherHome)
    );
    assert_eq!(rows(&store).await.len(), 3);

    let mine = erasure(1, 3, &[(week(), 2), (next, 0)]);
    assert_eq!(erase(&store, mine.clone()).await, Erased::Done);
    assert_eq!(rows(&store).await, [row(2, 1)]);
    assert_eq!((key(&store, 1).await, key(&store, 3).await), (None, None));
    assert_eq!(store.homes(None).await.expect("reads").len(), 1);
    let erasures: Vec<_> = store.weeks().await.expect("reads");
    assert_eq!(
        erasures.iter().map(|row| row.erasures).collect::<Vec<_>>(),
        [1, 0]
    );

    // Nothing of it comes back: not what was under way, not what is looked for.
    assert_eq!(report(&store, 1, 1).await, Appended::Stranger);
    let seen = store.append(vec![look(&row(1, 1))]).await.expect("asks");
    assert_eq!(seen, [Appended::Closed]);
    // Repeated, by whatever key: the same.
    assert_eq!(
        erase(&store, mine.clone()).await,
        Erased::Repeated(vec![1, 3, 77])
    );
    let later = EraseAttempt {
        key: [9; 32],
        held: Vec::new(),
        ..mine.clone()
    };
    assert_eq!(erase(&store, later).await, Erased::Repeated(vec![1, 3, 77]));
    // Until its time is over.
    let time = mine.forget_at;
    let at = |now| ForgetAttempt {
        now,
        ..forget(week().monday())
    };
    let forgotten = store.forget(at(time.plus_seconds(-1))).await;
    assert_eq!(forgotten.expect("forgets").withdrawals, 0);
    let forgotten = store.forget(at(time)).await;
    assert_eq!(forgotten.expect("forgets").withdrawals, 1);
    assert_eq!(
        erase(&store, mine).await,
        Erased::Refused(NotItsKey::Unknown)
    );
    // Who comes back is new.
    invite(&store, 60, 60).await;
    assert_eq!(
        store.enrol(enrolment(1, 60)).await.expect("asks"),
        Enrolled::Fresh
    );
}

async fn a_release_is_not_stored_with_a_home_that_has_left(engine: Engine) {
    let (store, _home) = engine.fresh().await;
    take_in(&store, 1).await;
    store
        .open_week(week(), Hash::of(b"key"))
        .await
        .expect("opens");
    assert_eq!(report(&store, 1, 1).await, Appended::Fresh);
    store.close_week(week(), now()).await.expect("closes");
    assert_eq!(
        erase(&store, erasure(1, 1, &[(week(), 1)])).await,
        Erased::Done
    );
    let release = ReleaseRow {
        week: week(),
        revision: 0,
        text: "{}\n".to_owned(),
        signature: [7; 64],
    };
    let stale = store.release_week(release.clone(), 0, now()).await;
    assert_eq!(stale.expect("asks"), Stored::Outdated);
    assert_eq!(store.releases().await.expect("reads"), []);
    let fresh = store.release_week(release, 1, now()).await;
    assert_eq!(fresh.expect("stores"), Stored::Fresh);
}

async fn only_who_is_in_the_registry_reports(engine: Engine) {
    let (store, _home) = engine.fresh().await;
    store
        .open_week(week(), Hash::of(b"key"))
        .await
        .expect("opens");
    assert_eq!(append(&store, row(1, 1)).await, Appended::Stranger);
    take_in(&store, 1).await;
    assert_eq!(report(&store, 1, 1).await, Appended::Fresh);
    let both = vec![attempt(row(1, 2)), attempt(row(1, 1))];
    let answers = store.append(both).await.expect("asks");
    assert_eq!(answers, [Appended::Stranger, Appended::Repeated(row(1, 1))]);
}
