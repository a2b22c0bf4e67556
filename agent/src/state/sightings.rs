//! Who was there lately, so that the household can be asked about those who live with it.
//!
//! Of each device that was on the network: its local tag, on which of the last [`DAYS`] UTC days, and what
//! it seemed to be. No name, no address, no contact; nothing of it ever leaves. A visitor is forgotten
//! after those days, and is never offered: [`Sightings::regular`] gives who was there on [`REGULAR_DAYS_MIN`] of them.

use super::{Claim, State, StateError};
use crate::device::{DeviceTag, MacKind};
use phonehome_proto::time::Day;
use phonehome_proto::vendor::Vendor;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Days that are remembered, the present one included.
pub const DAYS: u32 = 10;

/// On how many of them somebody is there who lives here.
pub const REGULAR_DAYS_MIN: u32 = 7;
const _: () = assert!(REGULAR_DAYS_MIN <= DAYS && DAYS <= u16::BITS);

/// Devices that are remembered. A further one takes the place of the one not seen for longest.
const DEVICES_MAX: usize = 256;

pub(super) const SIGHTINGS: &str = "sightings.json";

/// The devices, by tag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sightings {
    devices: BTreeMap<DeviceTag, Sighting>,
    shed: u64,
}

/// One device's days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// What it seemed to be when it was last there.
    pub looks: Looks,
    /// The first day it was there, as long as it kept coming back.
    pub since: Day,
    /// The last day it was there.
    pub last: Day,
    /// Bit n: it was there n days before `last`.
    days: u16,
}

/// What a device seems to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Looks {
    /// Where its MAC address comes from.
    pub mac_kind: MacKind,
    /// The best guess at its maker, however weak.
    pub vendor: Option<Vendor>,
    /// Whether it is a phone, as far as that is known.
    pub is_phone: Option<bool>,
}

/// `sightings.json`.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    shed: u64,
    devices: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    tag: String,
    mac_kind: String,
    vendor: Option<String>,
    is_phone: Option<bool>,
    since: u32,
    last: u32,
    days: u16,
}

// === impl Sightings ===

impl Sightings {
    /// A device was there on `day`.
    pub fn note(&mut self, tag: DeviceTag, day: Day, looks: Looks) {
        if let Some(sighting) = self.devices.get_mut(&tag) {
            sighting.note(day, looks);
            return;
        }
        if self.devices.len() >= DEVICES_MAX {
            self.shed_one();
        }
        let (since, last, days) = (day, day, 1);
        let sighting = Sighting {
            looks,
            since,
            last,
            days,
        };
        self.devices.insert(tag, sighting);
    }

    /// Forgets who was last there before `day`.
    pub fn forget_before(&mut self, day: Day) {
        self.devices.retain(|_, sighting| sighting.last >= day);
    }

    /// Who was there on at least [`REGULAR_DAYS_MIN`] of the [`DAYS`] days that end with `today`, by tag.
    pub fn regular(&self, today: Day) -> impl Iterator<Item = (DeviceTag, &Sighting)> {
        let devices = self.devices.iter().map(|(tag, sighting)| (*tag, sighting));
        devices.filter(move |(_, sighting)| sighting.days_until(today) >= REGULAR_DAYS_MIN)
    }

    /// How many devices are remembered.
    #[must_use]
    pub fn count(&self) -> usize {
        self.devices.len()
    }

    /// How many were forgotten before their time because there were too many.
    #[must_use]
    pub const fn shed(&self) -> u64 {
        self.shed
    }

    /// Forgets the one not seen for longest; of several, the one seen least.
    fn shed_one(&mut self) {
        let oldest = self
            .devices
            .iter()
            .min_by_key(|(_, sighting)| (sighting.last, sighting.days.count_ones()))
            .map(|(tag, _)| *tag);
        if let Some(tag) = oldest {
            self.devices.remove(&tag);
            self.shed = self.shed.saturating_add(1);
        }
    }
}

// === impl Sighting ===

