mod denied;
mod office;
mod unlisted;

use super::*;
use crate::run::household::send;
use crate::run::watch::dating::Voucher;
use crate::uplink::tests::desk::NOW;
use office::{DAY, HOUR, Office, away, back, stand};
use phonehome_proto::chance::SeededChance;
use phonehome_proto::reject::Reject;
use phonehome_proto::seal::SigningKey;
use phonehome_proto::status::Outcome;

#[tokio::test]
async fn three_days_without_a_collector_lose_nothing() -> anyhow::Result<()> {
    let mut office = Office::open(SpoolLimits::default()).await?;
    office.live(36).await;
    assert_eq!(office.taken().0, ["2026-11-23"]);
    away(&office.desk);
    office.live(72).await;
    assert_eq!(office.trouble(), Some(TroubleKind::OutOfReach));
    assert_eq!(office.post.waiting().batches, 4);
    back(&office.desk);
    office.live(20).await;
    let days = [
        "2026-11-23",
        "2026-11-24",
        "2026-11-25",
        "2026-11-26",
        "2026-11-27",
    ];
    assert_eq!(office.taken(), (days.map(str::to_owned).to_vec(), 0));
    assert_eq!((office.trouble(), office.post.waiting().batches), (None, 0));
    Ok(())
}

#[tokio::test]
async fn a_restart_in_the_middle_sends_nothing_twice() -> anyhow::Result<()> {
    let mut office = Office::open(SpoolLimits::default()).await?;
    away(&office.desk);
    office.live(60).await;
    assert_eq!(office.post.waiting().batches, 3);
    // The day that is going on was seen in part.
    let today = day_of(office.now());
    office.tell(today).await;
    office.restart().await?;
    assert_eq!(office.post.waiting().batches, 3);
    office.live(12).await;
    back(&office.desk);
    office.live(24).await;
    let (mut days, told) = office.taken();
    days.sort();
    // The day of the restart came in two parts.
    let expected = [
        "2026-11-23",
        "2026-11-24",
        "2026-11-25",
        "2026-11-26",
        "2026-11-26",
    ];
    assert_eq!((days, told), (expected.map(str::to_owned).to_vec(), 0));
    Ok(())
}

#[tokio::test]
async fn a_full_spool_tells_what_it_let_go() -> anyhow::Result<()> {
    let limits = SpoolLimits {
        files_max: 2,
        bytes_max: SpoolLimits::default().bytes_max,
    };
    let mut office = Office::open(limits).await?;
    away(&office.desk);
    office.live(12 + 6 * 24).await;
    assert_eq!(
        (office.post.waiting().batches, office.lost("spool_full")),
        (2, 5)
    );
    // Also over a restart.
    office.restart().await?;
    back(&office.desk);
    office.live(3 * 24 + 8).await;
    let (days, told) = office.taken();
    assert_eq!(days.len(), 5, "{days:?}");
    assert_eq!(told, 5);
    assert_eq!(
        office.home.environment.state.ledger()?.dropped_unreported(),
        0
    );
    Ok(())
}

#[tokio::test]
async fn what_waits_is_previewed_as_it_is_sent() -> anyhow::Result<()> {
    let mut office = Office::open(SpoolLimits::default()).await?;
    office.pass(DAY / 2 + 60);
    office.tell(day_of(NOW)).await;
    let status = office.home.status()?;
    assert_eq!(status["spool_batches"], 1);
    assert_eq!(status["daemon"], serde_json::Value::Null);
    let shown = office.home.preview(&[])?;
    office.live(8).await;
    let taken = office.taken.lock().expect("unpoisoned");
    let sent = taken.last().expect("it was sent");
    assert_eq!(shown[0]["payload"], phonehome_proto::id::to_hex(sent));
    Ok(())
}

