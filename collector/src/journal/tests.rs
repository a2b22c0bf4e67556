use super::*;
use crate::verify::fixture::*;
use crate::verify::verify;
use phonehome_proto::census::PhoneCount;
use phonehome_proto::chance::SeededChance;
use phonehome_proto::decode;

struct Bench {
    folder: tempfile::TempDir,
    store: Store,
    journal: Journal,
    writer: JoinHandle<()>,
}

impl Bench {
    async fn new() -> Self {
        Self::open(tempfile::tempdir().expect("a folder"), true).await
    }

    async fn open(folder: tempfile::TempDir, is_new: bool) -> Self {
        let store = Store::open(&folder.path().join("collector.db"), is_new)
            .await
            .expect("opens");
        if is_new {
            for home in 0..50 {
                let key = key(home).public();
                store.take_in(key.as_bytes(), tuesday_noon()).await;
            }
        }
        // Another process draws other numbers.
        let chance = SharedChance::new(SeededChance::new(is_new.into()));
        let keys = WeekKeys::new(folder.path().to_owned(), store.clone(), chance.clone());
        let (journal, writer) = Journal::start(store.clone(), Arc::new(identity()), keys, chance);
        Self {
            folder,
            store,
            journal,
            writer,
        }
    }

    /// Ends it as a process ends; the files stay.
    async fn stop(self) -> tempfile::TempDir {
        let Self {
            folder,
            store,
            journal,
            writer,
        } = self;
        drop((store, journal));
        writer.await.expect("the writer does not panic");
        folder
    }

    /// The same files behind a new process.
    async fn restart(self) -> Self {
        Self::open(self.stop().await, false).await
    }

    async fn accept(&self, batches: Vec<VerifiedBatch>) -> Vec<Result<Accepted, Reject>> {
        self.journal
            .accept(batches, None, tuesday_noon())
            .await
            .expect("it is written")
    }

    async fn accept_at(&self, batch: VerifiedBatch, now: Timestamp) -> Result<Accepted, Reject> {
        let mut outcomes = self
            .journal
            .accept(vec![batch], None, now)
            .await
            .expect("written");
        outcomes.pop().expect("one outcome")
    }

    /// The first batch of the first home, in time.
    async fn accept_first(&self) {
        let now = tuesday_noon();
        receipt(self.accept_at(verified(1, 7, now), now).await);
    }

    async fn rows(&self) -> usize {
        let whole = crate::store::Slice::WHOLE;
        let page = self
            .store
            .journal_page(week(), whole, None, usize::MAX)
            .await;
        page.expect("reads").len()
    }
}

fn receipt(outcome: Result<Accepted, Reject>) -> SealedBatch {
    outcome.expect("accepted").into_receipt()
}

#[tokio::test]
async fn a_batch_gets_a_receipt_that_names_it() {
    let bench = Bench::new().await;
    let batch = verified(1, 7, tuesday_noon());
    let payload_hash = Hash::of(&batch.sealed().payload);
    let accepted = bench.accept(vec![batch]).await.remove(0).expect("accepted");
    assert!(accepted.is_fresh());
    let sealed = accepted.into_receipt();
    let payload = sealed
        .open(PayloadType::Receipt, &identity().public())
        .expect("signed");
    let receipt = decode::receipt(payload).expect("reads");
    assert_eq!(receipt.payload_hash, payload_hash);
    assert_eq!(receipt.home, key(1).public().home());
    assert_eq!(receipt.received_at, tuesday_noon());
}

