//! Against an oracle that keeps every byte in a cell of its own.

use super::*;
use proptest::prelude::*;

const BYTES_MAX: usize = 160;
const SPACE: usize = 400;

/// The same contract, as simple as can be.
struct Naive {
    cells: Vec<Option<u8>>,
}

impl Naive {
    fn runs(cells: &[Option<u8>]) -> usize {
        let starts = |at: &usize| cells[*at].is_some() && (*at == 0 || cells[at - 1].is_none());
        (0..cells.len()).filter(starts).count()
    }

    fn insert(&mut self, offset: usize, bytes: &[u8]) -> Result<(), Full> {
        let mut cells = self.cells.clone();
        for (at, byte) in bytes.iter().enumerate() {
            cells[offset + at].get_or_insert(*byte);
        }
        let added = cells.iter().flatten().count() > self.cells.iter().flatten().count();
        let too_long = cells.iter().flatten().count() > BYTES_MAX;
        if added && (too_long || Self::runs(&cells) > RUNS_MAX) {
            return Err(Full);
        }
        self.cells = cells;
        Ok(())
    }

    fn bytes_from(&self, offset: usize) -> Vec<u8> {
        self.cells[offset..]
            .iter()
            .map_while(|cell| *cell)
            .collect()
    }
}

/// Mostly single bytes, so that both bounds are met.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 1),
        1 => prop::collection::vec(any::<u8>(), 0..24),
    ]
}

proptest! {
    #[test]
    fn it_holds_what_the_oracle_holds(
        base in prop_oneof![Just(0), Just(u64::from(u32::MAX) - 80), any::<u32>().prop_map(u64::from)],
        pieces in prop::collection::vec((0..SPACE - 24, piece()), 0..200),
    ) {
        let mut naive = Naive { cells: vec![None; SPACE] };
        let mut real = Reassembly::new(BYTES_MAX);
        for (offset, bytes) in pieces {
            let expected = naive.insert(offset, &bytes);
            prop_assert_eq!(real.insert(base + offset as u64, &bytes), expected);
            prop_assert!(real.len() <= BYTES_MAX && real.runs.len() <= RUNS_MAX);
            prop_assert_eq!(real.bytes_from(base + offset as u64), naive.bytes_from(offset));
        }
        for at in 0..SPACE {
            prop_assert_eq!(real.bytes_from(base + at as u64), naive.bytes_from(at));
        }
    }

    #[test]
    fn no_offset_makes_it_panic(offset in any::<u64>(), bytes in prop::collection::vec(any::<u8>(), 0..24)) {
        let mut real = Reassembly::new(BYTES_MAX);
        let _ = real.insert(u64::MAX - 24, b"the end");
        let _ = real.insert(offset, &bytes);
        let _ = real.bytes_from(offset);
    }
}

#[test]
fn the_first_copy_stands() {
    let mut sequence = Reassembly::new(BYTES_MAX);
    for (offset, bytes) in [
        (4, &b"first"[..]),
        (0, b"SECOND"),
        (7, b"THIRD"),
        (0, b"FOURTH COPY"),
    ] {
        sequence.insert(offset, bytes).expect("within bounds");
    }
    assert_eq!(sequence.bytes_from(0), b"SECOfirstIRD");
}

#[test]
fn bounds_hold_and_refused_pieces_leave_no_trace() {
    let mut sequence = Reassembly::new(8);
    assert_eq!(sequence.insert(0, b"123456789"), Err(Full));
    assert!(sequence.is_empty());
    let mut sequence = Reassembly::new(1024);
    for run in 0..RUNS_MAX as u64 {
        assert_eq!(sequence.insert(run * 2, b"x"), Ok(()));
    }
    assert_eq!(sequence.insert(1000, b"x"), Err(Full));
    assert_eq!(
        sequence.insert(1, b"y"),
        Ok(()),
        "closing a gap is always welcome"
    );
    assert_eq!(sequence.insert(1000, b"x"), Ok(()));
}
