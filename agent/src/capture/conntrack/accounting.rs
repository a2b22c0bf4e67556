//! Whether the kernel counts bytes per connection.
//!
//! The setting is the household's: it is read and explained, never changed.

use std::fs;

/// What the kernel keeps of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Accounting {
    /// Packets and bytes of every connection that began since this was switched on.
    On,
    /// Connections, but no counts.
    Off,
    /// Not even connections.
    NoConntrack,
}

// === impl Accounting ===

impl Accounting {
    /// What this machine's kernel keeps, in the network namespace of the calling thread.
    #[must_use]
    pub fn of_this_machine() -> Self {
        // Other namespaces' settings are not there to be read.
        let setting = fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_acct");
        match setting.as_deref().map(str::trim) {
            Ok("0") => Self::Off,
            Ok(_) => Self::On,
            Err(_) => Self::NoConntrack,
        }
    }

    /// In one sentence, what it means and what to do; `None` when nothing is amiss.
    #[must_use]
    pub const fn explanation(self) -> Option<&'static str> {
        match self {
            Self::On => None,
            Self::Off => Some(
                "the kernel counts no bytes per connection; switch it on with 'sysctl -w \
                 net.netfilter.nf_conntrack_acct=1', and connections that begin afterwards are counted",
            ),
            Self::NoConntrack => Some(
                "the kernel tracks no connections here; what passes the network is counted instead, \
                 which costs more",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_amiss_is_explained() {
        assert_eq!(Accounting::On.explanation(), None);
        let off = Accounting::Off.explanation().expect("a sentence");
        assert!(off.contains("sysctl -w net.netfilter.nf_conntrack_acct=1"));
        assert!(Accounting::NoConntrack.explanation().is_some());
    }
}
