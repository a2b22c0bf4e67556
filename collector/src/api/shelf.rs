//! The released weeks that are shown, swapped whole while requests are answered.

use super::cursor::Cursors;
use crate::identity::Identity;
use crate::publish::{self, File, Log};
use crate::release::{Release, ReleaseId};
use phonehome_proto::time::Week;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// What the API shows. Its clones are the same shelf.
#[derive(Clone, Debug)]
pub struct Shelf {
    releases: Arc<RwLock<Arc<[Arc<Shelved>]>>>,
    /// How often it has shown something else than before.
    edition: Arc<AtomicU64>,
    identity: Arc<Identity>,
}

/// A release on the shelf, with its files once somebody asked for one.
#[derive(Debug)]
pub struct Shelved {
    release: Release,
    /// The releases up to this one, as its folder lists them.
    log: Log,
    identity: Arc<Identity>,
    files: OnceLock<Vec<File>>,
}

impl Shelf {
    /// An empty shelf, whose releases this collector signs.
    #[must_use]
    pub fn new(identity: Arc<Identity>) -> Self {
        Self {
            releases: Arc::default(),
            edition: Arc::default(),
            identity,
        }
    }

    /// Shows exactly these releases from now on. Requests under way finish with what they began with.
    pub fn replace(&self, releases: Vec<Release>) {
        let before = self.all();
        let mut releases = releases;
        releases.sort_by_key(|release| release.id);
        let mut log = Log::new(&self.identity.key().public());
        let mut next: Vec<Arc<Shelved>> = Vec::with_capacity(releases.len());
        for release in releases {
            // A release that stays keeps the files that were made of it.
            let kept = before.iter().find(|shelved| shelved.release == release);
            let shelved = kept.map_or_else(
                || {
                    log.add(&release);
                    Arc::new(Shelved {
                        release,
                        log: log.clone(),
                        identity: Arc::clone(&self.identity),
                        files: OnceLock::new(),
                    })
                },
                Arc::clone,
            );
            log = shelved.log.clone();
            next.push(shelved);
        }
        next.reverse();
        let is_same = |(old, new): (&Arc<Shelved>, &Arc<Shelved>)| Arc::ptr_eq(old, new);
        if before.len() == next.len() && before.iter().zip(&next).all(is_same) {
            return;
        }
        *self
            .releases
            .write()
            .unwrap_or_else(PoisonError::into_inner) = next.into();
        // After it: whoever sees this number sees those releases, or later ones.
        self.edition.fetch_add(1, Ordering::Release);
    }

    /// Changes whenever what is shown does.
    pub(super) fn edition(&self) -> u64 {
        self.edition.load(Ordering::Acquire)
    }

    /// The key of its lists' cursors.
    pub(super) fn cursors(&self) -> Cursors {
        Cursors::of(&self.identity)
    }

    /// All releases, the newest first.
    #[must_use]
    pub fn all(&self) -> Arc<[Arc<Shelved>]> {
        Arc::clone(&self.releases.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The release of the newest week.
    #[must_use]
    pub fn latest(&self) -> Option<Arc<Shelved>> {
        self.all().first().cloned()
    }

    /// The release with this name.
    #[must_use]
    pub fn named(&self, id: ReleaseId) -> Option<Arc<Shelved>> {
        self.all()
            .iter()
            .find(|shelved| shelved.release.id == id)
            .cloned()
    }

    /// The last revision of a week.
    #[must_use]
    pub fn of_week(&self, week: Week) -> Option<Arc<Shelved>> {
        self.all()
            .iter()
            .find(|shelved| shelved.release.id.week == week)
            .cloned()
    }
}

impl Shelved {
    /// The release itself.
    #[must_use]
    pub const fn release(&self) -> &Release {
        &self.release
    }

    /// One of its published files: the bytes that stand in its folder.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        let files = self
            .files
            .get_or_init(|| publish::signed_files(&self.release, &self.log, self.identity.key()));
        let (_, bytes) = files.iter().find(|(known, _)| known == name)?;
        Some(bytes)
    }
}
