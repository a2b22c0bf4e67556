//! What the kernel counted of a flow, and how far that can be trusted.

use super::Volume;
use phonehome_proto::observation::VolumeTrust;

/// The kernel's account of a flow, or of one day's part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelAccount {
    /// What the client sent.
    pub up: Volume,
    /// What the server sent.
    pub down: Volume,
    /// What may have kept bytes out of it.
    pub facts: KernelFacts,
}

/// What happened to an account while it was kept: a set of marks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelFacts(u8);

// === impl KernelAccount ===

impl KernelAccount {
    /// Whether every byte passed the counter. In doubt it is a lower bound:
    ///
    /// - another reader set the counters back, and what was counted since the last reading is gone;
    /// - the connection vanished and nobody said what it counted last, or for a while it had no
    ///   counters, or it was counted in two zones, or the tap saw more than the kernel counted;
    /// - it was going on before the agent began (from the next day on that is no matter);
    /// - a flow table forwarded it, or may have, and no reading proves that the table counts: what a
    ///   table is told (`counter` in nftables) is a setting, and only the counters are a proof;
    /// - hardware forwarded it. Some chips report what they forwarded, but what they did since the
    ///   last report is lost when a connection ends.
    #[must_use]
    pub const fn trust(&self) -> VolumeTrust {
        let facts = self.facts;
        let is_offloaded_unseen =
            facts.has(KernelFacts::OFFLOADED) && !facts.has(KernelFacts::OFFLOAD_COUNTED);
        if facts.has_any(KernelFacts::DOUBTS) || is_offloaded_unseen {
            VolumeTrust::LowerBound
        } else {
            VolumeTrust::Exact
        }
    }
}

// === impl KernelFacts ===

impl KernelFacts {
    /// Nothing happened.
    pub const NONE: Self = Self(0);
    /// The counters were set back by somebody else.
    pub const RESET: Self = Self(1);
    /// Its end was not seen, and so neither its last counts.
    pub const GAP: Self = Self(1 << 1);
    /// For a while the kernel kept no account of it.
    pub const UNCOUNTED: Self = Self(1 << 2);
    /// It was going on before the agent began; what it had counted by then is left out.
    pub const EARLIER: Self = Self(1 << 3);
    /// The tap saw more bytes one way than the kernel counted, or another zone has an account too.
    pub const CONTRADICTED: Self = Self(1 << 4);
    /// A flow table forwarded it past the usual path, or may have while nobody looked.
    pub const OFFLOADED: Self = Self(1 << 5);
    /// The counters grew meanwhile by more than strays on the usual path explain.
    pub const OFFLOAD_COUNTED: Self = Self(1 << 6);
    /// Hardware forwarded it, unseen by the processor.
    pub const HARDWARE: Self = Self(1 << 7);

    const DOUBTS: Self = Self(
        Self::RESET.0
            | Self::GAP.0
            | Self::UNCOUNTED.0
            | Self::EARLIER.0
            | Self::CONTRADICTED.0
            | Self::HARDWARE.0,
    );

    /// Whether all marks of `facts` are set.
    #[must_use]
    pub const fn has(self, facts: Self) -> bool {
        self.0 & facts.0 == facts.0
    }

    const fn has_any(self, facts: Self) -> bool {
        self.0 & facts.0 != 0
    }

    pub(super) const fn set(&mut self, facts: Self) {
        self.0 |= facts.0;
    }

    pub(super) const fn clear(&mut self, facts: Self) {
        self.0 &= !facts.0;
    }

    /// What still holds of the next day's part: how it is forwarded, not what went wrong.
    pub(super) const fn lasting(self) -> Self {
        Self(self.0 & (Self::OFFLOADED.0 | Self::OFFLOAD_COUNTED.0 | Self::HARDWARE.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust(facts: &[KernelFacts]) -> VolumeTrust {
        let mut account = KernelAccount::default();
        for fact in facts {
            account.facts.set(*fact);
        }
        account.trust()
    }

    #[test]
    fn every_doubt_makes_a_lower_bound() {
        assert_eq!(trust(&[]), VolumeTrust::Exact);
        for doubt in [
            KernelFacts::RESET,
            KernelFacts::GAP,
            KernelFacts::UNCOUNTED,
            KernelFacts::EARLIER,
            KernelFacts::CONTRADICTED,
            KernelFacts::HARDWARE,
            KernelFacts::OFFLOADED,
        ] {
            assert_eq!(trust(&[doubt]), VolumeTrust::LowerBound, "{doubt:?}");
        }
    }

    #[test]
    fn a_flow_table_that_is_seen_to_count_is_exact_and_hardware_never() {
        let counted = [KernelFacts::OFFLOADED, KernelFacts::OFFLOAD_COUNTED];
        assert_eq!(trust(&counted), VolumeTrust::Exact);
        let in_hardware = [counted.as_slice(), &[KernelFacts::HARDWARE]].concat();
        assert_eq!(trust(&in_hardware), VolumeTrust::LowerBound);
        let reset = [counted.as_slice(), &[KernelFacts::RESET]].concat();
        assert_eq!(trust(&reset), VolumeTrust::LowerBound);
    }
}
