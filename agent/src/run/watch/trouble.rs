//! Why nothing can be sent just now, told apart and told plainly.
//!
//! A trouble is a state of things that somebody may have to act on, never a loss: what could not be
//! sent waits. `status` shows it with the moment it began; the log has it once, when it begins.

use crate::consent::Shut;
use crate::tally::reasons;
use crate::uplink::{ConnectFailure, Refusal, RulesRefused, UplinkError};
use phonehome_proto::reject::Reject;
use std::fmt;

reasons! {
    /// The kinds of trouble.
    pub enum TroubleKind {
        /// A gate is shut.
        GateShut = "gate_shut",
        /// Nobody answers where the collector should be, or it has no time.
        OutOfReach = "out_of_reach",
        /// Somebody else answers there.
        WrongKey = "wrong_key",
        /// Somebody answers who does not speak as a collector does.
        NoCollector = "no_collector",
        /// Its rules are none to send by.
        Rules = "rules",
        /// It does not know this home's key.
        KeyRefused = "key_refused",
        /// Its operator has not approved this home yet.
        NotApproved = "not_approved",
        /// Its operator has taken this home out.
        Revoked = "revoked",
        /// It does not take some batches for now.
        Refused = "refused",
        /// Its clock and this router's differ.
        ClockDiffers = "clock_differs",
        /// The spool cannot be written.
        Spool = "spool",
        /// The state folder cannot be used.
        State = "state",
    }
}

/// A trouble, in a word and in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Of what kind.
    pub kind: TroubleKind,
    /// What it is, and what helps.
    pub sentence: String,
}

// === impl Trouble ===

impl Trouble {
    /// One of this kind.
    pub fn new(kind: TroubleKind, sentence: impl Into<String>) -> Self {
        Self {
            kind,
            sentence: sentence.into(),
        }
    }

    /// The collector's clock and this router's differ by so many seconds.
    #[must_use]
    pub fn clock_differs(seconds: i64) -> Self {
        let (by, which) = (
            Span(seconds.unsigned_abs()),
            if seconds > 0 { "behind" } else { "ahead of" },
        );
        let sentence = format!(
            "this router's clock is {by} {which} the collector's; nothing is sent until they agree, so \
             that no day is told under another's date"
        );
        Self::new(TroubleKind::ClockDiffers, sentence)
    }

    /// What refusals come to that may pass, or that no other batch will escape, if there are any.
    #[must_use]
    pub fn of_refusals(refused: &[Refusal]) -> Option<Self> {
        let weight = |refusal: &&Refusal| match refusal {
            Refusal::Known(Reject::Revoked) => 3,
            Refusal::Known(Reject::UnknownKey) => 2,
            Refusal::Known(Reject::NotApproved) => 1,
            _ => 0,
        };
        let lasting = refused
            .iter()
            .filter(|refusal| !refusal.is_final() || **refusal == Refusal::Known(Reject::Revoked));
        Some(match lasting.max_by_key(weight)? {
            Refusal::Known(Reject::Revoked) => Self::new(
                TroubleKind::Revoked,
                "the collector's operator has taken this home out and takes nothing more of it; to end it \
                 here too: phonehome-agent consent withdraw",
            ),
            Refusal::Known(Reject::NotApproved) => Self::new(
                TroubleKind::NotApproved,
                "the collector's operator has not approved this home yet; the batches wait until then",
            ),
            Refusal::Known(Reject::UnknownKey) => Self::new(
                TroubleKind::KeyRefused,
                "the collector does not know this home's key; the batches wait until it does, so ask \
                 its operator, or for a new invite",
            ),
            other => Self::new(
                TroubleKind::Refused,
                format!("some batches wait, because {}", other.sentence()),
            ),
        })
    }
}

impl From<Shut> for Trouble {
    fn from(shut: Shut) -> Self {
        Self::new(TroubleKind::GateShut, shut.to_string())
    }
}

impl From<&ConnectFailure> for Trouble {
    fn from(failure: &ConnectFailure) -> Self {
        let kind = match failure {
            ConnectFailure::Unreachable { .. } => TroubleKind::OutOfReach,
            ConnectFailure::OtherKey { .. } => TroubleKind::WrongKey,
            ConnectFailure::NoCollector { .. } => TroubleKind::NoCollector,
        };
        Self::new(kind, failure.to_string())
    }
}

impl From<&UplinkError> for Trouble {
    fn from(error: &UplinkError) -> Self {
        let kind = match error {
            UplinkError::Connect(failure) => return failure.into(),
            UplinkError::Rules(RulesRefused::NotSigned) => TroubleKind::WrongKey,
            UplinkError::Rules(_) => TroubleKind::Rules,
            UplinkError::Busy { .. } => TroubleKind::OutOfReach,
            UplinkError::Answer { .. } => TroubleKind::NoCollector,
            UplinkError::Spool(_) => TroubleKind::Spool,
        };
        Self::new(kind, error.to_string())
    }
}

/// A span of time for people: `40 minutes`, `3 hours`, `12 days`.
struct Span(u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            seconds @ 0..120 => write!(f, "{seconds} seconds"),
            seconds @ 120..7_200 => write!(f, "{} minutes", seconds / 60),
            seconds @ 7_200..172_800 => write!(f, "{} hours", seconds / 3_600),
            seconds => write!(f, "{} days", seconds / 86_400),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_key_is_told_before_all_else() {
        let known = Refusal::Known;
        let of = |refused: &[Refusal]| Trouble::of_refusals(refused).map(|trouble| trouble.kind);
        assert_eq!(of(&[known(Reject::TooLate)]), None);
        let both = [known(Reject::UnknownKey), known(Reject::TooMany)];
        assert_eq!(of(&both), Some(TroubleKind::KeyRefused));
        assert_eq!(of(&both[1..]), Some(TroubleKind::Refused));
        let waits = [known(Reject::TooMany), known(Reject::NotApproved)];
        assert_eq!(of(&waits), Some(TroubleKind::NotApproved));
        // Final, and yet not of these batches alone.
        let out = [known(Reject::UnknownKey), known(Reject::Revoked)];
        assert_eq!(of(&out), Some(TroubleKind::Revoked));
    }

    #[test]
    fn a_differing_clock_says_which_way() {
        let behind = Trouble::clock_differs(3 * 86_400).sentence;
        assert!(
            behind.contains("is 3 days behind the collector's"),
            "{behind}"
        );
        let ahead = Trouble::clock_differs(-2_500).sentence;
        assert!(
            ahead.contains("is 41 minutes ahead of the collector's"),
            "{ahead}"
        );
    }
}
