//! The store contract, one suite for each engine.
//!
//! Nothing here knows how an engine works: a rule takes one, and `on_every_engine` tries it on each.

#[macro_use]
mod engine;

mod enrolment;
mod folding;
mod membership;
mod revision;
mod shifts;
mod standing;

use engine::{Engine, Home};
use phonehome_collector::geo::network::{Asn, Origin};
use phonehome_collector::store::{
    Appended, Attempt, BatchToken, EnrolAttempt, Enrolled, HOME_WEEK_BATCHES_MAX, HomeToken,
    InviteRow, JournalRow, LedgerRow, ReleaseRow, Slice, Store, StoreError, Stored, WeekState,
};
use phonehome_proto::id::{Audience, Hash, HomeId};
use phonehome_proto::manifest::Purpose;
use phonehome_proto::net::Country;
use phonehome_proto::time::{Day, Timestamp, Week};

/// The key that signs whatever is appended here, where it does not matter whose batch it is.
const REPORTER: [u8; 32] = [200; 32];

on_every_engine![
    a_row_is_appended_once_and_comes_back_whole,
    a_list_is_answered_in_order_and_sees_itself,
    a_home_fills_its_week_and_nobody_elses,
    pages_and_slices_hold_every_row_once_and_keep_homes_together,
    a_week_only_moves_on,
    a_large_week_is_destroyed_whole_and_alone,
    the_ledger_is_a_chain,
    a_store_belongs_to_one_collector_and_one_purpose,
];

/// A fresh store with the reporter in its registry.
async fn reporting(engine: Engine) -> (Store, Home) {
    let (store, home) = engine.fresh().await;
    take_in(&store, REPORTER[0]).await;
    (store, home)
}

async fn take_in(store: &Store, home: u8) {
    invite(store, home, 60).await;
    let enrolled = store.enrol(enrolment(home, home)).await.expect("asks");
    assert_eq!(enrolled, Enrolled::Fresh);
}

fn now() -> Timestamp {
    week().end()
}

fn week() -> Week {
    "2026-W46".parse().expect("a week")
}

fn row(home: u8, batch: u8) -> JournalRow {
    JournalRow {
        week: week(),
        home: HomeToken([home; 32]),
        batch: BatchToken([batch; 32]),
        payload_hash: Hash::of(&[home, batch]),
        origin: Some(Origin {
            country: Country::parse("DE").expect("a country"),
            network: Asn(64_496),
        }),
        is_on_probation: false,
        sealed: vec![home, batch, 0, 255],
    }
}

fn look(row: &JournalRow) -> Attempt {
    let JournalRow {
        week,
        home,
        batch,
        payload_hash,
        ..
    } = *row;
    Attempt::Look {
        week,
        home,
        batch,
        payload_hash,
    }
}

/// To append a row whose batch the reporter's key signed.
fn attempt(row: JournalRow) -> Attempt {
    Attempt::Append {
        row,
        key_hash: Hash::of(&REPORTER),
    }
}

async fn append(store: &Store, row: JournalRow) -> Appended {
    let appended = store.append(vec![attempt(row)]).await.expect("appends");
    appended.into_iter().next().expect("one answer")
}

fn day() -> Day {
    now().day().expect("a day")
}

fn enrolment(home: u8, invite: u8) -> EnrolAttempt {
    EnrolAttempt {
        home: HomeId::of_key(&[home; 32]),
        key: [home; 32],
        payload_hash: Hash::of(&[home, invite]),
        invite_hash: Some(Hash::of(&[invite])),
        uninvited: None,
        crowds: Vec::new(),
        months: [day(); 2],
        receipt: vec![home, invite],
        now: now(),
    }
}

async fn invite(store: &Store, number: u8, seconds: i64) {
    let row = InviteRow {
        token_hash: Hash::of(&[number]),
        expires_at: now().plus_seconds(seconds),
        uses: 1,
    };
    store.add_invites(vec![row]).await.expect("adds");
}

async fn a_row_is_appended_once_and_comes_back_whole(engine: Engine) {
    let (store, _home) = reporting(engine).await;
    assert_eq!(
        append(&store, row(1, 1)).await,
        Appended::Closed,
        "no such week"
    );
    store
        .open_week(week(), Hash::of(b"key"))
        .await
        .expect("opens");
    assert_eq!(append(&store, row(1, 1)).await, Appended::Fresh);
    let repeated = JournalRow {
        sealed: vec![9],
        origin: None,
        ..row(1, 1)
    };
    assert_eq!(
        append(&store, repeated).await,
        Appended::Repeated(row(1, 1))
    );
    let other = JournalRow {
        payload_hash: Hash::of(b"other"),
        ..row(1, 1)
    };
    assert_eq!(append(&store, other).await, Appended::Conflict);
    let nowhere = JournalRow {
        origin: None,
        is_on_probation: true,
        ..row(1, 2)
    };
    assert_eq!(append(&store, nowhere.clone()).await, Appended::Fresh);
    assert_eq!(
        append(&store, nowhere.clone()).await,
        Appended::Repeated(nowhere)
    );
}

