//! Which interfaces are not heard, and why.
//!
//! Takes what is to be heard, what could not be, and what is heard now; gives a sentence for each that is
//! not, as long as it is not. An interface that vanished and came back is heard again without anybody
//! saying so, and the sentence goes.

use crate::capture::live::{Tap, Unheard};
use std::collections::BTreeMap;

/// Remembers why an interface could not be heard.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    wanted: Vec<String>,
    reasons: BTreeMap<String, String>,
}

// === impl Hearing ===

impl Hearing {
    /// These are to be heard from now on, and those of them could not be.
    pub(super) fn want(&mut self, taps: &[Tap], unheard: &[Unheard]) {
        self.wanted = taps.iter().map(|tap| tap.name.clone()).collect();
        let reason = |unheard: &Unheard| (unheard.name.clone(), unheard.why.to_string());
        self.reasons = unheard.iter().map(reason).collect();
    }

    /// What is not heard while these are, in sentences.
    pub(super) fn missing<'a>(&self, heard: impl Iterator<Item = &'a str>) -> Vec<String> {
        let heard: Vec<_> = heard.collect();
        let is_missing = |name: &&String| !heard.contains(&name.as_str());
        let sentence = |name: &String| {
            let why = self.reasons.get(name).map_or(GONE, String::as_str);
            format!("{name}: {why}")
        };
        let missing = self.wanted.iter().filter(is_missing);
        missing.map(sentence).collect()
    }
}

/// What has become of one that could be heard at first.
const GONE: &str = "the interface is gone, and is listened to again when it is back";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::live::UnheardBecause;

    fn tap(name: &str) -> Tap {
        Tap {
            name: name.to_owned(),
            ifindex: 1,
            is_shared: false,
        }
    }

    #[test]
    fn who_is_not_heard_is_named_as_long_as_that_is_so() {
        let mut hearing = Hearing::default();
        assert!(hearing.missing([].into_iter()).is_empty());
        let many = Unheard {
            name: "br-guest".to_owned(),
            why: UnheardBecause::TooMany,
        };
        hearing.want(&[tap("br-lan"), tap("br-guest")], &[many]);
        let missing = hearing.missing(["br-lan"].into_iter());
        assert_eq!(missing.len(), 1);
        assert!(
            missing[0].starts_with("br-guest: at most 8 interfaces"),
            "{missing:?}"
        );
        let missing = hearing.missing(["br-guest"].into_iter());
        assert_eq!(missing, [format!("br-lan: {GONE}")]);
        assert!(
            hearing
                .missing(["br-guest", "br-lan"].into_iter())
                .is_empty()
        );
        hearing.want(&[tap("br-lan")], &[]);
        assert!(hearing.missing(["br-lan"].into_iter()).is_empty());
    }
}
