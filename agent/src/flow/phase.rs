//! How far a conversation has come, which says how long it may keep still.

use super::Ended;

/// How long a flow may keep still depends on what it is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// TCP after its end: stragglers still belong to it.
    Closing,
    /// TCP that nobody has answered yet.
    Opening,
    Datagrams,
    /// TCP in between.
    Open,
    /// Whatever the kernel has in its table: it knows best what is going on.
    Tracked,
}

// === impl Phase ===

impl Phase {
    pub(super) const COUNT: usize = 5;
    /// Those that matter least first: what is over, what was never answered.
    pub(super) const ALL: [Self; Self::COUNT] = [
        Self::Closing,
        Self::Opening,
        Self::Datagrams,
        Self::Open,
        Self::Tracked,
    ];

    /// No phase is over after less.
    pub(super) const IDLE_NANOS_MIN: u64 = Self::Closing.idle_nanos();

    /// How long a flow keeps still before it is over.
    pub(super) const fn idle_nanos(self) -> u64 {
        let seconds = match self {
            // Twice the longest time a segment may wander (RFC 9293 in practice).
            Self::Closing => 60,
            // Linux gives up after 127 s of unanswered SYNs.
            Self::Opening => 180,
            // RFC 4787 asks NATs for two minutes at least; Linux keeps three.
            Self::Datagrams => 180,
            // RFC 5382: two hours and four minutes. What the kernel tracks it speaks of every minute:
            // after so long a silence nobody reads its counters any more.
            Self::Open | Self::Tracked => 7_440,
        };
        seconds * 1_000_000_000
    }

    /// What keeping still for so long means.
    pub(super) const fn ended(self) -> Ended {
        match self {
            Self::Closing => Ended::Closed,
            Self::Opening | Self::Datagrams | Self::Open | Self::Tracked => Ended::Idle,
        }
    }
}
