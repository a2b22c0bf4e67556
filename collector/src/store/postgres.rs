//! PostgreSQL, for a collector that has outgrown one machine or must not depend on one, and all of its
//! SQL. The same SQL runs on Citus and on `YugabyteDB`.
//!
//! Any number of collectors share one database and hold nothing between two calls. What keeps them apart:
//! - **Isolation is READ COMMITTED, and locks are explicit.** Under SERIALIZABLE, or with row locks that
//!   many share, a busy intake would make closing a week begin again for ever. Instead every change
//!   first waits its turn in the table `turns`: an append holds one of 32 doors, a change of registry or
//!   weeks the desk, and whoever changes what may be appended the desk and all doors. Queues for a row
//!   are served in order. After that, each statement sees all that was committed before its turn came.
//! - **Unique rows decide between appends**, which do not wait for each other; who comes second begins
//!   again and finds the first one's row.
//! - **An acknowledgement means durable**: `synchronous_commit` is on in every session, so that a commit
//!   returns when it is on the server's disk and on the synchronous standby's, if there is one.
//! - **Nobody guesses about a commit.** Without an answer it is neither acknowledged nor taken for lost:
//!   whoever asked comes back, and the store finds out.
//!
//! What is deleted is taken out of its table's pages only when these are used again or rewritten, and
//! out of the server's log when that is recycled; what makes a week unreadable is that its key is gone.

mod erasure;
mod fault;
mod folding;
mod journal;
mod ledger;
pub(super) mod moving;
mod pool;
mod registry;
mod revocation;
mod rotation;
mod server;
mod session;
mod weeks;

pub use server::{NotAServer, SESSIONS, Server};

use super::StoreError;
use fault::Fault;
use phonehome_proto::time::Week;
use pool::Pool;
use session::{Session, Turn};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

/// The engine. Clones share its sessions, which end with the last of them.
#[derive(Clone)]
pub struct Postgres {
    pool: Pool,
}

/// Schema steps, oldest first; the table `schema_steps` counts those taken.
const MIGRATIONS: [&str; 1] = [include_str!("postgres/schema.sql")];

/// Where this stands, steps are taken one collector at a time.
const BEGIN_SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS schema_steps (
      one    integer NOT NULL PRIMARY KEY CHECK (one = 1),
      taken  integer NOT NULL CHECK (taken >= 0)
    );
    INSERT INTO schema_steps (one, taken) VALUES (1, 0) ON CONFLICT DO NOTHING;";
const HAS_SCHEMA: &str = "SELECT to_regclass('schema_steps') IS NOT NULL";
const READ_SCHEMA: &str = "SELECT taken FROM schema_steps WHERE one = 1 FOR UPDATE";
const WRITE_SCHEMA: &str = "UPDATE schema_steps SET taken = $1 WHERE one = 1";

const REWRITE: &str = "UPDATE collector SET serial = serial";

/// Collectors that begin at the same moment trip over each other's new table; this often they try again.
const BEGINNINGS_MAX: u32 = 8;

impl Postgres {
    /// Opens the database, creating or migrating its tables.
    pub(super) async fn open(server: Server, create: bool) -> Result<Self, StoreError> {
        let pool = Pool::new(server);
        for beginning in 1.. {
            let begun = pool
                .bare("open", create, |session, create| {
                    Box::pin(begin_schema(session, create))
                })
                .await?;
            match begun {
                Begun::Ready => break,
                Begun::Nothing => return Err(StoreError::Unmade),
                Begun::Tripped if beginning < BEGINNINGS_MAX => {}
                Begun::Tripped => return Err(Fault::Raced.into_error("open")),
            }
        }
        pool.transact("migrate", Turn::Free, (), |session, ()| {
            Box::pin(migrate(session))
        })
        .await?;
        Ok(Self { pool })
    }

    pub(super) async fn try_writing(&self) -> Result<(), StoreError> {
        self.pool
            .transact("try_writing", Turn::Desk, (), |session, ()| {
                Box::pin(async { session.change(REWRITE, &[]).await.map(drop) })
            })
            .await
    }

    /// The same as [`fragility`](Self::fragility), of a server that holds no tables yet.
    pub(super) async fn fragility_of(server: Server) -> Result<Option<&'static str>, StoreError> {
        let pool = Pool::new(server);
        pool.bare("fragility", (), |session, ()| Box::pin(fragility(session)))
            .await
    }

    /// Which of the server's settings would let it forget what it acknowledged; `None` if none does.
    pub(super) async fn fragility(&self) -> Result<Option<&'static str>, StoreError> {
        self.pool
            .transact("fragility", Turn::Read, (), |session, ()| {
                Box::pin(fragility(session))
            })
            .await
    }
}

/// What became of an attempt to make sure that there is a place where steps are counted.
enum Begun {
    Ready,
    Nothing,
    Tripped,
}

async fn begin_schema(session: &Session, create: &bool) -> Result<Begun, Fault> {
    if session.value(HAS_SCHEMA, &[]).await? {
        return Ok(Begun::Ready);
    }
    if !*create {
        return Ok(Begun::Nothing);
    }
    match session.run(BEGIN_SCHEMA).await {
        Ok(()) => Ok(Begun::Ready),
        Err(Fault::Postgres(error))
            if error.code() == Some(&SqlState::UNIQUE_VIOLATION)
                || error.code() == Some(&SqlState::DUPLICATE_TABLE) =>
        {
            Ok(Begun::Tripped)
        }
        Err(fault) => Err(fault),
    }
}

/// Takes every schema step the database lacks, all in one transaction.
async fn migrate(session: &Session) -> Result<(), Fault> {
    let found: i32 = session.value(READ_SCHEMA, &[]).await?;
    let taken = usize::try_from(found).map_err(|_| damaged("a schema below zero"))?;
    let known = MIGRATIONS.len();
    if taken > known {
        let count = |steps| u32::try_from(steps).unwrap_or(u32::MAX);
        return Err(Fault::Store(StoreError::Newer {
            found: count(taken),
            known: count(known),
        }));
    }
    for step in &MIGRATIONS[taken..] {
        session.run(step).await?;
    }
    let known = i32::try_from(known).expect("a handful of migrations");
    session.change(WRITE_SCHEMA, &[&known]).await?;
    Ok(())
}

async fn fragility(session: &Session) -> Result<Option<&'static str>, Fault> {
    // Asked one by one: what shares PostgreSQL's protocol may not know all of them.
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        let value: Option<String> = session
            .value("SELECT current_setting($1, true)", &[&setting])
            .await?;
        if value.is_some_and(|value| value == "off") {
            return Ok(Some(setting));
        }
    }
    Ok(None)
}

/// A stored value that breaks the schema's promise: the database was changed by other hands.
const fn damaged(what: &'static str) -> Fault {
    Fault::Damaged(what)
}

/// The fixed number of bytes in a column.
fn bytes<const N: usize>(row: &Row, column: usize) -> Result<[u8; N], Fault> {
    let bytes: &[u8] = row.try_get(column)?;
    bytes.try_into().map_err(|_| damaged("a value's length"))
}

/// A week as tables have it: the day number of its Monday.
fn monday(week: Week) -> i32 {
    let number = week.monday().number();
    i32::try_from(number).expect("days end with the year 2199")
}
