//! What a household decides, and what becomes of what waited until then.

use super::home::{Home, yesterday};
use crate::device::DeviceTag;
use crate::run::household::device_deny;
use crate::uplink::tests::desk::Desk;
use tonic::Status;

impl Home {
    fn denies(&mut self, tag: DeviceTag) -> anyhow::Result<String> {
        self.out.clear();
        device_deny(&mut self.environment, tag, &mut self.out)?;
        Ok(String::from_utf8_lossy(&self.out).into_owned())
    }
}

#[tokio::test]
async fn what_waits_stays_at_home_when_a_device_in_it_is_denied() -> anyhow::Result<()> {
    let desk = Desk::open(true).await?;
    let mut home = Home::willing(yesterday())?;
    home.enrol(&desk).await?;
    let away = (0..5).map(|_| Status::unavailable("away"));
    desk.script(|script| script.busy_submits = away.collect());
    assert!(home.replay(&desk, false).await.is_err());
    assert_eq!(home.status()?["spool_batches"], 1);

    // Of a device that was never allowed nothing can wait.
    home.denies("00000001".parse()?)?;
    assert_eq!(home.status()?["spool_batches"], 1);

    let phone = home.phone()?;
    let said = home.denies(phone)?;
    assert!(said.contains("stay at home"), "{said}");
    let status = home.status()?;
    assert_eq!(status["spool_batches"], 0);
    assert_eq!(status["losses"]["spool_denied"], 1);
    Ok(())
}