/// Whatever happens, in whatever order: the account balances after every step, and at the end all that
/// was lost has been told.
#[tokio::test]
async fn whatever_happens_the_account_balances() -> anyhow::Result<()> {
    for seed in 0..4 {
        let mut chance = SeededChance::new(seed);
        let limits = SpoolLimits {
            files_max: 1 + chance.below(4) as usize,
            bytes_max: SpoolLimits::default().bytes_max,
        };
        let mut office = Office::open(limits).await?;
        for _ in 0..10 {
            match chance.below(6) {
                0 => away(&office.desk),
                1 => back(&office.desk),
                2 => office.restart().await?,
                3 => {
                    let today = day_of(office.now());
                    office.tell(today).await;
                }
                _ => {}
            }
            office.live(i64::from(chance.below(30))).await;
        }
        back(&office.desk);
        office.live(32).await;
        let (days, told) = office.taken();
        let lost = office.lost("spool_full");
        assert_eq!(days.len() as u64 + lost, {
            let waiting = office.post.waiting().batches as u64;
            office.sealed_before + office.post.counts().sealed - waiting
        });
        let untold = office.home.environment.state.ledger()?.dropped_unreported();
        // A report is a step: what is told is at most what was lost, and all of it where steps are exact.
        assert!(
            told + untold <= lost && (lost > 2 || told + untold == lost),
            "{told} {lost}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_day_that_is_over_behind_a_shut_gate_stays_at_home() -> anyhow::Result<()> {
    let mut office = Office::open(SpoolLimits::default()).await?;
    send(&mut office.home.environment, false, &mut Vec::new())?;
    office.live(20).await;
    assert_eq!(office.post.counts().kept_home, 1);
    // Turning it on does not bring it back.
    send(&mut office.home.environment, true, &mut Vec::new())?;
    office.live(36).await;
    assert_eq!(office.taken().0, ["2026-11-24"]);
    Ok(())
}

#[tokio::test]
async fn a_gate_that_shuts_keeps_what_waits_until_it_opens() -> anyhow::Result<()> {
    let mut office = Office::open(SpoolLimits::default()).await?;
    office.pass(DAY / 2 + 60);
    office.tell(day_of(NOW)).await;
    send(&mut office.home.environment, false, &mut Vec::new())?;
    office.live(12).await;
    assert_eq!(office.trouble(), Some(TroubleKind::GateShut));
    assert_eq!(
        (office.post.waiting().batches, office.post.due()),
        (1, None)
    );
    send(&mut office.home.environment, true, &mut Vec::new())?;
    office.post.look_again(&mut office.home.environment);
    office.live(2).await;
    assert_eq!((office.taken().0.len(), office.trouble()), (1, None));
    Ok(())
}

#[tokio::test]
async fn a_clock_that_proves_wrong_sends_nothing_misdated() -> anyhow::Result<()> {
    let mut office = Office::open(SpoolLimits::default()).await?;
    // The kernel vouches for a clock that is two days ahead, and the collector knows better.
    office
        .desk
        .script(|script| script.time = script.time.plus_seconds(-2 * DAY));
    office.live(24).await;
    assert_eq!(office.trouble(), Some(TroubleKind::ClockDiffers));
    assert_eq!(
        (office.taken().0.len(), office.post.waiting().batches),
        (0, 1)
    );
    // Ours is set right: what had its date from the wrong one is let go, and counted.
    office.clock.0.lock().expect("unpoisoned").wall = office.now().plus_seconds(-2 * DAY);
    office.post.set_stand(stand(&office.clock, Voucher::Kernel));
    office.live(48).await;
    assert_eq!(office.lost("spool_misdated"), 1);
    let (days, told) = office.taken();
    assert_eq!(
        (days, told),
        (vec!["2026-11-22".to_owned(), "2026-11-23".to_owned()], 1)
    );
    Ok(())
}

#[tokio::test]
async fn a_collector_whose_clock_was_wrong_gets_everything_once_it_is_right() -> anyhow::Result<()>
{
    let mut office = Office::open(SpoolLimits::default()).await?;
    office
        .desk
        .script(|script| script.time = script.time.plus_seconds(-DAY));
    office.live(36).await;
    assert_eq!(office.trouble(), Some(TroubleKind::ClockDiffers));
    office
        .desk
        .script(|script| script.time = script.time.plus_seconds(DAY));
    office.live(24).await;
    assert_eq!(
        (office.taken().0.len(), office.lost("spool_misdated")),
        (2, 0)
    );
    assert_eq!(office.trouble(), None);
    Ok(())
}

#[tokio::test]
async fn without_a_clock_the_collectors_is_learnt() -> anyhow::Result<()> {
    let mut office = Office::open(SpoolLimits::default()).await?;
    office.pass(DAY / 2 + 60);
    office.tell(day_of(NOW)).await;
    // After a restart the clock stands in 1970 again, and the batch waits on the disk.
    let lost = Stand {
        offset_nanos: 0,
        voucher: None,
    };
    office.restart().await?;
    office.post.set_stand(lost);
    let mut learnt = Order::Nothing;
    for _ in 0..24 {
        office.pass(300);
        if let order @ Order::Learn(_) = office.step().await {
            learnt = order;
        }
    }
    let Order::Learn(word) = learnt else {
        panic!("nothing was learnt")
    };
    assert!(word.theirs.nanos_since(NOW.plus_seconds(DAY)) > 0);
    assert_eq!(office.taken().0, ["2026-11-23"]);
    Ok(())
}

#[tokio::test]
async fn what_stands_in_the_way_is_told_apart() -> anyhow::Result<()> {
    let mut office = Office::open(SpoolLimits::default()).await?;
    office.pass(DAY / 2 + 60);
    office.tell(day_of(NOW)).await;

    office.desk.script(|script| {
        script.answer = Box::new(|_, _| Some(Outcome::Refused(Reject::UnknownKey)));
    });
    office.live(8).await;
    assert_eq!(office.trouble(), Some(TroubleKind::KeyRefused));

    // Somebody else at the collector's place.
    let right = office.home.environment.state.enrolled()?.expect("enrolled");
    let mut wrong = right.clone();
    wrong.collector = SigningKey::from_seed(&[9; 32]).public();
    office
        .home
        .environment
        .state
        .claim()?
        .set_enrolled(&wrong)?;
    office.live(8).await;
    assert_eq!(office.trouble(), Some(TroubleKind::WrongKey));

    // Nobody there at all.
    let mut gone = right.clone();
    gone.url = "https://127.0.0.1:9".parse()?;
    office.home.environment.state.claim()?.set_enrolled(&gone)?;
    office.live(8).await;
    assert_eq!(office.trouble(), Some(TroubleKind::OutOfReach));
    let (trouble, since) = office.post.trouble().expect("trouble");
    assert!(
        trouble.sentence.contains("cannot be reached"),
        "{}",
        trouble.sentence
    );
    assert!(since.is_some_and(|since| since <= office.now()));

    // All is well again, and nothing was lost by any of it.
    office
        .home
        .environment
        .state
        .claim()?
        .set_enrolled(&right)?;
    office
        .desk
        .script(|script| script.answer = Box::new(|_, outcome| Some(outcome)));
    office.live(8).await;
    assert_eq!((office.trouble(), office.post.waiting().batches), (None, 0));
    assert_eq!(office.home.environment.state.ledger()?.losses().len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_disk_that_takes_nothing_keeps_the_day_in_memory() -> anyhow::Result<()> {
    let mut office = Office::open(SpoolLimits::default()).await?;
    // A folder in the next file's place fails the write for every user, root too.
    let obstacle = office.places.spool().join("0000000001.batch.unfinished");
    std::fs::create_dir(&obstacle)?;
    office.pass(DAY / 2 + 60);
    office.tell(day_of(NOW)).await;
    assert_eq!(office.trouble(), Some(TroubleKind::Spool));
    assert_eq!(
        (office.post.waiting().batches, office.post.unplaced.len()),
        (0, 1)
    );
    std::fs::remove_dir(&obstacle)?;
    office.step().await;
    assert_eq!(
        (office.post.waiting().batches, office.post.unplaced.len()),
        (1, 0)
    );
    assert_eq!(office.trouble(), None);
    Ok(())
}

#[tokio::test]
async fn a_collector_that_asks_for_hours_gets_them() -> anyhow::Result<()> {
    let mut office = Office::open(SpoolLimits::default()).await?;
    office.pass(DAY / 2 + 60);
    office.tell(day_of(NOW)).await;
    office.pass(8 * HOUR);
    let asked = phonehome_proto::status::overloaded(7_200);
    office.desk.script(|script| script.busy = [asked].into());
    let now = Duration::from_nanos(office.clock.read().since_boot_nanos);
    office.step().await;
    assert_eq!(office.trouble(), Some(TroubleKind::OutOfReach));
    let due = office.post.due().expect("another try");
    assert!(due >= now + Duration::from_secs(7_200), "{due:?}");
    // It was asked once, not five times.
    assert!(
        office
            .desk
            .script
            .lock()
            .expect("unpoisoned")
            .busy
            .is_empty()
    );
    Ok(())
}

#[tokio::test]
async fn a_home_without_dates_and_batches_asks_for_the_time() -> anyhow::Result<()> {
    let mut office = Office::open(SpoolLimits::default()).await?;
    office.post.stand.voucher = None;
    office.post.look_again(&mut office.home.environment);
    let due = office.post.due().expect("it asks");
    assert!(due >= Duration::from_secs(300), "{due:?}");
    // With a gate shut it asks nobody, and that is no trouble.
    send(&mut office.home.environment, false, &mut Vec::new())?;
    office.pass(HOUR);
    assert_eq!(office.step().await, Order::Nothing);
    assert_eq!((office.post.due(), office.trouble()), (None, None));
    send(&mut office.home.environment, true, &mut Vec::new())?;
    office.post.look_again(&mut office.home.environment);
    // A collector that is away is asked again.
    away(&office.desk);
    office.pass(HOUR);
    assert_eq!(office.step().await, Order::Nothing);
    assert_eq!(office.trouble(), Some(TroubleKind::OutOfReach));
    back(&office.desk);
    office.pass(HOUR);
    assert!(matches!(office.step().await, Order::Learn(_)));
    assert_eq!(office.post.stand.voucher, Some(Voucher::Collector));
    assert_eq!((office.post.due(), office.trouble()), (None, None));
    Ok(())
}

#[tokio::test]
async fn who_learns_the_date_in_time_asks_nobody() -> anyhow::Result<()> {
    let mut office = Office::open(SpoolLimits::default()).await?;
    office.post.stand.voucher = None;
    office.post.look_again(&mut office.home.environment);
    assert!(office.post.due().is_some());
    office.post.set_stand(stand(&office.clock, Voucher::Kernel));
    assert_eq!(office.post.due(), None);
    Ok(())
}

#[tokio::test]
async fn a_state_folder_that_somebody_has_is_waited_for_once() -> anyhow::Result<()> {
    let mut office = Office::open(SpoolLimits::default()).await?;
    let held = office.home.environment.state.clone();
    office.pass(2 * DAY);
    let claim = held.claim()?;
    for day in [day_of(NOW), day_of(NOW).plus(1)] {
        office.tell(day).await;
    }
    assert_eq!(office.trouble(), Some(TroubleKind::State));
    assert_eq!(
        (office.post.over.len(), office.post.counts().sealed),
        (2, 0)
    );
    drop(claim);
    // Not at once, but soon.
    office.step().await;
    assert_eq!(office.post.counts().sealed, 0);
    office.pass(60);
    office.step().await;
    assert_eq!(
        (office.post.over.len(), office.post.counts().sealed),
        (0, 2)
    );
    assert_eq!(office.trouble(), None);
    Ok(())
}

#[tokio::test]
async fn of_a_home_that_has_left_nothing_comes_back() -> anyhow::Result<()> {
    let mut office = Office::open(SpoolLimits::default()).await?;
    office.pass(DAY / 2 + 60);
    office.tell(day_of(NOW)).await;
    let state = office.home.environment.state.clone();
    state.claim()?.forget_home()?;
    let before = listing(state.as_ref())?;
    let closed = office.closed(day_of(NOW), [(Loss::CounterGaps, 3)].into());
    office.post.take(closed);
    office.pass(DAY);
    let environment = &mut office.home.environment;
    office.post.turn_over(environment).await;
    let order = office.post.send_if_due(environment).await;
    assert_eq!(order, Order::Nothing);
    assert_eq!(office.trouble(), Some(TroubleKind::GateShut));
    assert_eq!(listing(state.as_ref())?, before);
    Ok(())
}

/// What stands in a folder.
fn listing(folder: &Path) -> anyhow::Result<Vec<std::ffi::OsString>> {
    let entries = std::fs::read_dir(folder)?;
    let mut names = entries
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<Result<Vec<_>, _>>()?;
    names.sort();
    Ok(names)
}