#[tokio::test]
async fn a_repetition_gets_the_first_receipt_again_and_counts_once() {
    let bench = Bench::new().await;
    let now = tuesday_noon();
    // Twice in one request, again later, and again by another process.
    let mut both = bench
        .accept(vec![verified(1, 7, now), verified(1, 7, now)])
        .await;
    let (second, first) = (both.pop().expect("two"), both.pop().expect("two"));
    assert!(!second.as_ref().expect("accepted").is_fresh());
    let first = receipt(first);
    assert_eq!(receipt(second), first);
    let later = now.plus_seconds(3_600);
    assert_eq!(
        receipt(bench.accept_at(verified(1, 7, later), later).await),
        first
    );
    let bench = bench.restart().await;
    assert_eq!(
        receipt(bench.accept_at(verified(1, 7, later), later).await),
        first
    );
    // Also when the week is closed, and takes nothing else.
    let closed = week().end().plus_seconds(limits::WEEK_ACCEPT_SECONDS);
    bench
        .store
        .close_week(week(), closed)
        .await
        .expect("closes");
    assert_eq!(
        receipt(bench.accept_at(verified(1, 7, closed), closed).await),
        first
    );
    assert_eq!(
        bench.accept_at(verified(1, 8, closed), closed).await,
        Err(Reject::TooLate)
    );
    assert_eq!(bench.rows().await, 1);
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_power_cut() {
    let bench = Bench::new().await;
    let now = tuesday_noon();
    let first = receipt(bench.accept_at(verified(1, 7, now), now).await);
    // The disk as it is at this moment; nothing was closed, nothing could be tidied up.
    let disk = tempfile::tempdir().expect("a folder");
    for file in std::fs::read_dir(bench.folder.path()).expect("reads") {
        let file = file.expect("reads");
        std::fs::copy(file.path(), disk.path().join(file.file_name())).expect("copies");
    }
    let revived = Bench::open(disk, false).await;
    assert_eq!(
        receipt(revived.accept_at(verified(1, 7, now), now).await),
        first
    );
    assert_eq!(revived.rows().await, 1);
}

#[tokio::test]
async fn the_same_id_with_other_bytes_is_a_conflict() {
    let bench = Bench::new().await;
    bench.accept_first().await;
    let other = SealedBatch::seal(
        PayloadType::Batch,
        payload_of(header(1, 7), PhoneCount::Two),
        &key(1),
    );
    let other = verify(other, Some(&enrolled(1)), &rules(), tuesday_noon()).expect("verifies");
    assert_eq!(
        bench.accept_at(other, tuesday_noon()).await,
        Err(Reject::Conflict)
    );
    // Another home may use the same id.
    receipt(
        bench
            .accept_at(verified(2, 7, tuesday_noon()), tuesday_noon())
            .await,
    );
    assert_eq!(bench.rows().await, 2);
}

#[tokio::test]
async fn the_weeks_clock_decides_over_what_is_new() {
    let bench = Bench::new().await;
    let early = monday().start();
    assert_eq!(
        bench.accept_at(verified(1, 7, early), early).await,
        Err(Reject::TooEarly)
    );
    let late = week().end().plus_seconds(limits::WEEK_ACCEPT_SECONDS);
    assert_eq!(
        bench.accept_at(verified(1, 7, late), late).await,
        Err(Reject::TooLate)
    );
    // Neither made a key or a week.
    assert_eq!(bench.store.weeks().await.expect("reads"), []);
    assert!(!bench.folder.path().join("2026-W46.key").exists());
    // Verified in time, but the week was closed meanwhile: the store has the last word.
    bench.accept_first().await;
    bench.store.close_week(week(), late).await.expect("closes");
    let batch = verified(1, 8, tuesday_noon());
    assert_eq!(
        bench.accept_at(batch, tuesday_noon()).await,
        Err(Reject::TooLate)
    );
}

#[tokio::test]
async fn many_requests_share_transactions_and_each_gets_its_own_answers() {
    let bench = Bench::new().await;
    let requests = (0..40_u8).map(|home| {
        let (journal, now) = (bench.journal.clone(), tuesday_noon());
        tokio::spawn(async move {
            let batches = vec![verified(home, 1, now), verified(home, 2, now)];
            (
                home,
                journal.accept(batches, None, now).await.expect("written"),
            )
        })
    });
    for request in requests.collect::<Vec<_>>() {
        let (home, outcomes) = request.await.expect("no panic");
        for (outcome, batch) in outcomes.into_iter().zip([1, 2]) {
            let sealed = receipt(outcome);
            let receipt = decode::receipt(&sealed.payload).expect("reads");
            assert_eq!(
                receipt.payload_hash,
                Hash::of(&payload(header(home, batch)))
            );
        }
    }
    assert_eq!(bench.rows().await, 80);
}

#[tokio::test]
async fn a_home_cannot_fill_more_than_its_week() {
    let bench = Bench::new().await;
    let now = tuesday_noon();
    let rules = rules();
    let mine = enrolled(1);
    let batch = |number: u32| {
        let mut header = header(1, 0);
        let mut id = [0; 16];
        id[..4].copy_from_slice(&number.to_be_bytes());
        header.batch_id = phonehome_proto::id::BatchId::new(id);
        verify(sealed(1, header), Some(&mine), &rules, now).expect("verifies")
    };
    let batches = (0..crate::store::HOME_WEEK_BATCHES_MAX)
        .map(batch)
        .collect();
    assert!(bench.accept(batches).await.iter().all(Result::is_ok));
    let surplus = batch(crate::store::HOME_WEEK_BATCHES_MAX);
    assert_eq!(bench.accept_at(surplus, now).await, Err(Reject::TooMany));
    assert!(
        bench.accept_at(batch(0), now).await.is_ok(),
        "a repetition needs no room"
    );
}

#[tokio::test]
async fn a_lost_or_exchanged_week_key_stops_the_week() {
    let bench = Bench::new().await;
    bench.accept_first().await;
    let path = bench.folder.path().join("2026-W46.key");
    std::fs::remove_file(&path).expect("removes");
    let bench = bench.restart().await;
    let batch = verified(1, 8, tuesday_noon());
    let refused = bench
        .journal
        .accept(vec![batch], None, tuesday_noon())
        .await;
    assert!(matches!(refused, Err(JournalError::Key(_))), "{refused:?}");
    assert!(!path.exists(), "no new key takes its place");
    let other = phonehome_proto::id::to_hex(&[3; 32]) + "\n";
    std::fs::write(&path, other).expect("writes");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .expect("changes");
    let batch = verified(1, 8, tuesday_noon());
    let refused = bench
        .journal
        .accept(vec![batch], None, tuesday_noon())
        .await;
    assert!(matches!(refused, Err(JournalError::Key(_))), "{refused:?}");
    assert_eq!(bench.rows().await, 1);
}

#[tokio::test]
async fn a_week_begins_with_its_key_although_that_was_read_before() {
    let bench = Bench::new().await;
    bench.accept_first().await;
    // The database is lost, and back without the week; its key lies where it lay.
    let folder = bench.stop().await;
    for name in ["collector.db", "collector.db-wal", "collector.db-shm"] {
        let _ = std::fs::remove_file(folder.path().join(name));
    }
    let bench = Bench::open(folder, true).await;
    let (early, now) = (monday().start(), tuesday_noon());
    let batches = vec![verified(2, 8, early), verified(1, 7, now)];
    let mut outcomes = bench.accept(batches).await;
    assert!(outcomes.pop().expect("the second").is_ok());
    assert_eq!(outcomes.pop(), Some(Err(Reject::TooEarly)));
    assert_eq!(bench.rows().await, 1);
}

#[tokio::test]
async fn nothing_of_a_home_stands_in_the_database_in_clear() {
    let bench = Bench::new().await;
    bench.accept_first().await;
    let folder = bench.stop().await;
    // The registry knows homes and their keys; nothing else may.
    let path = folder.path().join("collector.db");
    let connection = rusqlite::Connection::open(path).expect("opens");
    let forget = "DROP TABLE homes; DROP TABLE keys; DROP TABLE invites; VACUUM;
                  PRAGMA wal_checkpoint(TRUNCATE)";
    connection.execute_batch(forget).expect("forgets");
    let database = std::fs::read(folder.path().join("collector.db")).expect("reads");
    let holds = |secret: &[u8]| database.windows(secret.len()).any(|bytes| bytes == secret);
    assert!(!holds(key(1).public().home().as_bytes()), "the home");
    assert!(!holds(key(1).public().as_bytes()), "its key");
    assert!(!holds(&[7; 16]), "the batch id");
    // The search would find what is there.
    assert!(
        holds(Hash::of(&payload(header(1, 7))).as_bytes()),
        "the payload's hash"
    );
}
