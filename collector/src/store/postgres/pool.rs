//! A bounded number of sessions, and how a transaction goes through one.
//!
//! Takes a piece of work, runs it in a transaction, gives its value once that is committed. What lost a
//! race begins again, a bounded number of times, with a fresh view. A session is opened when none is
//! idle and thrown away when anything about it is odd. Work goes on though nobody waits for its answer
//! any more, so that a caller who hangs up costs no session.

use super::fault::Fault;
use super::server::Server;
use super::session::{Session, Turn};
use crate::store::StoreError;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The sessions of one collector. Clones share them.
#[derive(Clone)]
pub(super) struct Pool(Arc<Inner>);

struct Inner {
    server: Server,
    room: Semaphore,
    idle: Mutex<Vec<Session>>,
}

/// A piece of work: in a session, on what it was given.
pub(super) type Work<A, T> = for<'t> fn(&'t Session, &'t A) -> Doing<'t, T>;

/// Work under way.
pub(super) type Doing<'t, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 't>>;

/// How often a transaction begins again that others were faster than.
const ROUNDS_MAX: u32 = 16;

/// Longest time for one round, its wait for a session and the standby's answer included. Below the time
/// a home's request has.
const ROUND_TIMEOUT: Duration = Duration::from_secs(45);

impl Pool {
    /// No session is opened yet.
    pub(super) fn new(server: Server) -> Self {
        let room = Semaphore::new(server.sessions().into());
        Self(Arc::new(Inner {
            server,
            room,
            idle: Mutex::default(),
        }))
    }

    /// The value of `work`, done and committed.
    pub(super) async fn transact<A, T>(
        &self,
        name: &'static str,
        turn: Turn,
        given: A,
        work: Work<A, T>,
    ) -> Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let inner = Arc::clone(&self.0);
        let done = tokio::spawn(async move {
            let mut rounds = 1;
            loop {
                match inner.round(turn, &given, work).await {
                    Err(fault) if fault.begins_again() && rounds < ROUNDS_MAX => rounds += 1,
                    Err(fault) => return Err(fault.into_error(name)),
                    Ok(value) => return Ok(value),
                }
            }
        });
        done.await.map_err(|_| StoreError::Stopped)?
    }

    /// Runs `work` in a session, outside any transaction.
    pub(super) async fn bare<A, T>(
        &self,
        name: &'static str,
        given: A,
        work: Work<A, T>,
    ) -> Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let inner = Arc::clone(&self.0);
        let done = tokio::spawn(async move {
            let done = timeout(ROUND_TIMEOUT, async {
                let _room = inner.room().await?;
                let session = inner.session().await?;
                let value = work(&session, &given).await?;
                inner.put_back(session);
                Ok(value)
            });
            done.await.unwrap_or(Err(Fault::Unsure("it took too long")))
        });
        let done = done.await.map_err(|_| StoreError::Stopped)?;
        done.map_err(|fault: Fault| fault.into_error(name))
    }
}

impl Inner {
    async fn round<A, T>(&self, turn: Turn, given: &A, work: Work<A, T>) -> Result<T, Fault> {
        let round = timeout(ROUND_TIMEOUT, async {
            let _room = self.room().await?;
            let session = self.session().await?;
            let done = async {
                session.begin(turn).await?;
                let value = work(&session, given).await?;
                session.commit().await?;
                Ok(value)
            };
            let done: Result<T, Fault> = done.await;
            let is_clean = match &done {
                Ok(_) => true,
                Err(Fault::Unsure(_)) => false,
                Err(_) => session.roll_back().await.is_ok(),
            };
            if is_clean {
                self.put_back(session);
            }
            done
        });
        // Perhaps in the middle of a commit.
        round
            .await
            .unwrap_or(Err(Fault::Unsure("it took too long")))
    }

    async fn room(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Fault> {
        let room = self.room.acquire().await;
        room.map_err(|_| Fault::Store(StoreError::Stopped))
    }

    async fn session(&self) -> Result<Session, Fault> {
        loop {
            let idle = self.idle().pop();
            match idle {
                Some(session) if session.is_closed() => {}
                Some(session) => return Ok(session),
                None => return Session::open(&self.server).await,
            }
        }
    }

    fn put_back(&self, session: Session) {
        if !session.is_closed() {
            self.idle().push(session);
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Session>> {
        // A list of sessions is whole between any two statements.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
