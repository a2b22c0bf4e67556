//! Consent: what the household agreed to, signed with the home's own key and kept at home.
//!
//! Only its hash is ever sent, inside the enrolment. v1 knows one scope.

use crate::id::Hash;
use crate::time::Timestamp;

/// A household's consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consent {
    /// SHA-256 of the text that was shown.
    pub text_hash: Hash,
    /// When it was given, to the second.
    pub given_at: Timestamp,
    /// To what.
    pub scope: ConsentScope,
}

/// What may leave the home. Sorts from narrow to wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConsentScope {
    /// Contacts of allowed phones with endpoints of the public list.
    ListedEndpoints,
}

impl ConsentScope {
    /// The word in status and preview.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ListedEndpoints => "listed_endpoints",
        }
    }
}
