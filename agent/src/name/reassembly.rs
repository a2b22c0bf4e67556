//! Bytes put back in order, within bounds.
//!
//! Takes pieces of a byte sequence in any order, with gaps, overlaps and repetitions; gives the
//! bytes that are there without a gap from some offset on. Where two pieces overlap, the bytes that
//! came first stand: a later packet cannot rewrite what was already seen.
//!
//! Bounded twice, by [`Reassembly::new`]'s byte limit and by [`RUNS_MAX`] separate runs; a piece
//! that would break a bound is refused whole, and the caller decides what that means.

/// The most separate runs of bytes held: every gap costs an allocation and a search. Browsers cut
/// their QUIC hello into a dozen pieces and shuffle them on purpose; some libraries cut finer.
pub const RUNS_MAX: usize = 64;

/// A byte sequence with gaps.
#[derive(Clone, Debug)]
pub struct Reassembly {
    /// In order, disjoint, and never adjacent: adjacent runs are one run.
    runs: Vec<Run>,
    bytes_max: usize,
}

#[derive(Clone, Debug)]
struct Run {
    start: u64,
    bytes: Vec<u8>,
}

/// A piece was refused, because with it the sequence would pass its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

// === impl Reassembly ===

impl Reassembly {
    /// An empty sequence that will hold at most `bytes_max` bytes.
    #[must_use]
    pub const fn new(bytes_max: usize) -> Self {
        Self {
            runs: Vec::new(),
            bytes_max,
        }
    }

    /// How many bytes are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.runs.iter().map(|run| run.bytes.len()).sum()
    }

    /// Whether nothing is held.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// How many bytes of memory the runs occupy.
    #[must_use]
    pub fn allocated_bytes(&self) -> usize {
        let runs = self.runs.capacity() * size_of::<Run>();
        runs + self
            .runs
            .iter()
            .map(|run| run.bytes.capacity())
            .sum::<usize>()
    }

    /// The bytes held without a gap from `offset` on; empty when there are none.
    #[must_use]
    pub fn bytes_from(&self, offset: u64) -> &[u8] {
        self.runs
            .iter()
            .rev()
            .find(|run| run.start <= offset)
            .and_then(|run| run.bytes.get(distance(run.start, offset)?..))
            .unwrap_or(&[])
    }

    /// Adds the bytes at `offset` that are not there yet.
    ///
    /// # Errors
    /// [`Full`] when they would pass a bound; nothing is added then.
    pub fn insert(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Full> {
        let end = u64::try_from(bytes.len())
            .ok()
            .and_then(|length| offset.checked_add(length));
        let Some(end) = end else { return Err(Full) };
        if bytes.is_empty() {
            return Ok(());
        }
        // The runs that overlap or touch the new bytes become one run with them.
        let first = self.runs.partition_point(|run| run.end() < offset);
        let after = self.runs.partition_point(|run| run.start <= end);
        let touched = &self.runs[first..after];
        let start = touched.first().map_or(offset, |run| run.start.min(offset));
        let last = touched.last().map_or(end, |run| run.end().max(end));
        let merged_bytes = distance(start, last).ok_or(Full)?;
        let untouched_bytes = self.len() - touched.iter().map(|run| run.bytes.len()).sum::<usize>();
        if untouched_bytes.saturating_add(merged_bytes) > self.bytes_max
            || (touched.is_empty() && self.runs.len() == RUNS_MAX)
        {
            return Err(Full);
        }
        if let [run] = touched
            && run.start <= offset
        {
            // The common case: the next segment, or one seen before.
            let known = distance(offset, run.end()).expect("the run touches the new bytes");
            if let Some(new) = bytes.get(known..) {
                self.runs[first].bytes.extend_from_slice(new);
            }
            return Ok(());
        }
        let mut merged = vec![0; merged_bytes];
        copy_to(&mut merged, start, offset, bytes);
        for run in self.runs.drain(first..after) {
            copy_to(&mut merged, start, run.start, &run.bytes);
        }
        self.runs.insert(
            first,
            Run {
                start,
                bytes: merged,
            },
        );
        Ok(())
    }
}

// === impl Run ===

impl Run {
    const fn end(&self) -> u64 {
        // Insertion has checked that the end of every piece can be said.
        self.start + self.bytes.len() as u64
    }
}

fn distance(from: u64, to: u64) -> Option<usize> {
    usize::try_from(to.checked_sub(from)?).ok()
}

fn copy_to(target: &mut [u8], target_start: u64, start: u64, bytes: &[u8]) {
    let at = distance(target_start, start).expect("the merged run covers its parts");
    target[at..at + bytes.len()].copy_from_slice(bytes);
}

#[cfg(test)]
mod tests;
