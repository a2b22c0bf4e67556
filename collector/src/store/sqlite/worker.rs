//! A thread that owns a connection.
//!
//! Takes named pieces of work, runs each in a transaction, gives back its value. A piece of work
//! that fails leaves nothing behind. The thread ends, and closes its connection, with the last
//! handle.

use super::{QUEUE_MAX, failure};
use crate::store::StoreError;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// A handle to the thread.
#[derive(Clone)]
pub(super) struct Worker(Arc<Inner>);

struct Inner {
    /// `None` only while dropping.
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts a thread named `name`, which opens its connection itself.
    pub(super) async fn start(
        name: &str,
        open: impl FnOnce() -> Result<Connection, StoreError> + Send + 'static,
    ) -> Result<Self, StoreError> {
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE_MAX);
        let (ready, opened) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let mut connection = match open() {
                    Ok(connection) => connection,
                    Err(error) => {
                        // Nobody waiting means nobody wants the store any more.
                        let _ = ready.send(Err(error));
                        return;
                    }
                };
                if ready.send(Ok(())).is_ok() {
                    while let Some(job) = queue.blocking_recv() {
                        job(&mut connection);
                    }
                }
            })
            .map_err(|error| StoreError::Engine {
                transaction: "start",
                source: error.into(),
            })?;
        opened.await.map_err(|_| StoreError::Stopped)??;
        Ok(Self(Arc::new(Inner {
            jobs: Some(jobs),
            thread: Some(thread),
        })))
    }

    /// Runs `work` in a transaction that takes the write lock at once.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.transact(name, TransactionBehavior::Immediate, work)
            .await
    }

    /// Runs `work` over one consistent view.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.transact(name, TransactionBehavior::Deferred, work)
            .await
    }

    /// Runs `work` outside any transaction.
    pub(super) async fn bare<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // Nobody waiting for the answer is no reason to undo the work.
            let _ = reply.send(work(connection));
        });
        let jobs = self.0.jobs.as_ref().expect("present until dropped");
        jobs.send(job).await.map_err(|_| StoreError::Stopped)?;
        answer
            .await
            .map_err(|_| StoreError::Stopped)?
            .map_err(|error| failure(name, error))
    }

    async fn transact<T: Send + 'static>(
        &self,
        name: &'static str,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.bare(name, move |connection| {
            let transaction = connection.transaction_with_behavior(behavior)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })
        .await
    }
}

impl Drop for Inner {
    /// Waits for the work under way and for the connection to close, so that the file is at rest.
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // A panic over there has been reported over there.
            let _ = thread.join();
        }
    }
}
