//! A home that has left, and whose collector does not know it yet.
//!
//! Takes a state folder in which a withdrawal waits, and tries to tell it until the collector has
//! answered or somebody else has finished it. Nothing is observed meanwhile, and no socket hears any
//! network: all that is open is a connection to the collector, while there is one. Tries are as far
//! apart as those of uploads, drawn by chance (`uplink::later`), and nobody's clock is needed.

use super::live::{Live, Phase};
use super::{LOOK_EVERY, Stop, pause, write_live};
use crate::durable;
use crate::run::withdraw::withdraw_with;
use crate::run::{Environment, Failure};
use crate::state::{DaemonPlaces, StateError};
use crate::uplink::later;
use std::time::Duration;

/// Why the tries ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// No withdrawal waits any more.
    Told,
    /// The daemon was told to stop before.
    Stopped,
}

/// What a try came to.
enum Tried {
    Told,
    /// Somebody else has the state folder: whoever withdraws by hand, most likely.
    Busy,
    Failed(Failure),
}

/// Tries until nothing waits. For a home without consent.
///
/// # Errors
/// [`Failure`] when nobody can tell whether a withdrawal waits.
pub(super) async fn go(
    environment: &mut Environment,
    places: &DaemonPlaces,
    stop: &mut Stop,
) -> Result<Left, Failure> {
    let mut failures = 0;
    loop {
        let tried = tokio::select! {
            biased;
            // Whatever is broken off is taken up again.
            () = stop.told() => return Ok(Left::Stopped),
            tried = attempt(environment) => tried,
        };
        let wait = match tried {
            Tried::Told => break,
            Tried::Busy => LOOK_EVERY,
            Tried::Failed(failure) => {
                failures += 1;
                tracing::warn!(
                    failures,
                    "the collector does not know of the withdrawal yet"
                );
                write_live(&picture(&failure), places);
                later(failures, None, &mut *environment.chance)
            }
        };
        if !wait_for_another(environment, wait, stop).await? {
            return Ok(Left::Stopped);
        }
    }
    let _ = durable::remove(&places.live());
    tracing::info!("no withdrawal waits any more: nothing is left to do");
    Ok(Left::Told)
}

/// One try. Whether something waits is looked at while nobody else can begin a home, or end one.
async fn attempt(environment: &mut Environment) -> Tried {
    let waits = match environment.state.claim() {
        Err(StateError::InUse(_)) => return Tried::Busy,
        claimed => claimed.and_then(|claim| Ok(claim.state().withdrawal()?.map(|_| claim))),
    };
    let told = match waits {
        Err(error) => Err(error.into()),
        Ok(None) => Ok(()),
        Ok(Some(claim)) => {
            // What it comes to is kept in the file `erasure`.
            withdraw_with(&claim, environment, None, &mut std::io::sink()).await
        }
    };
    told.map_or_else(Tried::Failed, |()| Tried::Told)
}

/// Waits so long, or until somebody else has told the collector; `false` when told to stop.
async fn wait_for_another(
    environment: &mut Environment,
    wait: Duration,
    stop: &mut Stop,
) -> Result<bool, Failure> {
    let mut left = wait;
    while !left.is_zero() && environment.state.withdrawal()?.is_some() {
        let nap = left.min(LOOK_EVERY);
        if !pause(environment, nap, stop).await {
            return Ok(false);
        }
        left = left.saturating_sub(nap);
    }
    Ok(true)
}

/// What `status` says meanwhile.
fn picture(failure: &Failure) -> Live {
    Live {
        phase: Phase::Leaving,
        notes: vec![failure.to_string()],
        ..Live::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::tests::home::{Home, yesterday};
    use crate::run::withdraw::withdraw;
    use crate::uplink::Waits;
    use crate::uplink::tests::desk::Desk;
    use std::pin::Pin;
    use tonic::Status;

    /// Waits for no time, and lets others have a turn.
    struct Turns;

    impl Waits for Turns {
        fn wait(&mut self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
            Box::pin(tokio::task::yield_now())
        }
    }

    /// A home that left while its collector was away, and is for so many tries more.
    async fn leaver(busy: usize) -> anyhow::Result<(Desk, Home, DaemonPlaces)> {
        let desk = Desk::open(true).await?;
        let mut home = Home::willing(yesterday())?;
        home.enrol(&desk).await?;
        let state = home.environment.state.clone();
        let places = DaemonPlaces::new(&state, &home.folder.path().join("run"), false);
        durable::make_folder(places.run_dir())?;
        state.claim()?.set_daemon(&places)?;
        let away = |count| std::iter::repeat_n(Status::unavailable("away"), count).collect();
        desk.script(|script| script.busy = away(1_000));
        let environment = &mut home.environment;
        assert!(withdraw(environment, None, &mut home.out).await.is_err());
        assert!(state.withdrawal()?.is_some());
        desk.script(|script| script.busy = away(busy));
        home.environment.waits = Box::new(Turns);
        Ok((desk, home, places))
    }

    #[tokio::test]
    async fn the_collector_is_told_when_it_is_back() -> anyhow::Result<()> {
        let (_desk, mut home, places) = leaver(12).await?;
        let state = home.environment.state.clone();
        let mut stop = Stop::when(std::future::pending());
        let left = go(&mut home.environment, &places, &mut stop).await?;
        assert_eq!(left, Left::Told);
        assert!(state.withdrawal()?.is_none() && state.home_key()?.is_none());
        assert!(state.erasure()?.is_some());
        assert!(!places.live().exists());
        Ok(())
    }

    #[tokio::test]
    async fn who_is_told_to_stop_leaves_it_waiting_and_says_why() -> anyhow::Result<()> {
        let (desk, mut home, places) = leaver(1_000).await?;
        let (told, tell) = tokio::sync::oneshot::channel::<()>();
        let mut stop = Stop::when(async { drop(tell.await) });
        {
            let going = go(&mut home.environment, &places, &mut stop);
            tokio::pin!(going);
            loop {
                tokio::select! {
                    biased;
                    left = &mut going => anyhow::bail!("{left:?}"),
                    () = tokio::task::yield_now() => {}
                }
                if places.live().exists() {
                    break;
                }
            }
            drop(told);
            assert_eq!(going.await?, Left::Stopped);
        }
        let live = Live::read(&places.live())?.expect("it was written");
        assert_eq!((live.phase, live.notes.len()), (Phase::Leaving, 1));
        assert!(home.environment.state.withdrawal()?.is_some());
        drop(desk);
        Ok(())
    }

    #[tokio::test]
    async fn whoever_finishes_it_by_hand_is_not_disturbed() -> anyhow::Result<()> {
        let (_desk, mut home, places) = leaver(0).await?;
        let state = home.environment.state.clone();
        let claim = state.claim()?;
        let mut stop = Stop::when(std::future::pending());
        let by_hand = async {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            claim.forget_home()?;
            drop(claim);
            anyhow::Ok(())
        };
        let (left, done) = tokio::join!(go(&mut home.environment, &places, &mut stop), by_hand);
        done?;
        assert_eq!(left?, Left::Told);
        assert!(state.erasure()?.is_none(), "nobody else told the collector");
        Ok(())
    }
}
