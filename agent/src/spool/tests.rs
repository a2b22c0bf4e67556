use super::*;
use phonehome_proto::seal::SigningKey;
use proptest::prelude::*;

fn home() -> SigningKey {
    SigningKey::from_seed(&[3; 32])
}

/// A sealed payload of `len` bytes, told apart by `mark`.
fn batch(mark: u8, len: usize) -> SealedBatch {
    SealedBatch::seal(PayloadType::Batch, vec![mark; len], &home())
}

fn payloads(spool: &mut Spool) -> Vec<u8> {
    let slots = spool.slots();
    let read = |slot| {
        spool
            .read(slot, &home().public().into())
            .expect("the disk works")
    };
    slots
        .into_iter()
        .filter_map(read)
        .map(|sealed| sealed.payload[0])
        .collect()
}

#[test]
fn what_is_put_is_there_after_a_restart() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut spool = Spool::open(folder.path(), SpoolLimits::default())?;
    for mark in 0..12 {
        spool.put([&batch(mark, 10)])?;
    }
    let mut again = Spool::open(folder.path(), SpoolLimits::default())?;
    assert_eq!(payloads(&mut again), (0..12).collect::<Vec<_>>());
    assert_eq!(again.waiting(), spool.waiting());
    assert_eq!(Spool::waiting_in(folder.path())?, spool.waiting());
    assert_eq!(
        Spool::look(folder.path(), &home().public().into())?.len(),
        12
    );
    Ok(())
}

#[test]
fn a_half_written_batch_never_was() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut spool = Spool::open(folder.path(), SpoolLimits::default())?;
    spool.put([&batch(1, 10)])?;
    let half = &file::to_bytes(&batch(2, 10))[..40];
    fs::write(folder.path().join("0000000002.batch.unfinished"), half)?;
    let mut again = Spool::open(folder.path(), SpoolLimits::default())?;
    assert_eq!(payloads(&mut again), [1]);
    assert_eq!(fs::read_dir(folder.path())?.count(), 1);
    Ok(())
}

#[test]
fn a_damaged_batch_is_counted_and_gone() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut spool = Spool::open(folder.path(), SpoolLimits::default())?;
    for mark in 1..=3 {
        spool.put([&batch(mark, 10)])?;
    }
    // One bit of the payload; a batch of another key; more bytes than any batch has.
    let mut bytes = file::to_bytes(&batch(1, 10));
    *bytes.last_mut().expect("a payload") ^= 1;
    fs::write(path(folder.path(), Slot(1)), bytes)?;
    let foreign = SealedBatch::seal(
        PayloadType::Batch,
        vec![2],
        &SigningKey::from_seed(&[4; 32]),
    );
    fs::write(path(folder.path(), Slot(2)), file::to_bytes(&foreign))?;
    fs::write(path(folder.path(), Slot(3)), vec![0; FILE_BYTES_MAX + 1])?;
    assert!(payloads(&mut spool).is_empty());
    let lost = spool.take_lost();
    assert_eq!((lost.of(Lost::Damaged), lost.of(Lost::Full)), (3, 0));
    assert_eq!(Spool::waiting_in(folder.path())?, Waiting::default());
    Ok(())
}

#[test]
fn a_disk_that_fails_loses_nothing() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut spool = Spool::open(folder.path(), SpoolLimits::default())?;
    spool.put([&batch(1, 10)])?;
    // A folder in the next file's place fails the write for every user, root too.
    fs::create_dir(folder.path().join("0000000002.batch.unfinished"))?;
    assert!(spool.put([&batch(2, 10)]).is_err());
    assert_eq!(payloads(&mut spool), [1]);
    assert_eq!(spool.take_lost().total(), 0);
    Ok(())
}

#[test]
fn other_files_are_left_alone() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    for name in ["notes.txt", "x.batch", ".batch"] {
        fs::write(folder.path().join(name), "mine")?;
    }
    let mut spool = Spool::open(folder.path(), SpoolLimits::default())?;
    spool.put([&batch(1, 10)])?;
    assert_eq!(payloads(&mut spool), [1]);
    assert_eq!(fs::read_dir(folder.path())?.count(), 4);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// In = out + lost + waiting, and the limits hold, whatever comes and goes.
    #[test]
    fn nothing_is_lost_uncounted(
        ops in prop::collection::vec(prop_oneof![(1usize..100_000).prop_map(Some), Just(None)], 1..24),
        files_max in 1usize..6,
    ) {
        let folder = tempfile::tempdir()?;
        let limits = SpoolLimits { files_max, bytes_max: FILE_BYTES_MAX as u64 };
        let mut spool = Spool::open(folder.path(), limits)?;
        let (mut put, mut out) = (0, 0);
        for op in ops {
            match op {
                Some(len) => {
                    spool.put([&batch(1, len)])?;
                    put += 1;
                }
                None => {
                    if let Some(&oldest) = spool.slots().first() {
                        spool.remove(oldest)?;
                        out += 1;
                    }
                }
            }
            let waiting = spool.waiting();
            prop_assert!(waiting.batches <= files_max && waiting.bytes <= limits.bytes_max);
            prop_assert_eq!(waiting, Spool::waiting_in(folder.path())?);
        }
        let lost = usize::try_from(spool.take_lost().total())?;
        prop_assert_eq!(put, out + lost + spool.waiting().batches);
    }
}
