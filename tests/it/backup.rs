//! Backups of a collector at work, and databases that come back from them: nothing that was acknowledged
//! before is told otherwise, and nobody who left since is back.

use anyhow::{Context, Result, ensure};
use phonehome_collector::backup::Label;
use phonehome_collector::config::Config;
use phonehome_collector::run::commands::agents::HomeDigits;
use phonehome_collector::run::commands::{self, Found, Restore};
use phonehome_collector::run::ground::Ground;
use phonehome_collector::run::{Handle, RunError};
use phonehome_collector::store::sqlite::SCHEMA;
use phonehome_collector::store::{Slice, Store, WeekState};
use phonehome_collector::weeks::{closes_at, destroyed_at};
use phonehome_proto::chance::{SeededChance, SharedChance};
use phonehome_proto::id::{BatchId, Hash};
use phonehome_proto::reject::Reject;
use phonehome_proto::seal::SealedBatch;
use phonehome_proto::status::Outcome;
use phonehome_proto::time::{Clock, ManualClock, Week};
use phonehome_tests::liar::Liar;
use phonehome_tests::world;
use phonehome_tests::world::ground::{self, Reach};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

/// A collector, its clock, and where its files lie.
struct Stage {
    folder: TempDir,
    config: PathBuf,
    clock: ManualClock,
}

fn week() -> Result<Week> {
    Ok("2026-W46".parse()?)
}

