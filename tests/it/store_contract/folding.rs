//! The part of the contract that is about a closed week's work, shared by several.

use super::engine::Engine;
use super::{append, now, reporting, row, take_in, week};
use phonehome_collector::store::{
    Appended, Attempt, EraseAttempt, Erased, Fold, HomeToRevoke, HomeToken, Lease, ReleaseRow,
    RevokeAttempt, Revoked, RevokedHome, Store, Stored, Taken,
};
use phonehome_proto::id::{Hash, HomeId};
use phonehome_proto::time::Timestamp;

on_every_engine![
    every_part_is_taken_once_and_a_dead_workers_part_again,
    a_part_is_held_for_as_long_as_its_worker_asks,
    parts_are_of_one_closed_week_as_it_stood,
    a_home_that_leaves_takes_every_part_with_it,
];

const PARTS: u16 = 3;

fn fold(erasures: u32, pass: u8) -> Fold {
    Fold {
        week: week(),
        erasures,
        pass,
    }
}

/// What a worker gets that asks at `at`, and keeps it for a minute.
async fn take(store: &Store, worker: u8, fold: Fold, at: Timestamp) -> Taken {
    let lease = Lease {
        holder: [worker; 16],
        until: at.plus_seconds(60),
    };
    let taken = store.take_part(fold, PARTS, lease, at).await;
    taken.expect("takes")
}

/// Whether a worker may keep a part for another minute.
async fn hold(store: &Store, worker: u8, fold: Fold, part: u16, at: Timestamp) -> bool {
    let lease = Lease {
        holder: [worker; 16],
        until: at.plus_seconds(60),
    };
    store.hold_part(fold, part, lease).await.expect("asks")
}

/// What is there of each part.
async fn kept(store: &Store, fold: Fold) -> Vec<Option<Vec<u8>>> {
    let mut kept = Vec::new();
    for part in 0..PARTS {
        kept.push(store.part(fold, part).await.expect("reads"));
    }
    kept
}

async fn close(store: &Store) {
    let opened = store.open_week(week(), Hash::of(b"key")).await;
    opened.expect("opens");
    append(store, row(1, 1)).await;
    store.close_week(week(), now()).await.expect("closes");
}

async fn every_part_is_taken_once_and_a_dead_workers_part_again(engine: Engine) {
    let (store, _home) = reporting(engine).await;
    close(&store).await;
    let (fold, later) = (fold(0, 1), now().plus_seconds(60));
    assert_eq!(take(&store, 1, fold, now()).await, Taken::Part(0));
    assert_eq!(take(&store, 2, fold, now()).await, Taken::Part(1));
    assert_eq!(take(&store, 3, fold, now()).await, Taken::Part(2));
    assert_eq!(take(&store, 4, fold, now()).await, Taken::Busy);
    // Whoever asks again goes on with its own.
    assert_eq!(take(&store, 2, fold, now()).await, Taken::Part(1));
    store.keep_part(fold, 1, vec![1]).await.expect("keeps");
    assert_eq!(kept(&store, fold).await, [None, Some(vec![1]), None]);
    assert_eq!(take(&store, 2, fold, now()).await, Taken::Busy);
    // The others died: their parts are anybody's, one after the other.
    assert_eq!(take(&store, 2, fold, later).await, Taken::Part(0));
    store.keep_part(fold, 0, vec![0]).await.expect("keeps");
    assert_eq!(take(&store, 2, fold, later).await, Taken::Part(2));
    store.keep_part(fold, 2, vec![2]).await.expect("keeps");
    // One that was only slow comes too late, and changes nothing.
    store
        .keep_part(fold, 0, vec![9])
        .await
        .expect("passes over");
    assert_eq!(take(&store, 5, fold, later).await, Taken::Done);
    let parts = [0, 1, 2].map(|part| Some(vec![part]));
    assert_eq!(kept(&store, fold).await, parts);
}

async fn a_part_is_held_for_as_long_as_its_worker_asks(engine: Engine) {
    let (store, _home) = reporting(engine).await;
    close(&store).await;
    let (fold, later) = (fold(0, 1), now().plus_seconds(60));
    assert_eq!(take(&store, 1, fold, now()).await, Taken::Part(0));
    assert!(hold(&store, 1, fold, 0, later).await);
    assert!(!hold(&store, 2, fold, 0, later).await, "another's");
    assert!(!hold(&store, 1, fold, 1, later).await, "nobody's");
    // It would have been free by now.
    assert_eq!(take(&store, 2, fold, later).await, Taken::Part(1));
    assert_eq!(take(&store, 2, fold, later).await, Taken::Part(1));
    let last = later.plus_seconds(60);
    assert_eq!(take(&store, 3, fold, last).await, Taken::Part(0));
    assert!(!hold(&store, 1, fold, 0, last).await, "it came too late");
    store.keep_part(fold, 0, vec![0]).await.expect("keeps");
    assert!(!hold(&store, 3, fold, 0, last).await, "it is done");
}

