//! One session with the server: its settings, its statements, its transactions.
//!
//! A session is used for one transaction at a time and given back only if that ended cleanly; one that
//! is dropped on the way is closed, and the server undoes what it was at.
//!
//! A commit has three ends. The server says that it stands, on its disk and on the synchronous
//! standby's; or that it does not; or nothing that can be relied on, and then nobody is told either. The
//! third includes an answer that comes with a warning: a server that is told to stop waiting for its
//! standby says "committed", and warns.

use super::fault::Fault;
use super::server::Server;
use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_postgres::error::Severity;
use tokio_postgres::types::{FromSql, ToSql};
use tokio_postgres::{AsyncMessage, Client, Row, Statement};

/// A session.
pub(super) struct Session {
    client: Client,
    statements: Mutex<HashMap<&'static str, Statement>>,
    /// Warnings the server gave, so far.
    warnings: Arc<AtomicU64>,
    /// Which of the doors it goes through.
    door: i32,
}

/// What a transaction keeps others from while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing: it only reads.
    Read,
    /// Nothing that this knows of: there may be no turns to wait for yet.
    Free,
    /// A change of everything at once: it goes through one of the doors.
    Door,
    /// Another change of the registry or of the weeks: it has the desk.
    Desk,
    /// The same, and any append: it has the desk and all doors.
    House,
}

/// Parameters of a statement.
pub(super) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Doors that appends go through; more at a time wait for each other.
pub(super) const DOORS: i32 = 32;

/// How a session is set up. Timeouts in milliseconds: no statement and no lock is waited for any longer,
/// and a collector that hangs in the middle of a transaction lets go. Every question is asked by key,
/// so no plan but a walk of indexes is ever right, whatever the statistics say of a table that was
/// empty an hour ago.
const SETTINGS: &str = "
    SET client_min_messages = warning;
    SET default_transaction_isolation = 'read committed';
    SET statement_timeout = 30000;
    SET lock_timeout = 20000;
    SET idle_in_transaction_session_timeout = 60000;
    SET bytea_output = 'hex';
    SET enable_seqscan = off;
    SET enable_hashjoin = off;
    SET enable_mergejoin = off;";

/// `off` and `local` would acknowledge what a standby does not have; `remote_apply` is stricter still.
const INSIST: &str = "
    SELECT pg_backend_pid(), set_config('synchronous_commit',
      CASE WHEN current_setting('synchronous_commit') = 'remote_apply' THEN 'remote_apply' ELSE 'on' END,
      false)";

