use super::*;
use crate::geo::atlas::Atlas;
use crate::geo::network::Asn;
use crate::geo::network::Origin;
use crate::journal::Journal;
use crate::registry::HomeKey;
use crate::store::{Fold, Lease, Slice, Standing, Taken};
use crate::verify::fixture::{
    enrolled, header, identity, key, monday, rules, sealed, tuesday_noon, verified, week,
};
use crate::verify::verify;
use phonehome_proto::batch::BatchHeader;
use phonehome_proto::chance::{SeededChance, SharedChance};
use phonehome_proto::net::Country;
use phonehome_proto::time::{Day, ManualClock};
use std::path::PathBuf;

struct Bench {
    folder: tempfile::TempDir,
    weeks: Weeks,
    clock: ManualClock,
    journal: Journal,
}

impl Bench {
    /// A collector to which `homes` homes of a few networks reported one batch each.
    async fn with_homes(homes: u8) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("collector.db"), true)
            .await
            .expect("opens");
        let chance = SharedChance::new(SeededChance::new(4));
        let keys = WeekKeys::new(folder.path().to_owned(), store.clone(), chance.clone());
        let identity = Arc::new(identity());
        let (journal, _) =
            Journal::start(store.clone(), Arc::clone(&identity), keys.clone(), chance);
        let atlas = AtlasInUse::new(Atlas::embedded());
        let clock = ManualClock::new(closes_at(week()));
        let weeks = Weeks {
            store,
            keys,
            identity,
            atlas,
            metrics: Metrics::new(),
            holder: [1; 16],
            clock: Arc::new(clock.clone()),
        };
        let bench = Self {
            folder,
            weeks,
            clock,
            journal,
        };
        for home in 1..=homes {
            let key = key(home).public();
            let store = &bench.weeks.store;
            store.take_in(key.as_bytes(), tuesday_noon()).await;
            let country = Country::parse("DE").expect("a country");
            let network = Asn(64_496 + u32::from(home % 5));
            let batch = vec![verified(home, 7, tuesday_noon())];
            let outcome = bench
                .journal
                .accept(batch, Some(Origin { country, network }), tuesday_noon())
                .await;
            assert!(outcome.expect("written")[0].is_ok());
        }
        bench
    }

    fn key_file(&self) -> PathBuf {
        self.folder.path().join(format!("{}.key", week()))
    }

    async fn state(&self) -> Option<WeekState> {
        self.weeks
            .store
            .weeks()
            .await
            .expect("reads")
            .first()
            .map(|row| row.state)
    }

    async fn tick(&self, now: Timestamp) -> Vec<ReleaseId> {
        self.weeks.tick(now).await.expect("ticks")
    }
}

fn id() -> ReleaseId {
    ReleaseId {
        week: week(),
        revision: 0,
    }
}

#[tokio::test]
async fn a_week_is_closed_released_and_destroyed_in_its_time() {
    let bench = Bench::with_homes(20).await;
    assert_eq!(bench.tick(closes_at(week()).plus_seconds(-1)).await, []);
    assert_eq!(bench.state().await, Some(WeekState::Open));

    assert_eq!(bench.tick(closes_at(week())).await, [id()]);
    assert_eq!(bench.state().await, Some(WeekState::Released));
    assert_eq!(bench.tick(closes_at(week())).await, [], "once");
    let releases = bench.weeks.releases().await.expect("reads");
    assert_eq!(releases[0].homes, Some(20));
    assert!(
        bench.key_file().exists(),
        "repetitions are still recognised"
    );

    assert_eq!(bench.tick(destroyed_at(week()).plus_seconds(-1)).await, []);
    assert_eq!(bench.state().await, Some(WeekState::Released));
    assert_eq!(bench.tick(destroyed_at(week())).await, []);
    assert_eq!(bench.state().await, Some(WeekState::Final));
    assert!(!bench.key_file().exists());
    let page = bench
        .weeks
        .store
        .journal_page(week(), Slice::WHOLE, None, 1)
        .await;
    assert_eq!(page.expect("reads"), []);
    assert_eq!(bench.weeks.releases().await.expect("reads"), releases);
    let events: Vec<String> = bench
        .weeks
        .store
        .ledger()
        .await
        .expect("reads")
        .into_iter()
        .map(|row| row.event)
        .collect();
    let words: Vec<&str> = events
        .iter()
        .filter_map(|event| event.split(' ').next())
        .collect();
    assert_eq!(words, ["closed", "released", "destroyed"]);
}

