//! A household that denies a device, and a clock that proves wrong, after something was seen.

use super::super::*;
use super::office::{DAY, Office, away, back};
use crate::run::household::{device_allow, device_deny};

impl Office {
    fn denies(&mut self) -> anyhow::Result<()> {
        let tag = self.home.phone()?;
        let environment = &mut self.home.environment;
        Ok(device_deny(environment, tag, &mut self.home.out)?)
    }

    /// One more device, so that the gate stays open.
    fn allows_another(&mut self) -> anyhow::Result<()> {
        let (tag, name) = ("00000001".parse()?, "Ben".parse()?);
        let environment = &mut self.home.environment;
        Ok(device_allow(
            environment,
            tag,
            name,
            None,
            &mut self.home.out,
        )?)
    }
}

#[tokio::test]
async fn the_morning_of_a_device_that_is_denied_at_noon_stays_at_home() -> anyhow::Result<()> {
    for is_restarted in [false, true] {
        let mut office = Office::open(SpoolLimits::default()).await?;
        let today = day_of(office.now());
        office.tell(today).await;
        if is_restarted {
            office.restart().await?;
        }
        office.allows_another()?;
        office.denies()?;
        assert_eq!(office.post.unfinished.len(), 1);
        office.post.look_again(&mut office.home.environment);
        office.step().await;
        assert_eq!(office.post.unfinished.len(), 0);
        assert_eq!(office.post.counts().kept_home, 1);
        // Nor does it come back.
        office.restart().await?;
        assert_eq!(office.post.unfinished.len(), 0);
        office.live(30).await;
        // What is told of the day is the other's.
        assert_eq!(office.taken().0, ["2026-11-23"]);
    }
    Ok(())
}

#[tokio::test]
async fn a_sealed_day_stays_at_home_with_whom_it_tells_of() -> anyhow::Result<()> {
    for is_restarted in [false, true] {
        let mut office = Office::open(SpoolLimits::default()).await?;
        away(&office.desk);
        office.live(13).await;
        assert_eq!(office.post.waiting().batches, 1);
        office.allows_another()?;
        office.step().await;
        assert_eq!(office.post.waiting().batches, 1, "allowing denies nobody");
        office.denies()?;
        if is_restarted {
            office.restart().await?;
        }
        // Even where nobody has looked yet.
        back(&office.desk);
        office.post.may_be_denied = is_restarted;
        office.live(10).await;
        assert_eq!(office.taken().0, [""; 0]);
        assert_eq!(office.lost("spool_denied"), 1);
        assert!(!office.places.spool_devices().exists());
        office.live(24).await;
        assert_eq!(office.taken(), (vec!["2026-11-24".to_owned()], 1));
    }
    Ok(())
}

#[tokio::test]
async fn a_part_that_a_wrong_clock_dated_is_let_go() -> anyhow::Result<()> {
    for is_restarted in [false, true] {
        let mut office = Office::open(SpoolLimits::default()).await?;
        let tomorrow = day_of(office.now()).plus(1);
        let mut closed = office.closed(tomorrow, BTreeMap::new());
        let part = closed.part.as_mut().expect("it was made");
        let offset_nanos = part.offset_nanos.as_mut().expect("it is dated");
        // A day ahead, and set right since.
        *offset_nanos += DAY * 1_000_000_000;
        office.post.take(closed);
        assert_eq!(office.post.unfinished.len(), 1);
        if is_restarted {
            office.restart().await?;
        }
        office.live(12 + 24 + 8).await;
        assert_eq!(office.lost("spool_misdated"), 1);
        let days = office.taken().0;
        assert_eq!(days, ["2026-11-23", "2026-11-24"], "what was dated right");
    }
    Ok(())
}