impl Stage {
    /// The day after the week: every day of it is over, and it takes batches.
    fn set() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = ground::write(folder.path(), Reach::Direct, None)?;
        let text = fs::read_to_string(&config)?;
        fs::write(&config, format!("{text}\n[publish]\nout = \"published\"\n"))?;
        let clock = ManualClock::new(week()?.end().plus_seconds(43_200));
        Ok(Self {
            folder,
            config,
            clock,
        })
    }

    async fn start(&self, beginning: u64) -> Result<Handle> {
        world::start(&self.config, &self.clock, beginning).await
    }

    fn settings(&self) -> Result<Config> {
        Ok(Config::load(&self.config)?)
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("backup")
    }

    /// As another program would, beside the one that serves.
    async fn back_up(&self) -> Result<Found> {
        let chance = SharedChance::new(SeededChance::new(77));
        let ground = Ground::open(self.settings()?, chance).await?;
        Ok(commands::backup(&ground, &self.file(), self.clock.now()).await?)
    }

    async fn restore(&self, links: Option<u64>) -> Result<Found, RunError> {
        let file = self.file();
        let config = self.settings().expect("it was written so");
        commands::restore(&config, &Restore { file, links }, self.clock.now()).await
    }

    /// As a disk would that is gone.
    fn lose_database(&self) -> Result<()> {
        let database = self.settings()?.database();
        for entry in fs::read_dir(database.parent().context("a folder")?)? {
            let path = entry?.path();
            if path.to_string_lossy().contains("collector.db") {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

/// A home that was taken in.
async fn home(collector: &Handle, seed: u8) -> Result<Liar> {
    let (address, audience) = (collector.intake_address(), collector.key().audience());
    let mut liar = Liar::connect(seed, address, audience).await?;
    let invite = collector.invite(1, "127.0.0.1:4317").await?.remove(0);
    ensure!(is_receipt(&liar.enrol(&invite).await?), "it is in");
    Ok(liar)
}

const fn is_receipt(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Receipt(_))
}

/// The `number`-th batch of a home.
fn batch(home: &Liar, number: u32) -> Result<SealedBatch> {
    let mut header = home.header(week()?.monday().plus(number % 7), 0);
    let id = Hash::of(&number.to_be_bytes());
    header.batch_id = BatchId::new(*id.as_bytes().first_chunk().context("16 bytes")?);
    Ok(home.sealed(header))
}

async fn report(home: &mut Liar, numbers: std::ops::Range<u32>) -> Result<Vec<Outcome>> {
    let sealed = numbers.map(|number| batch(home, number));
    let sealed = sealed.collect::<Result<Vec<_>>>()?;
    home.submit(sealed).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_gives_every_receipt_again() -> Result<()> {
    let stage = Stage::set()?;
    let collector = stage.start(0).await?;
    let mut homes = Vec::new();
    let mut before = Vec::new();
    for seed in 1..=3 {
        let mut home = home(&collector, seed).await?;
        before.push(report(&mut home, 0..20).await?);
        homes.push(home);
    }
    // They go on while it is made.
    let stop = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn({
        let (mut twin, stop) = (homes[0].twin(), Arc::clone(&stop));
        async move {
            let mut sent = 20;
            while !stop.load(Ordering::Relaxed) && sent < 400 {
                ensure!(
                    report(&mut twin, sent..sent + 4)
                        .await?
                        .iter()
                        .all(is_receipt),
                    "held"
                );
                sent += 4;
            }
            Ok(sent)
        }
    });
    let said = stage.back_up().await?;
    ensure!(
        !said.is_finding && said.text.contains("bytes"),
        "{}",
        said.text
    );
    stop.store(true, Ordering::Relaxed);
    let sent = load.await??;
    ensure!(sent > 20, "there was a load");

    let file = fs::read(stage.file())?;
    let mode = fs::metadata(stage.file())?.permissions().mode();
    ensure!(mode & 0o777 == 0o600, "for its owner only: {mode:o}");
    for entry in fs::read_dir(stage.settings()?.keys_dir)? {
        let key = fs::read(entry?.path())?;
        let digits = &key[..64.min(key.len())];
        ensure!(
            !file.windows(digits.len()).any(|bytes| bytes == digits),
            "no key is in it"
        );
    }
    let twice = stage
        .back_up()
        .await
        .err()
        .context("it is not written over")?;
    ensure!(
        twice
            .to_string()
            .ends_with("is there already: name a file that is not"),
        "{twice}"
    );
    let exists = stage
        .restore(None)
        .await
        .err()
        .context("there is a database")?;
    ensure!(
        exists.to_string().ends_with("already: move it away first"),
        "{exists}"
    );

    drop(homes);
    collector.stop().await;
    stage.lose_database()?;
    stage.restore(None).await?;
    let left = fs::read_dir(stage.settings()?.data_dir)?.count();
    ensure!(left == 1, "one file, at rest");
    let collector = stage.start(1).await?;
    let (address, audience) = (collector.intake_address(), collector.key().audience());
    for (seed, before) in (1..).zip(before) {
        let mut home = Liar::connect(seed, address, audience).await?;
        ensure!(
            report(&mut home, 0..20).await? == before,
            "the first receipts' bytes"
        );
    }
    // What came after is not held any more, but its home may still have it.
    let mut first = Liar::connect(1, address, audience).await?;
    for number in (20..sent).step_by(4) {
        let held = report(&mut first, number..number + 4).await?;
        ensure!(held.iter().all(is_receipt), "{held:?}");
    }
    collector.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_left_since_the_backup_stays_gone() -> Result<()> {
    let stage = Stage::set()?;
    let collector = stage.start(0).await?;
    let (mut mine, mut other) = (home(&collector, 1).await?, home(&collector, 2).await?);
    let mut early = home(&collector, 3).await?;
    report(&mut mine, 0..5).await?;
    report(&mut early, 0..5).await?;
    let before = report(&mut other, 0..5).await?;
    ensure!(
        is_receipt(&early.withdraw(early.withdrawal(1)).await?),
        "one left before"
    );
    stage.back_up().await?;
    let traces = [
        mine.home.as_bytes().to_vec(),
        mine.key.public().as_bytes().to_vec(),
        Hash::of(&batch(&mine, 1)?.payload).as_bytes().to_vec(),
    ];
    let backup = fs::read(stage.file())?;
    let holds = |bytes: &[u8], trace: &[u8]| bytes.windows(trace.len()).any(|part| part == trace);
    ensure!(
        traces.iter().all(|trace| holds(&backup, trace)),
        "the backup knows it"
    );
    ensure!(
        !holds(&backup, early.home.as_bytes()),
        "and nothing of who left before"
    );
    ensure!(
        is_receipt(&mine.withdraw(mine.withdrawal(1)).await?),
        "one left after"
    );
    let (identity, key) = (collector.ground().identity.clone(), collector.key());
    collector.stop().await;

    // Put there by hand, it is not served.
    stage.lose_database()?;
    let config = stage.settings()?;
    let label = Label::read(&stage.file(), &identity, SCHEMA)?;
    label.unpack(&stage.file(), &config.database())?;
    let refused = stage.start(1).await.err().context("an older database")?;
    ensure!(
        refused
            .to_string()
            .contains("homes that left since would be back"),
        "{refused}"
    );
    stage.lose_database()?;

    // Nor restored with a ledger that is older, or gone, or of nobody knows what length.
    let (ledger, counter) = (config.ledger(), config.keys_dir.join("ledger.head"));
    let (whole, counted) = (fs::read_to_string(&ledger)?, fs::read(&counter)?);
    let lines: Vec<&str> = whole.lines().collect();
    ensure!(lines.len() == 3, "two homes left: {whole}");
    let older = lines[..2].join("\n") + "\n";
    let refuses = async |what: &str, links, sentence: &str| -> Result<()> {
        let refused = stage.restore(links).await.err().context(what.to_owned())?;
        ensure!(refused.to_string().contains(sentence), "{what}: {refused}");
        ensure!(
            refused.exit_code() == 69,
            "{what}: exit {}",
            refused.exit_code()
        );
        ensure!(!config.database().exists(), "{what}: there is no database");
        Ok(())
    };
    fs::write(&ledger, &older)?;
    refuses(
        "older",
        None,
        "without the later ones homes that left would be back",
    )
    .await?;
    fs::remove_file(&ledger)?;
    refuses("gone", None, "without the later ones").await?;
    fs::write(&ledger, whole.replace("erased", "eraser"))?;
    refuses("altered", None, "is not what this collector wrote there").await?;
    fs::remove_file(&counter)?;
    fs::write(&ledger, &whole)?;
    refuses("uncounted", None, "say so with '--links 2'").await?;
    refuses("longer, says the operator", Some(3), "and there were 3").await?;
    fs::write(&ledger, lines[..1].join("\n") + "\n")?;
    refuses(
        "shorter than the backup's",
        Some(0),
        "does not go on where the backup ends",
    )
    .await?;
    fs::write(&ledger, &whole)?;
    fs::write(&counter, &counted)?;

    // Nor is what is no backup of this collector.
    let mut altered = backup.clone();
    altered[5_000] ^= 1;
    fs::write(stage.file(), &altered)?;
    let refused = stage.restore(None).await.err().context("altered")?;
    ensure!(
        refused
            .to_string()
            .ends_with("was altered since it was made"),
        "{refused}"
    );
    ensure!(
        refused.exit_code() == 65 && !config.database().exists(),
        "{refused}"
    );
    fs::write(stage.file(), &backup)?;

    let said = stage.restore(None).await?.text;
    ensure!(
        said.contains("1 homes that left since are erased, and 5 batches"),
        "{said}"
    );
    for entry in fs::read_dir(&config.data_dir)? {
        let bytes = fs::read(entry?.path())?;
        ensure!(
            !traces.iter().any(|trace| holds(&bytes, trace)),
            "nothing of it is in any file"
        );
    }
    let collector = stage.start(2).await?;
    ensure!(collector.key() == key, "it is the same collector");
    let (address, audience) = (collector.intake_address(), key.audience());
    let mut mine = Liar::connect(1, address, audience).await?;
    let unknown = Outcome::Refused(Reject::UnknownKey);
    ensure!(
        report(&mut mine, 0..1).await? == [unknown],
        "it is a stranger"
    );
    let mut other = Liar::connect(2, address, audience).await?;
    ensure!(
        report(&mut other, 0..5).await? == before,
        "the other is told the same again"
    );
    collector.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_revoked_since_the_backup_stays_out() -> Result<()> {
    let stage = Stage::set()?;
    let collector = stage.start(0).await?;
    let (mut mine, mut other) = (home(&collector, 1).await?, home(&collector, 2).await?);
    let mut back = home(&collector, 3).await?;
    for home in [&mut mine, &mut back] {
        ensure!(report(home, 0..5).await?.iter().all(is_receipt));
    }
    let before = report(&mut other, 0..5).await?;
    stage.back_up().await?;
    // One leaves, comes back, and is out like the others; one comes only after the backup.
    ensure!(is_receipt(&back.withdraw(back.withdrawal(1)).await?));
    let back = home(&collector, 3).await?;
    let late = home(&collector, 4).await?;
    let gone = [mine.home, back.home, late.home];
    let digits = gone.map(|home| home.to_hex().parse::<HomeDigits>());
    let digits: Vec<HomeDigits> = digits.into_iter().collect::<Result<_, _>>()?;
    let now = stage.clock.now();
    commands::agents::revoke(collector.ground(), &digits, now).await?;
    let key = collector.key();
    collector.stop().await;

    stage.lose_database()?;
    let said = stage.restore(None).await?.text;
    ensure!(
        said.contains("2 homes that were revoked since are revoked, and 10 batches"),
        "{said}"
    );
    let trace = Hash::of(&batch(&mine, 1)?.payload);
    for entry in fs::read_dir(stage.settings()?.data_dir)? {
        let bytes = fs::read(entry?.path())?;
        let mut parts = bytes.windows(32);
        ensure!(!parts.any(|part| part == trace.as_bytes()), "nothing of it");
    }
    let collector = stage.start(1).await?;
    let (address, audience) = (collector.intake_address(), key.audience());
    let revoked = Outcome::Refused(Reject::Revoked);
    for seed in [1, 3] {
        let mut home = Liar::connect(seed, address, audience).await?;
        let answers = report(&mut home, 0..1).await?;
        ensure!(answers == [revoked.clone()], "{seed}: {answers:?}");
    }
    for seed in [1, 3, 4] {
        let mut home = Liar::connect(seed, address, audience).await?;
        let invite = collector.invite(1, "127.0.0.1:4317").await?.remove(0);
        let answer = home.enrol(&invite).await?;
        ensure!(answer == revoked, "{seed}: {answer:?}");
    }
    let mut other = Liar::connect(2, address, audience).await?;
    ensure!(
        report(&mut other, 0..5).await? == before,
        "the other is told the same again"
    );
    collector.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn weeks_that_are_over_stay_over() -> Result<()> {
    let stage = Stage::set()?;
    let collector = stage.start(0).await?;
    for seed in 1..=4 {
        let mut home = home(&collector, seed).await?;
        report(&mut home, 0..7).await?;
    }
    stage.back_up().await?;
    // More come after the backup: folded again, the week would say something else.
    for seed in 5..=8 {
        let mut home = home(&collector, seed).await?;
        report(&mut home, 0..7).await?;
    }
    stage.clock.set(closes_at(week()?));
    let made = collector.tick().await?;
    ensure!(made.len() == 1, "the week is released");
    let release = collector.weeks().releases().await?;
    collector.stop().await;

    // Released since: what was published is taken back, and nothing is counted again.
    stage.lose_database()?;
    let said = stage.restore(None).await?.text;
    ensure!(
        said.contains("1 releases made since are taken from the published folder"),
        "{said}"
    );
    let collector = stage.start(1).await?;
    ensure!(
        collector.weeks().releases().await? == release,
        "the same release"
    );
    ensure!(collector.tick().await?.is_empty(), "and no other");
    collector.stop().await;

    // Without the published folder it is not shown, and not made again either.
    stage.lose_database()?;
    let published = stage.folder.path().join("published");
    let aside = stage.folder.path().join("aside");
    fs::rename(&published, &aside)?;
    let said = stage.restore(None).await?.text;
    ensure!(
        said.contains("2026-W46.0 was released since and is not in the published"),
        "{said}"
    );
    let collector = stage.start(2).await?;
    ensure!(
        collector.weeks().releases().await?.is_empty(),
        "it is not made again"
    );
    fs::rename(&aside, &published)?;
    // And then destroyed: the backup's rows are of no use to anybody.
    stage.clock.set(destroyed_at(week()?));
    collector.tick().await?;
    collector.stop().await;
    stage.lose_database()?;
    let said = stage.restore(None).await?.text;
    ensure!(
        said.contains("28 batches of weeks whose keys are gone are deleted"),
        "{said}"
    );
    let store = Store::open(&stage.settings()?.database(), false).await?;
    let rows = store
        .journal_page(week()?, Slice::WHOLE, None, usize::MAX)
        .await?;
    let state = store.weeks().await?[0].state;
    ensure!(rows.is_empty() && state == WeekState::Final, "{state:?}");
    Ok(())
}
