//! Two collectors, one database, the same moment.

use super::{KEY, attempt, fresh, held, now, prepare, week};
use phonehome_collector::store::{
    Appended, EraseAttempt, Erased, HOME_WEEK_BATCHES_MAX, HomeToken, Store,
};
use phonehome_proto::id::{Hash, HomeId};
use phonehome_tests::servers::PostgresServer;
use std::sync::Arc;

/// Two collectors' handles to one fresh database.
async fn two() -> (Store, Store, Arc<PostgresServer>) {
    let server = PostgresServer::shared();
    let (_, database) = server.database();
    // At the same moment, too: both find nothing and make the tables.
    let (one, other) = tokio::join!(
        Store::connect(database.clone(), true),
        Store::connect(database, true)
    );
    let (one, other) = (one.expect("opens"), other.expect("opens"));
    prepare(&one).await;
    (one, other, server)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL's server"]
async fn a_batch_that_comes_to_two_collectors_has_one_receipt() {
    let (one, other, _server) = two().await;
    let mut first_seals = 0;
    for round in 0..40_u32 {
        // The same batches in opposite order, each sealed by who got it.
        let batches = round * 10..round * 10 + 10;
        let ours = batches.clone().map(|batch| attempt(1, batch, 1)).collect();
        let theirs = batches.rev().map(|batch| attempt(1, batch, 2)).collect();
        let (ours, theirs) = tokio::join!(one.append(ours), other.append(theirs));
        let (ours, mut theirs) = (ours.expect("appends"), theirs.expect("appends"));
        theirs.reverse();
        assert_eq!(fresh(&ours) + fresh(&theirs), 10);
        for (one, other) in ours.iter().zip(&theirs) {
            match (one, other) {
                (Appended::Fresh, Appended::Repeated(row)) => assert_eq!(row.sealed[0], 1),
                (Appended::Repeated(row), Appended::Fresh) => assert_eq!(row.sealed[0], 2),
                other => panic!("one is first: {other:?}"),
            }
        }
        first_seals += fresh(&ours);
    }
    let rows = held(&one).await;
    assert_eq!(rows.len(), 400);
    let of_ours = rows.iter().filter(|row| row.sealed[0] == 1).count();
    assert_eq!(of_ours, first_seals, "what is held is what was first said");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL's server"]
async fn two_collectors_fill_a_homes_week_exactly() {
    let (one, other, _server) = two().await;
    let report = async |store: &Store, seal: u8| {
        let mut taken = 0;
        for list in 0..30_u32 {
            let first = u32::from(seal) * 10_000 + list * 10;
            let list = (first..first + 10).map(|batch| attempt(1, batch, seal));
            let answers = store.append(list.collect()).await.expect("appends");
            assert!(
                answers
                    .iter()
                    .all(|a| matches!(a, Appended::Fresh | Appended::Full))
            );
            taken += fresh(&answers);
        }
        taken
    };
    let (ours, theirs) = tokio::join!(report(&one, 1), report(&other, 2));
    assert_eq!(ours + theirs, HOME_WEEK_BATCHES_MAX as usize);
    assert_eq!(held(&one).await.len(), HOME_WEEK_BATCHES_MAX as usize);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL's server"]
async fn nothing_slips_into_a_week_that_is_closed_and_nobody_waits_for_ever() {
    let (one, other, _server) = two().await;
    let report = async |store: &Store, seal: u8| {
        let mut taken = 0;
        for number in 0_u32.. {
            // A further home when one has filled its week.
            let home = u8::try_from(number / 400).expect("it is closed long before") * 2;
            let batch = attempt(seal + home, number, seal);
            match store.append(vec![batch]).await.expect("appends")[0] {
                Appended::Fresh => taken += 1,
                Appended::Closed => break,
                ref other => panic!("{other:?}"),
            }
        }
        taken
    };
    let close = async {
        // In the middle of an intake that never pauses.
        while held(&one).await.len() < 50 {}
        one.close_week(week(), now()).await.expect("closes");
        held(&one).await.len()
    };
    let (ours, theirs, at_closing) = tokio::join!(report(&one, 1), report(&other, 2), close);
    assert_eq!(at_closing, ours + theirs);
    assert_eq!(held(&one).await.len(), at_closing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL's server"]
async fn a_home_that_leaves_while_it_reports_leaves_nothing() {
    let (one, other, _server) = two().await;
    let report = async {
        for batch in 0_u32.. {
            let answers = other.append(vec![attempt(1, batch, 1)]).await;
            if answers.expect("appends") == [Appended::Stranger] {
                break;
            }
        }
    };
    let leave = async {
        let mut count = 0;
        loop {
            let erasure = EraseAttempt {
                home: HomeId::of_key(&KEY),
                key: KEY,
                withdrawal_hash: Hash::of(b"a withdrawal"),
                held: vec![(week(), HomeToken([1; 32]), count)],
                receipt: vec![1; 300],
                forget_at: now().plus_seconds(60),
                listed: (week().monday(), Hash::of(b"a home")),
            };
            match one.erase(erasure).await.expect("erases") {
                Erased::Done => break,
                Erased::Otherwise(said) => count = said[0].1,
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::join!(report, leave);
    assert_eq!(held(&one).await, []);
}
