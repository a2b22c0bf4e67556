//! A store moves from its file to a server: how much is left for the pause, what is refused before anything is
//! moved, and what an attempt that ended at the worst moment leaves to the next.

use super::{attempt, fresh, held, prepare};
use phonehome_collector::store::moving::{CHANGES_LEFT_MAX, MoveError, Pause, move_to};
use phonehome_collector::store::postgres::{SESSIONS, Server};
use phonehome_collector::store::{Attempt, Store, StoreError};
use phonehome_tests::servers::PostgresServer;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Batches that are there when the move begins: many times what may be left for the pause.
const HELD: u32 = 12_000;

/// Batches that are appended together before.
const TOGETHER: u32 = 1_000;

/// One batch, of whichever home has it: none has too many.
fn batch(number: u32, seal: u8) -> Attempt {
    attempt((number % 251) as u8, number, seal)
}

async fn filled(batches: u32) -> (tempfile::TempDir, PathBuf, Store) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("collector.db");
    let store = Store::open(&path, true).await.expect("opens");
    prepare(&store).await;
    for first in (0..batches).step_by(TOGETHER as usize) {
        let attempts = (first..(first + TOGETHER).min(batches)).map(|number| batch(number, 1));
        let appended = store.append(attempts.collect()).await.expect("appends");
        assert_eq!(fresh(&appended), appended.len());
    }
    (folder, path, store)
}

/// What a home that reports without end was answered: batches that were taken, and where refusals stand among
/// the answers.
#[derive(Default)]
struct Answers {
    taken: BTreeSet<u32>,
    /// Answers before the first refusal.
    before: usize,
    refused: usize,
    /// Batches that were taken after a refusal.
    after: usize,
}

/// Reports until told to stop.
async fn report(store: Store, stop: Arc<AtomicBool>) -> Answers {
    let mut answers = Answers::default();
    for number in HELD.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        match store.append(vec![batch(number, 2)]).await {
            Ok(appended) => {
                assert_eq!(fresh(&appended), 1);
                answers.taken.insert(number);
                if answers.refused == 0 {
                    answers.before += 1;
                } else {
                    answers.after += 1;
                }
            }
            Err(error) => {
                assert!(error.passes(), "told to come back: {error}");
                answers.refused += 1;
            }
        }
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL's server"]
async fn acceptance_is_paused_for_the_last_batches_and_not_for_the_store() {
    let (_folder, path, store) = filled(HELD).await;
    let postgres = PostgresServer::shared();
    let (_, server) = postgres.database();
    let stop = Arc::new(AtomicBool::new(false));
    let home = tokio::spawn(report(store.clone(), Arc::clone(&stop)));
    let moved = move_to(&path, server.clone()).await.expect("moves");
    stop.store(true, Ordering::Relaxed);
    let answers = home.await.expect("reports");

    let pause = moved.pause.expect("it was paused");
    let Pause {
        batches,
        batches_before,
        ..
    } = pause;
    // All of it was copied while the home was answered, but for a number that is fixed.
    assert!(batches_before >= HELD.into(), "{pause:?}");
    assert!(batches <= u64::from(2 * CHANGES_LEFT_MAX), "{pause:?}");
    // Acceptance ended once, late, and did not begin again over the file.
    assert!(answers.before > 50, "{}", answers.before);
    assert!(answers.refused > 0, "the pause is seen");
    assert_eq!(answers.after, 0);
    let count = u64::from(HELD) + answers.taken.len() as u64;
    assert!(
        moved
            .tables
            .iter()
            .any(|row| (row.0, row.1) == ("journal", count))
    );
    let theirs = held(&Store::connect(server, false).await.expect("serves")).await;
    assert_eq!(theirs.len() as u64, count, "nothing lost, nothing twice");
    let sealed: usize = theirs.iter().filter(|row| row.sealed[0] == 2).count();
    assert_eq!(sealed, answers.taken.len());
    #[allow(clippy::print_stdout, reason = "the figures, with --nocapture")]
    {
        println!(
            "{batches_before} batches copied while {} came, {batches} in a pause of {} ms",
            answers.before, pause.milliseconds
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL's server"]
async fn a_server_that_could_forget_is_refused_before_anything_is_moved() {
    let (_folder, path, store) = filled(10).await;
    let postgres = PostgresServer::start(&["full_page_writes=off"]);
    let (name, server) = postgres.database();
    let refused = move_to(&path, server).await;
    assert!(
        matches!(refused, Err(MoveError::Fragile("full_page_writes"))),
        "{refused:?}"
    );
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(postgres.asked(&name, tables), "0", "nothing was made there");
    assert_eq!(held(&store).await.len(), 10);
    let appended = store.append(vec![batch(10, 1)]).await;
    assert_eq!(fresh(&appended.expect("serves on")), 1);
    let file = rusqlite::Connection::open(&path).expect("opens");
    let notes = "SELECT count(*) FROM sqlite_master WHERE name LIKE 'move_%'";
    let notes: u32 = file.query_row(notes, [], |row| row.get(0)).expect("asks");
    assert_eq!(notes, 0, "nor here");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL's server"]
async fn a_move_that_ended_behind_the_mark_is_finished_by_the_next() {
    let (_folder, path, store) = filled(10).await;
    drop(store);
    let postgres = PostgresServer::shared();
    let (name, server) = postgres.database();
    let first = move_to(&path, server.clone()).await.expect("moves");
    // As it stands between the file's mark and the server's opening.
    let between = "CREATE TABLE being_filled (one integer NOT NULL PRIMARY KEY)";
    postgres.ask(&name, between);
    let refused = Store::connect(server.clone(), false).await;
    assert!(matches!(refused, Err(StoreError::Unfinished)));

    // Not over another store's rows.
    postgres.ask(&name, "UPDATE invites SET expires_at = expires_at + 1");
    let refused = move_to(&path, server.clone()).await;
    assert!(matches!(refused, Err(MoveError::Differs("invites"))));
    postgres.ask(&name, "UPDATE invites SET expires_at = expires_at - 1");

    let elsewhere = Server::parse(&postgres.url("postgres"), None, None, SESSIONS);
    let refused = move_to(&path, elsewhere.expect("a server")).await;
    assert!(matches!(
        refused,
        Err(MoveError::Store(StoreError::Moved(_)))
    ));

    let second = move_to(&path, server.clone()).await.expect("finishes");
    assert_eq!(second.tables, first.tables, "the same bytes");
    assert_eq!(second.pause, None);
    let store = Store::connect(server.clone(), false).await.expect("serves");
    assert_eq!(held(&store).await.len(), 10);
    // There is nothing left to do.
    let refused = move_to(&path, server).await;
    assert!(matches!(
        refused,
        Err(MoveError::Store(StoreError::Moved(_)))
    ));
}