impl Session {
    /// Opens one, with the server that takes writes.
    pub(super) async fn open(server: &Server) -> Result<Self, Fault> {
        let config = server.config().map_err(Fault::Store)?;
        let tls = server.tls().map_err(Fault::Store)?;
        let (client, mut connection) = config.connect(tls).await?;
        let warnings = Arc::new(AtomicU64::new(0));
        // Ends when the client is dropped or the line breaks.
        tokio::spawn({
            let warnings = Arc::clone(&warnings);
            async move {
                while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                    if let AsyncMessage::Notice(notice) = message
                        && notice.parsed_severity() == Some(Severity::Warning)
                    {
                        // Told apart by count: an answer is handed on after its warnings.
                        warnings.fetch_add(1, Ordering::SeqCst);
                    }
                }
            }
        });
        client.batch_execute(SETTINGS).await?;
        let process: i32 = client.query_one(INSIST, &[]).await?.try_get(0)?;
        Ok(Self {
            client,
            statements: Mutex::default(),
            warnings,
            door: 1 + process.rem_euclid(DOORS),
        })
    }

    /// Whether the line is broken.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Begins a transaction, and waits for its turn.
    pub(super) async fn begin(&self, turn: Turn) -> Result<(), Fault> {
        let begin = match turn {
            Turn::Read => "BEGIN TRANSACTION READ ONLY".to_owned(),
            Turn::Free => "BEGIN".to_owned(),
            Turn::Door => format!(
                "BEGIN; SELECT number FROM turns WHERE number = {} FOR UPDATE",
                self.door
            ),
            Turn::Desk => "BEGIN; SELECT number FROM turns WHERE number = 0 FOR UPDATE".to_owned(),
            // In one order, so that two of them never wait for each other.
            Turn::House => "BEGIN; SELECT number FROM turns ORDER BY number FOR UPDATE".to_owned(),
        };
        Ok(self.client.batch_execute(&begin).await?)
    }

    /// Commits; when this returns, it stands, here and on the synchronous standby.
    pub(super) async fn commit(&self) -> Result<(), Fault> {
        let before = self.warnings.load(Ordering::SeqCst);
        // Without its timeout: one that runs out while the standby is waited for would be reported
        // as a commit.
        let commit = "SET LOCAL statement_timeout = 0; COMMIT";
        match self.client.batch_execute(commit).await {
            Ok(()) if self.warnings.load(Ordering::SeqCst) == before => Ok(()),
            Ok(()) => Err(Fault::Unsure("the standby may not have it")),
            // The server refused it, and says so.
            Err(error) if error.as_db_error().is_some_and(|said| !ends(said)) => Err(error.into()),
            Err(_) => Err(Fault::Unsure("the server was lost on the way")),
        }
    }

    /// Undoes a transaction that failed.
    pub(super) async fn roll_back(&self) -> Result<(), Fault> {
        Ok(self.client.batch_execute("ROLLBACK").await?)
    }

    /// Runs statements without parameters.
    pub(super) async fn run(&self, statements: &str) -> Result<(), Fault> {
        Ok(self.client.batch_execute(statements).await?)
    }

    /// All rows.
    pub(super) async fn rows(
        &self,
        statement: &'static str,
        values: Values<'_>,
    ) -> Result<Vec<Row>, Fault> {
        let statement = self.prepared(statement).await?;
        Ok(self.client.query(&statement, values).await?)
    }

    /// The only row, if there is one.
    pub(super) async fn row(
        &self,
        statement: &'static str,
        values: Values<'_>,
    ) -> Result<Option<Row>, Fault> {
        let statement = self.prepared(statement).await?;
        Ok(self.client.query_opt(&statement, values).await?)
    }

    /// The first value of the only row.
    pub(super) async fn value<T: for<'a> FromSql<'a>>(
        &self,
        statement: &'static str,
        values: Values<'_>,
    ) -> Result<T, Fault> {
        let statement = self.prepared(statement).await?;
        Ok(self
            .client
            .query_one(&statement, values)
            .await?
            .try_get(0)?)
    }

    /// How many rows it changed.
    pub(super) async fn change(
        &self,
        statement: &'static str,
        values: Values<'_>,
    ) -> Result<u64, Fault> {
        let statement = self.prepared(statement).await?;
        Ok(self.client.execute(&statement, values).await?)
    }

    /// A statement that is made up on the way, and soon forgotten.
    pub(super) async fn prepare(&self, text: &str) -> Result<Statement, Fault> {
        Ok(self.client.prepare(text).await?)
    }

    /// All rows of such a statement.
    pub(super) async fn ask(
        &self,
        statement: &Statement,
        values: Values<'_>,
    ) -> Result<Vec<Row>, Fault> {
        Ok(self.client.query(statement, values).await?)
    }

    async fn prepared(&self, text: &'static str) -> Result<Statement, Fault> {
        let known = |statements: &Mutex<HashMap<&'static str, Statement>>| {
            let statements = statements.lock().unwrap_or_else(PoisonError::into_inner);
            statements.get(text).cloned()
        };
        if let Some(statement) = known(&self.statements) {
            return Ok(statement);
        }
        let statement = self.client.prepare(text).await?;
        let mut statements = self.statements.lock();
        let statements = statements.as_mut().map_err(|_| Fault::Damaged("a lock"));
        statements?.insert(text, statement.clone());
        Ok(statement)
    }
}

/// Whether the server ended the session with this: then it says nothing about the commit.
fn ends(said: &tokio_postgres::error::DbError) -> bool {
    matches!(
        said.parsed_severity(),
        Some(Severity::Fatal | Severity::Panic)
    )
}