impl Sighting {
    /// On how many of the [`DAYS`] days that end with `today` it was there.
    #[must_use]
    pub fn days_until(&self, today: Day) -> u32 {
        let back = 0..DAYS.min(today.number() + 1);
        let was_there = |back: &u32| self.was_there(today.number() - back);
        u32::try_from(back.filter(was_there).count()).unwrap_or(DAYS)
    }

    fn was_there(&self, day: u32) -> bool {
        let before_last = self.last.number().checked_sub(day);
        before_last.is_some_and(|bit| bit < DAYS && self.days & (1 << bit) != 0)
    }

    fn note(&mut self, day: Day, looks: Looks) {
        if day < self.last {
            // A clock was set back; the day is still one of those remembered, or too long ago.
            let bit = self.last.number() - day.number();
            if bit < DAYS {
                self.days |= 1 << bit;
            }
            return;
        }
        let later = day.number() - self.last.number();
        if later >= DAYS {
            self.since = day;
        }
        let kept = (1_u16 << DAYS) - 1;
        self.days = self.days.checked_shl(later).unwrap_or(0) & kept | 1;
        self.last = day;
        self.looks = looks;
    }
}

// === the file ===

impl State {
    /// Who was there lately.
    ///
    /// # Errors
    /// [`StateError::Damaged`], [`StateError::Disk`].
    pub fn sightings(&self) -> Result<Sightings, StateError> {
        let record: Record = self.json(SIGHTINGS)?.unwrap_or_default();
        let mut sightings = Sightings {
            shed: record.shed,
            ..Sightings::default()
        };
        for (at, row) in record.devices.iter().enumerate() {
            let (tag, sighting) = row.read().ok_or_else(|| {
                self.damaged(SIGHTINGS, 1, &format!("device {} is wrong", at + 1))
            })?;
            sightings.devices.insert(tag, sighting);
        }
        if sightings.devices.len() > DEVICES_MAX {
            return Err(self.damaged(SIGHTINGS, 1, "there are too many devices"));
        }
        Ok(sightings)
    }
}

impl Claim {
    /// Keeps who was there; what did not change is kept already.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn set_sightings(&self, sightings: &Sightings) -> Result<(), StateError> {
        if self.state.sightings()? == *sightings {
            return Ok(());
        }
        let devices = sightings.devices.iter();
        let record = Record {
            shed: sightings.shed,
            devices: devices
                .map(|(tag, sighting)| Row::of(*tag, sighting))
                .collect(),
        };
        self.write_json(SIGHTINGS, &record)
    }
}

// === impl Row ===

impl Row {
    fn of(tag: DeviceTag, sighting: &Sighting) -> Self {
        Self {
            tag: tag.to_string(),
            mac_kind: sighting.looks.mac_kind.as_str().to_owned(),
            vendor: sighting.looks.vendor.map(|vendor| vendor.id().to_owned()),
            is_phone: sighting.looks.is_phone,
            since: sighting.since.number(),
            last: sighting.last.number(),
            days: sighting.days,
        }
    }

