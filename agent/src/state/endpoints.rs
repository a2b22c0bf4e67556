//! The endpoint list that the household has loaded, and the one it had before.
//!
//! Nothing about either is verified here: whoever uses one opens it again, each time. The one before
//! stays so that what was told by it, and waits, can still be read and shown.

use super::{Claim, State, StateError};
use crate::seal::file;
use phonehome_proto::seal::SealedBatch;

pub(super) const ENDPOINTS: &str = "endpoints";
pub(super) const ENDPOINTS_BEFORE: &str = "endpoints.before";

impl State {
    /// The endpoint list the household has loaded, as it was signed.
    ///
    /// # Errors
    /// [`StateError::Damaged`], [`StateError::Disk`].
    pub fn endpoints(&self) -> Result<Option<SealedBatch>, StateError> {
        self.sealed(ENDPOINTS)
    }

    /// The one it had loaded before, as it was signed.
    ///
    /// # Errors
    /// [`StateError::Damaged`], [`StateError::Disk`].
    pub fn endpoints_before(&self) -> Result<Option<SealedBatch>, StateError> {
        self.sealed(ENDPOINTS_BEFORE)
    }

    /// Whether a list is loaded, be it one that cannot be used.
    #[must_use]
    pub fn has_endpoints(&self) -> bool {
        self.path(ENDPOINTS).exists()
    }
}

impl Claim {
    /// Keeps a list that the household wants, and the one it had as the one before.
    ///
    /// # Errors
    /// [`StateError::Disk`].
    pub fn set_endpoints(&self, list: &SealedBatch) -> Result<(), StateError> {
        // A copy first: a crash between the two leaves the list that is in use.
        if let Ok(Some(present)) = self.state.endpoints()
            && present != *list
        {
            self.write(ENDPOINTS_BEFORE, &file::to_bytes(&present))?;
        }
        self.write(ENDPOINTS, &file::to_bytes(list))
    }

    /// The household wants the compiled-in list again.
    ///
    /// # Errors
    /// [`StateError::Disk`].
    pub fn forget_endpoints(&self) -> Result<(), StateError> {
        if self.state.has_endpoints() {
            self.rename(ENDPOINTS, ENDPOINTS_BEFORE)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phonehome_proto::seal::{PayloadType, SigningKey};

    fn sealed(text: &[u8]) -> SealedBatch {
        let key = SigningKey::from_seed(&[1; 32]);
        SealedBatch::seal(PayloadType::Endpoints, text.to_vec(), &key)
    }

    #[test]
    fn a_list_is_kept_and_the_one_before_too() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let state = State::at(folder.path().to_owned());
        let claim = state.claim()?;
        let mark = state.decisions_mark();
        claim.forget_endpoints()?;
        assert_eq!((state.endpoints()?, state.has_endpoints()), (None, false));
        claim.set_endpoints(&sealed(b"two"))?;
        assert_ne!(state.decisions_mark(), mark);
        // The same again is no other.
        claim.set_endpoints(&sealed(b"two"))?;
        assert_eq!(state.endpoints_before()?, None);
        claim.set_endpoints(&sealed(b"three"))?;
        assert_eq!(state.endpoints()?, Some(sealed(b"three")));
        assert_eq!(state.endpoints_before()?, Some(sealed(b"two")));
        claim.forget_endpoints()?;
        assert_eq!(state.endpoints()?, None);
        assert_eq!(state.endpoints_before()?, Some(sealed(b"three")));
        // A home that is deleted leaves neither.
        claim.forget_home()?;
        assert_eq!(state.endpoints_before()?, None);
        Ok(())
    }
}
