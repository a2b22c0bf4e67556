//! The part of the contract that is about a week's second release.

use super::engine::Engine;
use super::{append, now, reporting, row, week};
use phonehome_collector::store::{ReleaseRow, Stored};
use phonehome_proto::id::Hash;

on_every_engine![a_revision_stands_beside_what_it_revises,];

async fn a_revision_stands_beside_what_it_revises(engine: Engine) {
    let (store, _home) = reporting(engine).await;
    let opened = store.open_week(week(), Hash::of(b"key")).await;
    opened.expect("opens");
    append(&store, row(1, 1)).await;
    store.close_week(week(), now()).await.expect("closes");
    let first = ReleaseRow {
        week: week(),
        revision: 0,
        text: "{}\n".to_owned(),
        signature: [7; 64],
    };
    let revised = ReleaseRow {
        revision: 1,
        text: "{ }\n".to_owned(),
        ..first.clone()
    };
    let store_it = async |row: &ReleaseRow, erasures| {
        let stored = store.release_week(row.clone(), erasures, now()).await;
        stored.expect("answers")
    };
    assert_eq!(store_it(&first, 0).await, Stored::Fresh);
    assert_eq!(
        store_it(&revised, 1).await,
        Stored::Outdated,
        "a home was erased since"
    );
    assert_eq!(store_it(&revised, 0).await, Stored::Fresh);
    assert_eq!(store_it(&revised, 0).await, Stored::Before, "once");
    let kept = [first, revised.clone()];
    assert_eq!(store.releases().await.expect("reads"), kept);
    let events = store.ledger().await.expect("reads");
    let released = events
        .iter()
        .filter(|row| row.event.starts_with("released "));
    assert_eq!(released.count(), 2, "each has its line");

    store.destroy_week(week(), now()).await.expect("destroys");
    let late = ReleaseRow {
        revision: 2,
        ..revised
    };
    assert_eq!(
        store_it(&late, 0).await,
        Stored::Outdated,
        "a final week takes none"
    );
    assert_eq!(store.releases().await.expect("reads"), kept);
}