#[tokio::test]
async fn a_collector_that_slept_catches_up_in_one_tick() {
    let bench = Bench::with_homes(20).await;
    let late = destroyed_at(week()).plus_seconds(86_400);
    assert_eq!(bench.tick(late).await, [id()]);
    assert_eq!(bench.state().await, Some(WeekState::Final));
    assert_eq!(
        bench.weeks.releases().await.expect("reads")[0].homes,
        Some(20)
    );
}

#[tokio::test]
async fn the_same_journal_folds_to_the_same_bytes_in_any_slices() {
    let bench = Bench::with_homes(30).await;
    let mut texts = Vec::new();
    for slices in [1, 2, 7, 64] {
        let release = bench.weeks.fold(week(), slices).await.expect("folds");
        texts.push(json::to_json(&release));
    }
    // Reading it changes nothing, and what is stored is what was folded.
    bench.tick(closes_at(week())).await;
    texts.push(
        bench
            .weeks
            .store
            .releases()
            .await
            .expect("reads")
            .remove(0)
            .text,
    );
    assert!(texts.windows(2).all(|pair| pair[0] == pair[1]));
    assert!(texts[0].contains("\"homes\": 30"), "{}", texts[0]);
}

/// Takes parts of the first pass for somebody else.
async fn take_parts(bench: &Bench, count: u16) -> Fold {
    let fold = Fold {
        week: week(),
        erasures: 0,
        pass: 0,
    };
    let lease = |part| Lease {
        holder: [100 + part; 16],
        until: closes_at(week()).plus_seconds(sharing::LEASE_SECONDS),
    };
    let store = &bench.weeks.store;
    let closed = store.close_week(week(), closes_at(week())).await;
    closed.expect("closes");
    for part in 0..count {
        let lease = lease(u8::try_from(part).expect("few"));
        let taken = store.take_part(fold, sharing::PARTS, lease, closes_at(week()));
        assert_eq!(taken.await.expect("asks"), Taken::Part(part));
    }
    fold
}

#[tokio::test]
async fn a_part_that_another_took_is_waited_for_and_then_taken_over() {
    let bench = Bench::with_homes(30).await;
    let alone = json::to_json(&bench.weeks.fold(week(), 1).await.expect("folds"));
    take_parts(&bench, 3).await;
    assert_eq!(bench.tick(closes_at(week())).await, []);
    let late = closes_at(week()).plus_seconds(sharing::LEASE_SECONDS);
    bench.clock.set(late);
    assert_eq!(bench.tick(late).await, [id()]);
    let releases = bench.weeks.store.releases().await.expect("reads");
    assert_eq!(releases[0].text, alone);
}

#[tokio::test]
async fn a_part_that_does_not_open_here_is_not_counted() {
    let bench = Bench::with_homes(30).await;
    let alone = json::to_json(&bench.weeks.fold(week(), 1).await.expect("folds"));
    let fold = take_parts(&bench, 1).await;
    let foreign = bench.weeks.store.keep_part(fold, 0, vec![7; 100]).await;
    foreign.expect("keeps");
    assert_eq!(bench.tick(closes_at(week())).await, [id()]);
    let releases = bench.weeks.store.releases().await.expect("reads");
    assert_eq!(releases[0].text, alone);
}

#[tokio::test]
async fn a_week_is_released_by_hand_only_when_it_is_closed() {
    let bench = Bench::with_homes(20).await;
    let release = async |week, now| bench.weeks.release(week, now).await.expect("asks");
    let early = closes_at(week()).plus_seconds(-1);
    assert_eq!(
        release(week(), early).await,
        Released::StillOpen(closes_at(week()))
    );
    let late = closes_at(week());
    assert_eq!(release(week(), late).await, Released::Now(id()));
    assert_eq!(release(week(), late).await, Released::Before(id()));
    let before = week().monday().previous().week();
    assert_eq!(release(before, late).await, Released::Nothing);
}

#[tokio::test]
async fn a_week_without_its_key_is_not_released_but_still_destroyed() {
    let bench = Bench::with_homes(3).await;
    bench.weeks.keys.destroy(week()).expect("destroys");
    assert!(bench.weeks.tick(closes_at(week())).await.is_err());
    assert_eq!(bench.state().await, Some(WeekState::Closed));
    assert!(bench.weeks.tick(destroyed_at(week())).await.is_err());
    assert_eq!(bench.state().await, Some(WeekState::Final));
    assert_eq!(bench.weeks.releases().await.expect("reads"), []);
}

