//! Commits that nobody answers for, sessions that break, servers that forget.

use super::{attempt, held, prepare};
use phonehome_collector::store::postgres::{SESSIONS, Server};
use phonehome_collector::store::{Appended, Store, StoreError};
use phonehome_tests::servers::PostgresServer;
use std::thread;

/// Waits until the server says so.
fn until(server: &PostgresServer, database: &str, question: &str, answer: &str) {
    for _ in 0..600 {
        if server.asked(database, question) == answer {
            return;
        }
        #[expect(clippy::disallowed_methods, reason = "a real server has to get there")]
        thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("{question}: never {answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL's server"]
async fn a_commit_that_its_standby_may_not_have_is_not_acknowledged() {
    let server = PostgresServer::start(&[]);
    let (name, database) = server.database();
    let store = Store::connect(database, true).await.expect("opens");
    prepare(&store).await;
    // From now on commits wait for a standby that nobody ever starts.
    server.ask(
        &name,
        "ALTER SYSTEM SET synchronous_standby_names = 'nobody'",
    );
    server.ask(&name, "SELECT pg_reload_conf()");
    until(&server, &name, "SHOW synchronous_standby_names", "nobody");
    let appending = tokio::spawn({
        let store = store.clone();
        async move { store.append(vec![attempt(1, 1, 1)]).await }
    });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    until(&server, &name, waits, "1");
    // An operator loses patience. The server answers that it is committed, and warns.
    server.ask(
        &name,
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'",
    );
    let appended = appending.await.expect("runs");
    let error = appended.expect_err("it may be lost with the server");
    assert!(error.passes(), "{error}");
    server.ask(&name, "ALTER SYSTEM RESET synchronous_standby_names");
    server.ask(&name, "SELECT pg_reload_conf()");
    until(&server, &name, "SHOW synchronous_standby_names", "");
    // Whoever was told to come back finds it, once.
    let again = store.append(vec![attempt(1, 1, 2)]).await.expect("asks");
    assert!(matches!(&again[0], Appended::Repeated(row) if row.sealed[0] == 1));
    assert_eq!(held(&store).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL's server"]
async fn broken_sessions_are_replaced() {
    let server = PostgresServer::shared();
    let (name, database) = server.database();
    let store = Store::connect(database, true).await.expect("opens");
    prepare(&store).await;
    for batch in 0..5 {
        server.ask(
            &name,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE pid <> pg_backend_pid() AND datname = current_database()",
        );
        // Noticed before or while it is used: one call may be told to come back, and no more.
        let once = store.append(vec![attempt(1, batch, 1)]).await;
        let answers = match once {
            Err(error) => {
                assert!(error.passes(), "{error}");
                let again = store.append(vec![attempt(1, batch, 1)]).await;
                again.expect("appends")
            }
            Ok(answers) => answers,
        };
        assert_eq!(answers, [Appended::Fresh]);
    }
    assert_eq!(held(&store).await.len(), 5);
}

#[tokio::test]
#[ignore = "needs PostgreSQL's server"]
async fn a_server_that_forgets_is_told_from_one_that_does_not() {
    for (settings, said) in [
        (&["fsync=off"][..], Some("fsync")),
        (&["full_page_writes=off"], Some("full_page_writes")),
        // Turned on in every session of ours, whatever the server's own word is.
        (&["synchronous_commit=off"], None),
        (&[], None),
    ] {
        let server = PostgresServer::start(settings);
        let (_, database) = server.database();
        let store = Store::connect(database, true).await.expect("opens");
        assert_eq!(store.fragility().await.expect("asks"), said);
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL's server"]
async fn a_server_that_is_away_is_come_back_to() {
    let mut server = PostgresServer::start(&[]);
    let (_, database) = server.database();
    let store = Store::connect(database.clone(), true).await.expect("opens");
    prepare(&store).await;
    server.kill();
    for _ in 0..2 {
        let error = store.weeks().await.expect_err("nobody is there");
        assert!(error.passes(), "{error}");
    }
    let none = Server::parse(&server.url("none"), None, None, SESSIONS).expect("a server");
    let error = Store::connect(none, true).await.expect_err("nobody");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
}
