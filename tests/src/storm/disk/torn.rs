//! What is left of files whose writing was broken off.
//!
//! Pure: takes the bytes before and after, and dice; gives bytes that a disk could hold in between.

use crate::simulation::dice::Dice;
use phonehome_proto::chance::Chance;
use std::collections::BTreeMap;

/// A disk writes so many bytes or none, but for the sector under its head when the power fails.
const SECTOR_BYTES: usize = 512;

/// The pages of the database's file.
const PAGE_BYTES: usize = 4_096;

/// Files that were made may be missing still; they get their names when they are whole. Those that were
/// removed may be there still, or hold what they were overwritten with.
pub(super) fn torn_keys(
    before: &BTreeMap<String, Vec<u8>>,
    after: &BTreeMap<String, Vec<u8>>,
    dice: &mut Dice,
) -> BTreeMap<String, Vec<u8>> {
    let mut torn = before.clone();
    for (name, bytes) in after {
        if !before.contains_key(name) && dice.happens(0.5) {
            torn.insert(name.clone(), bytes.clone());
        }
    }
    for (name, bytes) in before {
        if !after.contains_key(name) {
            match dice.below(3) {
                0 => {}
                1 => {
                    let mut overwritten = bytes.clone();
                    let digits = overwritten.len().min(64);
                    overwritten[..digits].fill(b'0');
                    torn.insert(name.clone(), overwritten);
                }
                _ => {
                    torn.remove(name);
                }
            }
        }
    }
    torn
}

/// Some pages are new, some are old, and one is both.
pub(super) fn mixed_pages(before: &[u8], after: &[u8], dice: &mut Dice) -> Vec<u8> {
    let share = dice.fraction();
    let mut mixed = before.to_vec();
    if after.len() > mixed.len() {
        mixed.resize(after.len(), 0);
    }
    for (at, page) in after.chunks(PAGE_BYTES).enumerate() {
        let start = at * PAGE_BYTES;
        if dice.happens(share) {
            mixed[start..start + page.len()].copy_from_slice(page);
        } else if dice.happens(0.1) {
            let sectors = dice.below(page.len() / SECTOR_BYTES + 1) * SECTOR_BYTES;
            mixed[start..start + sectors].copy_from_slice(&page[..sectors]);
        }
    }
    mixed
}

/// Of the sectors that differ, the first ones are new; the next may hold anything, and those after it are
/// old, or new all the same, since a disk writes in an order of its own.
pub(super) fn torn_file(before: &[u8], after: &[u8], dice: &mut Dice) -> Vec<u8> {
    let differs = |at: usize| {
        let sector = |file: &[u8]| {
            let end = (at + SECTOR_BYTES).min(file.len());
            file.get(at..end).unwrap_or_default().to_vec()
        };
        sector(before) != sector(after)
    };
    let changed: Vec<usize> = (0..after.len())
        .step_by(SECTOR_BYTES)
        .filter(|at| differs(*at))
        .collect();
    let whole = dice.below(changed.len() + 1);
    let is_disorderly = dice.happens(0.3);
    let mut torn = before.to_vec();
    let put = |torn: &mut Vec<u8>, at: usize, bytes: &[u8]| {
        if torn.len() < at + bytes.len() {
            torn.resize(at + bytes.len(), 0);
        }
        torn[at..at + bytes.len()].copy_from_slice(bytes);
    };
    for (nth, at) in changed.into_iter().enumerate() {
        let sector = &after[at..(at + SECTOR_BYTES).min(after.len())];
        if nth < whole || (is_disorderly && nth > whole && dice.happens(0.5)) {
            put(&mut torn, at, sector);
        } else if nth == whole && dice.happens(0.5) {
            let mut garbage = vec![0; sector.len()];
            dice.fill(&mut garbage);
            let kept = dice.below(sector.len());
            for (nth, byte) in garbage.iter_mut().enumerate() {
                // Disks harm no byte that was not to be written; the engine counts on it.
                let is_written = before.get(at + nth) != Some(&sector[nth]);
                if nth < kept || !is_written {
                    *byte = sector[nth];
                }
            }
            put(&mut torn, at, &garbage);
        }
    }
    torn
}

/// A file that only grows has a part of what was added.
pub(super) fn torn_end(before: &[u8], after: &[u8], dice: &mut Dice) -> Vec<u8> {
    let added = after.len().saturating_sub(before.len());
    after[..after.len() - dice.below(added + 1)].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_file_is_somewhere_between() {
        let before = vec![1; 3 * SECTOR_BYTES];
        let mut after = before.clone();
        after.extend(vec![2; 5 * SECTOR_BYTES]);
        let mut lengths = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let torn = torn_file(&before, &after, &mut Dice::new(seed));
            assert_eq!(torn[..before.len()], before, "what was synced stays");
            assert!(torn.len() <= after.len());
            lengths.insert(torn.len());
        }
        assert!(lengths.len() >= 6, "{lengths:?}");
    }
}
