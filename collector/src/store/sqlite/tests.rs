//! What the engine leaves in its files.

use crate::store::{
    Appended, Attempt, BatchToken, EraseAttempt, Erased, HomeToken, JournalRow, Store,
};
use phonehome_proto::id::{Hash, HomeId};
use phonehome_proto::time::{Timestamp, Week};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Homes whose rows fill a few hundred pages, so that pages were split and joined.
const HOMES: u32 = 100;
const BATCHES: u32 = 5;

fn week() -> Week {
    "2026-W46".parse().expect("a week")
}

/// 32 bytes that look like chance, and are the same every time.
fn noise(home: u32, batch: u32, block: u32) -> [u8; 32] {
    let number = [home, batch, block].map(u32::to_be_bytes).concat();
    *Hash::of(&number).as_bytes()
}

fn key(home: u32) -> [u8; 32] {
    noise(home, u32::MAX, 0)
}

/// Small rows, rows of half a page, and rows of several pages.
fn row(home: u32, batch: u32) -> JournalRow {
    let blocks = [3, 12, 40, 300][(home as usize + batch as usize) % 4];
    JournalRow {
        week: week(),
        home: HomeToken(noise(home, u32::MAX, 1)),
        batch: BatchToken(noise(home, batch, u32::MAX)),
        payload_hash: Hash::new(noise(home, batch, u32::MAX - 1)),
        origin: None,
        is_on_probation: false,
        sealed: (0..blocks)
            .flat_map(|block| noise(home, batch, block))
            .collect(),
    }
}

/// Every 32 bytes that were written of a home.
fn traces(home: u32) -> BTreeSet<[u8; 32]> {
    let mut traces = BTreeSet::from([key(home), *HomeId::of_key(&key(home)).as_bytes()]);
    for batch in 0..BATCHES {
        let row = row(home, batch);
        traces.extend([row.home.0, row.batch.0, *row.payload_hash.as_bytes()]);
        let blocks = row.sealed.chunks_exact(32);
        traces.extend(blocks.map(|block| <[u8; 32]>::try_from(block).expect("32 bytes")));
    }
    traces
}

/// How many of these stand in any file of the folder, also if a page's end cuts them in half.
fn found(folder: &Path, traces: &BTreeSet<[u8; 32]>) -> usize {
    let mut halves = BTreeMap::new();
    for (at, trace) in traces.iter().enumerate() {
        halves.extend(trace.chunks(16).map(|half| (half, at)));
    }
    // Few windows begin like any trace; the rest need no search.
    let mut begins = [false; 65_536];
    let start = |bytes: &[u8]| usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    for half in halves.keys() {
        begins[start(half)] = true;
    }
    let mut found: BTreeSet<usize> = BTreeSet::new();
    for entry in std::fs::read_dir(folder).expect("lists") {
        let file = std::fs::read(entry.expect("an entry").path()).expect("reads");
        let windows = file.windows(16).filter(|window| begins[start(window)]);
        found.extend(windows.filter_map(|window| halves.get(window)).copied());
    }
    found.len()
}

#[tokio::test]
async fn nothing_of_an_erased_home_is_left_in_the_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("collector.db");
    let store = Store::open(&path, true).await.expect("opens");
    let now = Timestamp::from_seconds(1_794_000_000);
    store.open_week(week(), Hash::of(b"")).await.expect("opens");
    for home in 0..HOMES {
        store.take_in(&key(home), now).await;
    }
    for batch in 0..BATCHES {
        let attempt = |home| Attempt::Append {
            row: row(home, batch),
            key_hash: Hash::of(&key(home)),
        };
        let appended = store.append((0..HOMES).map(attempt).collect()).await;
        let appended = appended.expect("appends");
        assert!(appended.iter().all(|answer| *answer == Appended::Fresh));
    }
    // Some leave first, so that pages are joined over what is left.
    for home in (0..HOMES).step_by(9) {
        let traces = traces(home);
        assert_eq!(found(folder.path(), &traces), traces.len());
        let attempt = EraseAttempt {
            home: HomeId::of_key(&key(home)),
            key: key(home),
            withdrawal_hash: Hash::of(&home.to_be_bytes()),
            held: vec![(week(), HomeToken(noise(home, u32::MAX, 1)), BATCHES)],
            receipt: vec![1; 300],
            forget_at: now.plus_seconds(1),
            listed: (week().monday(), Hash::of(b"a home")),
        };
        assert_eq!(store.erase(attempt).await.expect("erases"), Erased::Done);
    }
    let gone: BTreeSet<_> = (0..HOMES).step_by(9).flat_map(traces).collect();
    assert_eq!(found(folder.path(), &gone), 0);
    let others: BTreeSet<_> = [1, 2].into_iter().flat_map(traces).collect();
    assert_eq!(
        found(folder.path(), &others),
        others.len(),
        "others are whole"
    );
}

#[tokio::test]
async fn a_home_is_overwritten_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("collector.db");
    let store = Store::open(&path, true).await.expect("opens");
    let now = Timestamp::from_seconds(1_794_000_000);
    store.take_in(&key(1), now).await;
    let attempt = EraseAttempt {
        home: HomeId::of_key(&key(1)),
        key: key(1),
        withdrawal_hash: Hash::of(b"a withdrawal"),
        held: Vec::new(),
        receipt: vec![1; 300],
        forget_at: now.plus_seconds(1),
        listed: (week().monday(), Hash::of(b"a home")),
    };
    let database = rusqlite::Connection::open(&path).expect("opens");
    // Counts rewritings: each numbers the schema anew.
    let schema = || -> i64 {
        let read = database.query_row("PRAGMA schema_version", [], |row| row.get(0));
        read.expect("reads")
    };
    let before = schema();
    assert_eq!(
        store.erase(attempt.clone()).await.expect("erases"),
        Erased::Done
    );
    let after = schema();
    assert_ne!(before, after);
    for _ in 0..2 {
        let again = store.erase(attempt.clone()).await.expect("repeats");
        assert!(matches!(again, Erased::Repeated(_)));
        assert_eq!(schema(), after, "repeating costs nothing");
    }
    // A process that ended in between had not overwritten; asked again, it does.
    let undo = "UPDATE withdrawals SET is_overwritten = 0";
    assert_eq!(database.execute(undo, []).expect("writes"), 1);
    store.erase(attempt).await.expect("repeats");
    assert_ne!(schema(), after);
}