#[tokio::test]
async fn a_week_is_not_folded_with_another_key() {
    let Bench {
        folder,
        weeks,
        clock,
        journal,
    } = Bench::with_homes(20).await;
    let path = folder.path().join(format!("{}.key", week()));
    std::fs::remove_file(&path).expect("removes");
    crate::secret_file::create(&path, &[9; 32]).expect("writes");
    // A new process, which has not read the right one.
    let chance = SharedChance::new(SeededChance::new(5));
    let keys = WeekKeys::new(folder.path().to_owned(), weeks.store.clone(), chance);
    let bench = Bench {
        folder,
        weeks: Weeks { keys, ..weeks },
        clock,
        journal,
    };
    let refused = bench.weeks.tick(closes_at(week())).await;
    assert!(
        matches!(refused, Err(WeeksError::Key(WeekKeyError::Exchanged(_)))),
        "{refused:?}"
    );
    assert_eq!(bench.weeks.releases().await.expect("reads"), []);
}

#[tokio::test]
async fn days_on_probation_count_in_nothing() {
    let bench = Bench::with_homes(20).await;
    let fold = async || bench.weeks.fold(week(), 2).await.expect("folds");
    let without = fold().await;
    let report = async |home: u8, day: Day, number: u8| {
        let trial = HomeKey {
            standing: Standing::Admitted {
                counted_from: Some(monday().plus(1)),
            },
            ..enrolled(home)
        };
        let about = BatchHeader {
            day,
            ..header(home, number)
        };
        let late = closes_at(week()).plus_seconds(-1);
        let batch = verify(sealed(home, about), Some(&trial), &rules(), late);
        let origin = Origin {
            country: Country::parse("DE").expect("a country"),
            network: Asn(64_496),
        };
        let batch = vec![batch.expect("good")];
        let outcome = bench.journal.accept(batch, Some(origin), tuesday_noon());
        outcome.await.expect("written").remove(0).expect("taken")
    };
    for home in 21..=25 {
        let key = key(home).public();
        let store = &bench.weeks.store;
        store.take_in(key.as_bytes(), tuesday_noon()).await;
        assert!(
            report(home, monday(), 7).await.is_fresh(),
            "it has a receipt"
        );
        assert!(
            !report(home, monday(), 7).await.is_fresh(),
            "the same again"
        );
    }
    assert_eq!(fold().await, without);
    let left_out = || bench.weeks.metrics.snapshot()[&Counter::RowsOnProbation];
    assert_eq!(left_out(), 5);
    let page = bench
        .weeks
        .store
        .journal_page(week(), Slice::WHOLE, None, usize::MAX);
    let page = page.await.expect("reads");
    let trial: Vec<_> = page.iter().filter(|row| row.is_on_probation).collect();
    assert_eq!((page.len(), trial.len()), (25, 5));
    assert!(
        trial.iter().all(|row| row.origin.is_none()),
        "nor where they were"
    );
    // The day after counts.
    for home in 21..=25 {
        report(home, monday().plus(1), 8).await;
    }
    assert_eq!(fold().await.homes, Some(25));
    assert_eq!(left_out(), 10);
}

#[tokio::test]
async fn a_row_that_does_not_open_is_left_out_and_counted() {
    let bench = Bench::with_homes(20).await;
    // A row of the right form that was never sealed with the week's key.
    let key = bench
        .weeks
        .keys
        .existing(week())
        .expect("reads")
        .expect("is there");
    let ids = (
        phonehome_proto::id::HomeId::new([9; 32]),
        header(1, 8).batch_id,
    );
    let sealed = sealed(1, header(1, 8));
    let hashed = (&sealed, phonehome_proto::id::Hash::of(&sealed.payload));
    let mut row = key.seal(ids, (None, false), hashed, &sealed, [0; 12]);
    row.sealed[20] ^= 1;
    let key_hash = phonehome_proto::id::Hash::of(&sealed.public_key);
    let append = vec![crate::store::Attempt::Append { row, key_hash }];
    bench.weeks.store.append(append).await.expect("appends");
    bench.tick(closes_at(week())).await;
    assert_eq!(bench.weeks.metrics.snapshot()[&Counter::RowsUnreadable], 1);
    assert_eq!(
        bench.weeks.releases().await.expect("reads")[0].homes,
        Some(20)
    );
}

#[tokio::test]
async fn a_stored_release_that_was_altered_is_not_shown() {
    let bench = Bench::with_homes(20).await;
    let text = json::to_json(&bench.weeks.fold(week(), 1).await.expect("folds"));
    let signature = bench.weeks.identity.sign_release(&text);
    let text = text.replace("\"homes\": 20", "\"homes\": 25");
    let row = ReleaseRow {
        week: week(),
        revision: 0,
        text,
        signature,
    };
    bench
        .weeks
        .store
        .release_week(row, 0, monday().start())
        .await
        .expect("stores");
    assert!(matches!(
        bench.weeks.releases().await,
        Err(WeeksError::Altered(_))
    ));
}