async fn parts_are_of_one_closed_week_as_it_stood(engine: Engine) {
    let (store, _home) = reporting(engine).await;
    let opened = store.open_week(week(), Hash::of(b"key")).await;
    opened.expect("opens");
    assert_eq!(take(&store, 1, fold(0, 1), now()).await, Taken::Outdated);
    close(&store).await;
    assert_eq!(take(&store, 1, fold(1, 1), now()).await, Taken::Outdated);
    for (pass, said) in [(1, vec![1]), (2, vec![2])] {
        let fold = fold(0, pass);
        for part in 0..PARTS {
            assert_eq!(take(&store, 1, fold, now()).await, Taken::Part(part));
            store
                .keep_part(fold, part, said.clone())
                .await
                .expect("keeps");
        }
    }
    // Passes stand apart.
    assert_eq!(
        kept(&store, fold(0, 1)).await,
        [1, 1, 1].map(|one| Some(vec![one]))
    );
    let release = ReleaseRow {
        week: week(),
        revision: 0,
        text: "{}\n".to_owned(),
        signature: [7; 64],
    };
    let stored = store.release_week(release, 0, now()).await;
    stored.expect("stores");
    assert_eq!(
        kept(&store, fold(0, 2)).await,
        [None, None, None],
        "it is told"
    );
    assert_eq!(take(&store, 1, fold(0, 1), now()).await, Taken::Outdated);
}

async fn a_home_that_leaves_takes_every_part_with_it(engine: Engine) {
    let (store, _home) = reporting(engine).await;
    let opened = store.open_week(week(), Hash::of(b"key")).await;
    opened.expect("opens");
    for home in [1, 2, 3] {
        take_in(&store, home).await;
        let row = row(home, 1);
        let key_hash = Hash::of(&[home; 32]);
        let appended = store.append(vec![Attempt::Append { row, key_hash }]).await;
        assert_eq!(appended.expect("appends"), [Appended::Fresh]);
    }
    store.close_week(week(), now()).await.expect("closes");
    let mut erasures = 0;
    for leave in [Leave::Withdrawal, Leave::Revocation] {
        let before = fold(erasures, 1);
        // The first part of what began anew is kept already.
        for part in u16::from(erasures > 0)..PARTS {
            // Each by another worker: one alone would go on with what it has.
            let worker = 1 + u8::try_from(part).expect("few");
            assert_eq!(take(&store, worker, before, now()).await, Taken::Part(part));
            if part > 0 {
                store.keep_part(before, part, vec![1]).await.expect("keeps");
            }
        }
        leave.from(&store).await;
        erasures += 1;
        assert_eq!(kept(&store, before).await, [None, None, None]);
        // What was under way finds no place, before and after somebody began anew.
        assert!(!hold(&store, 1, before, 0, now()).await);
        store
            .keep_part(before, 0, vec![9])
            .await
            .expect("passes over");
        assert_eq!(take(&store, 1, before, now()).await, Taken::Outdated);
        let after = fold(erasures, 1);
        assert_eq!(take(&store, 2, after, now()).await, Taken::Part(0));
        store
            .keep_part(before, 0, vec![9])
            .await
            .expect("passes over");
        assert_eq!(kept(&store, before).await, [None, None, None]);
        assert_eq!(kept(&store, after).await, [None, None, None]);
        store.keep_part(after, 0, vec![2]).await.expect("keeps");
        // Nor does a release of what was found before.
        let release = ReleaseRow {
            week: week(),
            revision: 0,
            text: "{}\n".to_owned(),
            signature: [7; 64],
        };
        let stored = store.release_week(release, erasures - 1, now()).await;
        assert_eq!(stored.expect("asks"), Stored::Outdated);
        assert_eq!(kept(&store, after).await, [Some(vec![2]), None, None]);
    }
}

/// How a home leaves.
#[derive(Clone, Copy)]
enum Leave {
    /// The first one does, by its own word.
    Withdrawal,
    /// The second one does, by the operator's.
    Revocation,
}

impl Leave {
    async fn from(self, store: &Store) {
        match self {
            Self::Withdrawal => {
                let attempt = EraseAttempt {
                    home: HomeId::of_key(&[1; 32]),
                    key: [1; 32],
                    withdrawal_hash: Hash::of(b"withdrawal"),
                    held: vec![(week(), HomeToken([1; 32]), 1)],
                    receipt: vec![1],
                    forget_at: now().plus_seconds(60),
                    listed: (week().monday(), Hash::of(b"listed")),
                };
                assert_eq!(store.erase(attempt).await.expect("asks"), Erased::Done);
            }
            Self::Revocation => {
                let home = HomeToRevoke {
                    home: HomeId::of_key(&[2; 32]),
                    held: vec![(week(), HomeToken([2; 32]))],
                    listed: Hash::of(b"revoked"),
                };
                let attempt = RevokeAttempt {
                    homes: vec![home],
                    now: now(),
                };
                let revoked = store.revoke(attempt).await.expect("asks");
                assert_eq!(revoked, Revoked::Done(vec![RevokedHome::Now(1)]));
            }
        }
    }
}