async fn a_list_is_answered_in_order_and_sees_itself(engine: Engine) {
    let (store, _home) = reporting(engine).await;
    store
        .open_week(week(), Hash::of(b"key"))
        .await
        .expect("opens");
    let attempts = vec![
        look(&row(1, 1)),
        attempt(row(1, 1)),
        look(&row(1, 1)),
        attempt(row(1, 1)),
        attempt(row(2, 1)),
    ];
    let expected = [
        Appended::Closed,
        Appended::Fresh,
        Appended::Repeated(row(1, 1)),
        Appended::Repeated(row(1, 1)),
        Appended::Fresh,
    ];
    assert_eq!(store.append(attempts).await.expect("appends"), expected);
}

async fn a_home_fills_its_week_and_nobody_elses(engine: Engine) {
    let (store, _home) = reporting(engine).await;
    store
        .open_week(week(), Hash::of(b"key"))
        .await
        .expect("opens");
    let numbered = |number: u32| {
        let mut row = row(1, 0);
        row.batch.0[..4].copy_from_slice(&number.to_be_bytes());
        attempt(row)
    };
    let attempts = (0..=HOME_WEEK_BATCHES_MAX).map(numbered).collect();
    let mut answers = store.append(attempts).await.expect("appends");
    assert_eq!(answers.pop(), Some(Appended::Full));
    assert!(answers.iter().all(|answer| *answer == Appended::Fresh));
    assert_eq!(append(&store, row(2, 0)).await, Appended::Fresh);
}

async fn pages_and_slices_hold_every_row_once_and_keep_homes_together(engine: Engine) {
    let (store, _home) = reporting(engine).await;
    store
        .open_week(week(), Hash::of(b"key"))
        .await
        .expect("opens");
    let rows: Vec<JournalRow> = (0..=255)
        .step_by(5)
        .flat_map(|home| [row(home, 3), row(home, 200)])
        .collect();
    // Appended in another order than they are read in.
    let attempts = rows.iter().rev().cloned().map(attempt).collect();
    store.append(attempts).await.expect("appends");
    for (slices, bytes_max) in [(1, usize::MAX), (1, 1), (3, 9), (256, 0)] {
        let mut read = Vec::new();
        for slice in Slice::all(slices) {
            let mut after = None;
            loop {
                let page = store.journal_page(week(), slice, after, bytes_max).await;
                let page = page.expect("reads");
                let Some(last) = page.last() else { break };
                after = Some((last.home, last.batch));
                read.extend(page);
            }
        }
        assert_eq!(read, rows, "{slices} slices, {bytes_max} bytes");
    }
    let next = store
        .journal_page(week().next(), Slice::WHOLE, None, 1)
        .await
        .expect("reads");
    assert_eq!(next, []);
}

async fn a_week_only_moves_on(engine: Engine) {
    let (store, _home) = reporting(engine).await;
    let state = async || {
        store
            .weeks()
            .await
            .expect("reads")
            .first()
            .map(|row| row.state)
    };
    let check = Hash::of(b"key");
    assert_eq!(state().await, None);
    assert_eq!(
        store
            .open_week(week(), check)
            .await
            .expect("opens")
            .key_check,
        check
    );
    // Opened again with another key: the first one stays.
    let again = store
        .open_week(week(), Hash::of(b"other"))
        .await
        .expect("opens");
    assert_eq!((again.key_check, again.state), (check, WeekState::Open));
    append(&store, row(1, 1)).await;

    store.close_week(week(), now()).await.expect("closes");
    assert_eq!(state().await, Some(WeekState::Closed));
    assert_eq!(append(&store, row(1, 2)).await, Appended::Closed);
    assert_eq!(
        append(&store, row(1, 1)).await,
        Appended::Repeated(row(1, 1))
    );

    let release = ReleaseRow {
        week: week(),
        revision: 0,
        text: "{}\n".to_owned(),
        signature: [7; 64],
    };
    let stored = store.release_week(release.clone(), 0, now()).await;
    assert_eq!(stored.expect("stores"), Stored::Fresh);
    assert_eq!(state().await, Some(WeekState::Released));
    let other = ReleaseRow {
        text: "{ }\n".to_owned(),
        ..release.clone()
    };
    let stored = store.release_week(other, 0, now()).await;
    assert_eq!(stored.expect("refuses"), Stored::Before);
    assert_eq!(store.releases().await.expect("reads"), [release]);

    store.destroy_week(week(), now()).await.expect("destroys");
    assert_eq!(state().await, Some(WeekState::Final));
    let page = store
        .journal_page(week(), Slice::WHOLE, None, 1)
        .await
        .expect("reads");
    assert_eq!(page, []);
    assert_eq!(append(&store, row(1, 1)).await, Appended::Closed);
    // Nothing brings it back.
    store.close_week(week(), now()).await.expect("does nothing");
    assert_eq!(
        store.open_week(week(), check).await.expect("asks").state,
        WeekState::Final
    );
}