    fn read(&self) -> Option<(DeviceTag, Sighting)> {
        let (since, last) = (Day::new(self.since)?, Day::new(self.last)?);
        let vendor = match &self.vendor {
            None => None,
            Some(id) => Some(Vendor::from_id(id)?),
        };
        let looks = Looks {
            mac_kind: MacKind::from_word(&self.mac_kind)?,
            vendor,
            is_phone: self.is_phone,
        };
        let days = self.days;
        let sighting = Sighting {
            looks,
            since,
            last,
            days,
        };
        (since <= last && days & 1 == 1 && days < 1 << DAYS)
            .then(|| Some((self.tag.parse().ok()?, sighting)))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const PHONE: Looks = Looks {
        mac_kind: MacKind::Randomised,
        vendor: None,
        is_phone: Some(true),
    };

    fn tag(number: u32) -> DeviceTag {
        format!("{number:08x}").parse().expect("a tag")
    }

    fn day(number: u32) -> Day {
        Day::new(number).expect("a day")
    }

    proptest! {
        /// Against a set of days: whatever the order in which they are noted, if none is so old that
        /// it was forgotten when a later one came.
        #[test]
        fn days_are_counted_as_a_set_would(
            mut noted in prop::collection::vec(20_000_u32..20_030, 1..40),
            shuffled in prop::collection::vec(20_020_u32..20_030, 0..10),
            today in 20_015_u32..20_045,
        ) {
            noted.sort_unstable();
            noted.extend(&shuffled);
            let last = noted.iter().copied().max().unwrap_or(0);
            let mut sightings = Sightings::default();
            for number in &noted {
                sightings.note(tag(1), day(*number), PHONE);
            }
            let seen: BTreeSet<u32> = noted.iter().copied().filter(|n| n + DAYS > last).collect();
            let expected = seen.iter().filter(|n| **n <= today && **n + DAYS > today).count();
            let sighting = sightings.devices[&tag(1)];
            // A day noted late can be older than what was kept then; those are not in the range above.
            prop_assert_eq!(sighting.days_until(day(today)) as usize, expected);
            let is_regular = sightings.regular(day(today)).next().is_some();
            prop_assert_eq!(is_regular, expected >= REGULAR_DAYS_MIN as usize);
        }
    }

    #[test]
    fn seven_of_ten_days_make_a_member_of_the_household() {
        let mut sightings = Sightings::default();
        for number in [91, 92, 94, 95, 97, 98] {
            sightings.note(tag(1), day(number), PHONE);
            sightings.note(tag(1), day(number), PHONE);
        }
        sightings.note(tag(2), day(99), PHONE);
        assert_eq!(sightings.regular(day(99)).count(), 0, "six days");
        sightings.note(tag(1), day(99), PHONE);
        let regular: Vec<_> = sightings.regular(day(99)).collect();
        assert_eq!((regular.len(), regular[0].0), (1, tag(1)));
        assert_eq!(regular[0].1.since, day(91));
        assert_eq!(
            sightings.regular(day(101)).count(),
            0,
            "two of them have passed"
        );
        sightings.forget_before(day(100));
        assert_eq!(sightings.count(), 0);
    }

    #[test]
    fn who_was_away_for_long_is_new() {
        let mut sightings = Sightings::default();
        sightings.note(tag(1), day(50), PHONE);
        sightings.note(tag(1), day(50 + DAYS), PHONE);
        assert_eq!(sightings.devices[&tag(1)].since, day(50 + DAYS));
        assert_eq!(sightings.devices[&tag(1)].days, 1);
    }

    #[test]
    fn a_crowd_displaces_the_one_not_seen_for_longest() {
        let mut sightings = Sightings::default();
        for number in 0..300 {
            sightings.note(tag(number), day(100 + number / 100), PHONE);
        }
        assert_eq!((sightings.count(), sightings.shed()), (DEVICES_MAX, 44));
        assert!(sightings.devices.contains_key(&tag(299)));
        let first_day = |at: &&Sighting| at.last == day(100);
        assert_eq!(sightings.devices.values().filter(first_day).count(), 56);
    }

    #[test]
    fn what_is_kept_is_read_again() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let state = State::at(folder.path().join("state"));
        assert_eq!(state.sightings()?, Sightings::default());
        let claim = state.claim()?;
        let mut sightings = Sightings::default();
        for number in 0..3 {
            let looks = Looks {
                mac_kind: [MacKind::Global, MacKind::Randomised, MacKind::None][number as usize],
                vendor: Vendor::from_id("xiaomi"),
                is_phone: [None, Some(true), Some(false)][number as usize],
            };
            sightings.note(tag(number), day(100 + number), looks);
        }
        claim.set_sightings(&sightings)?;
        assert_eq!(state.sightings()?, sightings);

        let path = folder.path().join("state").join(SIGHTINGS);
        let text = std::fs::read_to_string(&path)?;
        for (whole, damaged) in [
            ("00000001", "1"),
            ("\"days\": 1", "\"days\": 2"),
            ("global", "x"),
        ] {
            assert!(text.contains(whole), "{whole}");
            std::fs::write(&path, text.replacen(whole, damaged, 1))?;
            let refused = state.sightings();
            assert!(
                matches!(refused, Err(StateError::Damaged { .. })),
                "{damaged}"
            );
        }
        Ok(())
    }
}
