//! Whom waiting batches tell of, so that nothing leaves of a device that is denied before they do.
//!
//! A sealed batch names no device, and a household may change its mind until it is sent. So the local
//! tags of all devices that waiting batches tell of stand in a file beside the spool: written before a
//! batch is there, gone when none is there any more. One set serves for all of them: a phone that lives
//! in the home is in every one.

use crate::device::DeviceTag;
use crate::durable;
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

/// The devices that waiting batches tell of.
#[derive(Debug)]
pub(super) struct Whose {
    file: PathBuf,
    /// `None` where batches wait and the file does not say of whom.
    devices: Option<BTreeSet<DeviceTag>>,
}

/// Bytes of the file, a tag a line: far more than a household's devices take.
const FILE_BYTES_MAX: u64 = 16 * 1_024;

// === impl Whose ===

impl Whose {
    /// What a daemon before left; `is_empty` where no batch waits.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub(super) fn take_up(file: PathBuf, is_empty: bool) -> io::Result<Self> {
        let read = durable::read(&file, FILE_BYTES_MAX)?;
        let devices = read.and_then(|bytes| {
            let text = String::from_utf8(bytes).ok()?;
            text.lines().map(|line| line.parse().ok()).collect()
        });
        Ok(Self {
            file,
            devices: if is_empty {
                Some(BTreeSet::new())
            } else {
                devices
            },
        })
    }

    /// Whether nothing that waits tells of any device but these.
    pub(super) fn are_all_among(&self, allowed: &BTreeSet<DeviceTag>) -> bool {
        let devices = self.devices.as_ref();
        devices.is_some_and(|devices| devices.is_subset(allowed))
    }

    /// A batch is to be placed that tells of these.
    ///
    /// # Errors
    /// Whatever the disk says; it must not be placed then.
    pub(super) fn add(&mut self, devices: &BTreeSet<DeviceTag>) -> io::Result<()> {
        // Of whom nobody can say whose it is, that stays so.
        let Some(known) = &mut self.devices else {
            return Ok(());
        };
        if devices.is_subset(known) {
            return Ok(());
        }
        let all: BTreeSet<_> = known.union(devices).copied().collect();
        let lines: String = all.iter().map(|tag| format!("{tag}\n")).collect();
        durable::write(&self.file, lines.as_bytes())?;
        *known = all;
        Ok(())
    }

    /// No batch waits any more.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        if self.devices.as_ref().is_none_or(|known| !known.is_empty()) {
            durable::remove(&self.file)?;
            self.devices = Some(BTreeSet::new());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(texts: &[&str]) -> BTreeSet<DeviceTag> {
        let tag = |text: &&str| text.parse().expect("a tag");
        texts.iter().map(tag).collect()
    }

    #[test]
    fn what_is_written_is_known_to_the_next_daemon() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("spool.devices");
        let both = tags(&["00000001", "00000002"]);
        let mut whose = Whose::take_up(file.clone(), true)?;
        assert!(whose.are_all_among(&tags(&[])));
        whose.add(&tags(&["00000001"]))?;
        whose.add(&tags(&["00000002"]))?;
        let mut next = Whose::take_up(file.clone(), false)?;
        assert!(next.are_all_among(&both));
        assert!(!next.are_all_among(&tags(&["00000002"])));
        next.clear()?;
        assert!(next.are_all_among(&tags(&[])) && !file.exists());
        Ok(())
    }

    #[test]
    fn of_what_nobody_knows_everybody_is_wary() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("spool.devices");
        for damaged in [None, Some("00000001\nmoon\n")] {
            if let Some(text) = damaged {
                std::fs::write(&file, text)?;
            }
            let mut whose = Whose::take_up(file.clone(), false)?;
            assert!(!whose.are_all_among(&tags(&["00000001"])));
            // Also with one more that is known.
            whose.add(&tags(&["00000001"]))?;
            assert!(!whose.are_all_among(&tags(&["00000001"])));
            whose.clear()?;
            assert!(whose.are_all_among(&tags(&[])));
        }
        Ok(())
    }
}
