//! Collectors that share a folder of keys and open the same week at the same moment.

use phonehome_collector::journal::keys::{WeekKeyError, WeekKeys};
use phonehome_collector::store::Store;
use phonehome_proto::chance::{SharedChance, SystemChance};
use phonehome_proto::time::Week;
use std::collections::BTreeSet;
use std::path::Path;

/// Collectors at a time.
const COLLECTORS: usize = 8;

fn keys(folder: &Path, store: &Store) -> WeekKeys {
    let chance = SharedChance::new(SystemChance);
    WeekKeys::new(folder.to_owned(), store.clone(), chance)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn they_seal_with_one_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&folder.path().join("collector.db"), true).await;
    let store = store.expect("opens");
    let shared = folder.path().join("keys");
    std::fs::create_dir(&shared).expect("a folder");
    let mut week: Week = "2026-W01".parse().expect("a week");
    for _ in 0..20 {
        let collectors: Vec<_> = (0..COLLECTORS)
            .map(|_| {
                let keys = keys(&shared, &store);
                tokio::spawn(async move { keys.for_sealing(week).await })
            })
            .collect();
        let mut checks = BTreeSet::new();
        for collector in collectors {
            let key = collector.await.expect("runs").expect("has a key");
            checks.insert(key.expect("of a week that is open").check().to_hex());
        }
        assert_eq!(checks.len(), 1, "one key for {week}");
        week = week.next();
    }
    let left = std::fs::read_dir(&shared).expect("lists").count();
    assert_eq!(left, 20, "a file for each week, and nothing beside");
}

#[tokio::test]
async fn a_collector_with_another_folder_seals_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&folder.path().join("collector.db"), true).await;
    let store = store.expect("opens");
    let week = "2026-W01".parse().expect("a week");
    let [right, wrong] = ["right", "wrong"].map(|name| folder.path().join(name));
    for folder in [&right, &wrong] {
        std::fs::create_dir(folder).expect("a folder");
    }
    let first = keys(&right, &store).for_sealing(week).await;
    first.expect("has a key");
    let second = keys(&wrong, &store).for_sealing(week).await;
    assert!(matches!(second, Err(WeekKeyError::Exchanged(_))));
}