async fn a_large_week_is_destroyed_whole_and_alone(engine: Engine) {
    let (store, _home) = reporting(engine).await;
    let key = Hash::of(b"key");
    for week in [week(), week().next()] {
        store.open_week(week, key).await.expect("opens");
        let rows = (0..10_000_u32).map(|number| {
            let mut row = JournalRow { week, ..row(0, 0) };
            row.home.0 = *Hash::of(&(number / 3).to_be_bytes()).as_bytes();
            row.batch.0[..4].copy_from_slice(&number.to_be_bytes());
            attempt(row)
        });
        store.append(rows.collect()).await.expect("appends");
    }
    store.destroy_week(week(), now()).await.expect("destroys");
    let left = async |week| {
        store
            .journal_page(week, Slice::WHOLE, None, usize::MAX)
            .await
            .expect("reads")
            .len()
    };
    assert_eq!(left(week()).await, 0);
    assert_eq!(left(week().next()).await, 10_000);
}

async fn the_ledger_is_a_chain(engine: Engine) {
    let (store, _home) = engine.fresh().await;
    store
        .open_week(week(), Hash::of(b"key"))
        .await
        .expect("opens");
    for _ in 0..2 {
        store.close_week(week(), now()).await.expect("closes");
    }
    store
        .destroy_week(week(), now().plus_seconds(60))
        .await
        .expect("destroys");
    let ledger = store.ledger().await.expect("reads");
    let events: Vec<&str> = ledger.iter().map(|row| row.event.as_str()).collect();
    assert_eq!(events, ["closed 2026-W46", "destroyed 2026-W46"]);
    let mut previous = None;
    for row in &ledger {
        let link = LedgerRow::follow(previous, row.at, row.event.clone());
        assert_eq!(&link, row);
        previous = Some(row);
    }
}

async fn a_store_belongs_to_one_collector_and_one_purpose(engine: Engine) {
    let (store, _home) = engine.fresh().await;
    let (mine, other) = (Audience::new([1; 32]), Audience::new([2; 32]));
    let serial = async |audience, purpose, rules: &[u8]| {
        store
            .rules_serial(audience, purpose, Hash::of(rules))
            .await
            .expect("asks")
    };
    assert_eq!(serial(mine, Purpose::Exercise, b"a").await, Some(1));
    assert_eq!(serial(mine, Purpose::Exercise, b"a").await, Some(1));
    assert_eq!(serial(mine, Purpose::Exercise, b"b").await, Some(2));
    assert_eq!(serial(mine, Purpose::Exercise, b"a").await, Some(3));
    assert_eq!(serial(other, Purpose::Exercise, b"a").await, None);
    assert_eq!(serial(mine, Purpose::Observatory, b"a").await, None);
    assert_eq!(serial(mine, Purpose::Exercise, b"a").await, Some(3));
}

#[tokio::test]
async fn all_of_it_is_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("collector.db");
    assert!(matches!(
        Store::open(&path, false).await,
        Err(StoreError::Missing(_))
    ));
    assert!(!path.exists(), "looking for a database makes none");
    let store = Store::open(&path, true).await.expect("opens");
    take_in(&store, REPORTER[0]).await;
    store
        .open_week(week(), Hash::of(b"key"))
        .await
        .expect("opens");
    append(&store, row(1, 1)).await;
    drop(store);
    let store = Store::open(&path, false).await.expect("opens");
    assert_eq!(
        append(&store, row(1, 1)).await,
        Appended::Repeated(row(1, 1))
    );
}
