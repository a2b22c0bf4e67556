//! The part of the contract that is about a closed week's work, shared by several.

use super::engine::Engine;
use super::{append, now, reporting, row, week};
use phonehome_collector::store::{Fold, Lease, ReleaseRow, Store, Taken};
use phonehome_proto::id::Hash;
use phonehome_proto::time::Timestamp;

on_every_engine![
    every_part_is_taken_once_and_a_dead_workers_part_again,
    parts_are_of_one_closed_week_as_it_stood,
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
    let kept = store.keep_part(fold, 1, vec![1]).await;
    kept.expect("keeps");
    assert_eq!(
        store.parts(fold).await.expect("reads"),
        Vec::<Vec<u8>>::new()
    );
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
    let parts = store.parts(fold).await.expect("reads");
    assert_eq!(parts, [vec![0], vec![1], vec![2]]);
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
    let first = store.parts(fold(0, 1)).await.expect("reads");
    assert_eq!(first, [vec![1], vec![1], vec![1]]);
    let release = ReleaseRow {
        week: week(),
        revision: 0,
        text: "{}\n".to_owned(),
        signature: [7; 64],
    };
    let stored = store.release_week(release, 0, now()).await;
    stored.expect("stores");
    assert_eq!(take(&store, 1, fold(0, 1), now()).await, Taken::Outdated);
}
