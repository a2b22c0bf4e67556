//! The atlas in use: one at a time, swapped whole.
//!
//! Whoever takes it keeps what it took: a fold that began with one atlas ends with it, whatever is
//! swapped in meanwhile.

use super::atlas::Atlas;
use std::sync::{Arc, PoisonError, RwLock};

/// Which atlas is in use. Clones look at the same one.
#[derive(Clone)]
pub struct AtlasInUse(Arc<RwLock<Arc<Atlas>>>);

impl AtlasInUse {
    /// Begins with this one.
    #[must_use]
    pub fn new(atlas: Atlas) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(atlas))))
    }

    /// The one in use now.
    #[must_use]
    pub fn now(&self) -> Arc<Atlas> {
        // Nothing panics while it holds the lock, and a pointer is never half written.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another in its place.
    pub fn swap(&self, atlas: Atlas) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(atlas);
    }
}
