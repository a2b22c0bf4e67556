//! Whole first runs, with their answers written beforehand.

use super::home::{Home, invite};
use crate::consent;
use crate::device::{DeviceTag, MacKind};
use crate::run::setup::setup;
use crate::run::{Exit, Failure};
use crate::state::{Decision, Looks, Sightings};
use crate::uplink::tests::desk::{Desk, NOW};
use phonehome_proto::vendor::Vendor;

/// Enter, for each part of the text but its title and the last, and a word.
fn answer_to_the_text(word: &str) -> String {
    let parts = consent::TEXT.trim_end().split("\n\n").count();
    "\n".repeat(parts - 2) + word + "\n"
}

const LIVES_HERE: &str = "0a0a0a0a";

impl Home {
    async fn setup(&mut self, answers: &str) -> Result<String, Failure> {
        let (mut input, mut out) = (answers.as_bytes(), Vec::new());
        let result = setup(&mut self.environment, &mut input, &mut out, &mut self.err).await;
        self.out = out;
        result.map(|()| self.said())
    }

    fn said(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// Somebody who was there every day, and a guest.
    fn is_lived_in(&mut self) -> anyhow::Result<()> {
        let today = NOW.day().expect("a day").number();
        let mut sightings = Sightings::default();
        let looks = Looks {
            mac_kind: MacKind::Randomised,
            vendor: Vendor::from_id("xiaomi"),
            is_phone: Some(true),
        };
        for (tag, days) in [(LIVES_HERE, 8), ("0b0b0b0b", 3)] {
            for back in (0..days).rev() {
                let day = phonehome_proto::time::Day::new(today - back).expect("a day");
                sightings.note(tag.parse()?, day, looks);
            }
        }
        self.environment.state.claim()?.set_sightings(&sightings)?;
        Ok(())
    }

    fn decision(&self) -> anyhow::Result<Option<Decision>> {
        let tag: DeviceTag = LIVES_HERE.parse()?;
        Ok(self.environment.state.devices()?.get(tag).cloned())
    }
}

#[tokio::test]
async fn a_volunteer_answers_and_every_gate_is_open() -> anyhow::Result<()> {
    let desk = Desk::open(true).await?;
    let mut home = Home::new(NOW)?;
    home.is_lived_in()?;
    let invite = invite(&desk);
    let agree = answer_to_the_text("agree");
    let answers = format!("{agree}{invite}\ny\nAna\nXiaomi\ny\n");
    let said = home.setup(&answers).await?;
    assert!(said.contains("a phone, perhaps of Xiaomi"), "{said}");
    assert!(said.contains("on 8 of the last 10 days"), "{said}");
    assert!(!said.contains("0b0b0b0b"), "a guest was offered: {said}");
    let status = home.status()?;
    for gate in ["consent", "enrolled", "sending"] {
        assert_eq!(status[gate], true, "{gate}");
    }
    let Some(Decision::Allowed { name, vendor }) = home.decision()? else {
        panic!("not allowed: {said}");
    };
    assert_eq!((name.as_str(), vendor), ("Ana", Vendor::from_id("xiaomi")));

    // Once more: nothing is left to ask.
    let again = home.setup("").await?;
    assert!(
        again.contains("That stands.") && again.contains("Sending is on."),
        "{again}"
    );
    Ok(())
}

#[tokio::test]
async fn without_the_word_nothing_is_recorded() -> anyhow::Result<()> {
    for answer in ["", "y", "yes", "no", "I agree", "agreed"] {
        let mut home = Home::new(NOW)?;
        let refused = home
            .setup(&answer_to_the_text(answer))
            .await
            .expect_err("nobody agreed");
        assert_eq!(refused.exit(), Exit::Unavailable, "{answer}");
        assert!(refused.to_string().contains("nothing is recorded"));
        assert!(!home.folder.path().join("state").exists(), "{answer}");
    }
    Ok(())
}

#[tokio::test]
async fn answers_may_end_anywhere_and_the_next_run_goes_on() -> anyhow::Result<()> {
    let desk = Desk::open(true).await?;
    let mut home = Home::new(NOW)?;
    home.is_lived_in()?;
    let ended = "the answers ended";
    let agree = answer_to_the_text("agree");
    let read = agree.replace("agree\n", "");
    assert!(
        home.setup(&read)
            .await
            .expect_err("it ended")
            .to_string()
            .contains(ended)
    );
    assert_eq!(home.status()?["consent"], false);

    let failure = home.setup(&agree).await.expect_err("it ended");
    assert!(failure.to_string().contains(ended));
    assert_eq!(home.status()?["consent"], true);

    // No invite; the holder agrees, and then nobody says a name.
    home.setup("\ny\n").await.expect_err("it ended");
    assert_eq!(home.decision()?, None);

    // A damaged invite, twice, and then the right one; the holder does not agree.
    let invite = invite(&desk);
    let said = home
        .setup(&format!("phonehome://\nx\n{invite}\n\n"))
        .await?;
    assert_eq!(home.status()?["enrolled"], true);
    assert_eq!(home.decision()?, None);
    assert!(said.contains("Sending stays off"), "{said}");

    // A maker nobody knows is asked for again, and may be left out.
    home.setup("y\nAna\nnokia\n\nno\n").await?;
    let Some(Decision::Allowed { vendor: None, .. }) = home.decision()? else {
        panic!("not allowed: {}", home.said());
    };
    assert_eq!(home.status()?["sending"], false);
    Ok(())
}

#[tokio::test]
async fn a_new_home_is_told_when_to_come_back() -> anyhow::Result<()> {
    let mut home = Home::new(NOW)?;
    let said = home.setup(&(answer_to_the_text("agree") + "\n")).await?;
    assert!(said.contains("run for 7 days"), "{said}");
    assert!(said.contains("device allow TAG --name NAME"), "{said}");
    assert_eq!(home.status()?["sending"], false);
    Ok(())
}

#[tokio::test]
async fn a_collector_that_is_not_there_undoes_nothing() -> anyhow::Result<()> {
    let mut home = Home::new(NOW)?;
    let desk = Desk::open(true).await?;
    let mut invite = invite(&desk);
    invite.authority = "127.0.0.1:1".to_owned();
    let answers = answer_to_the_text("agree") + &format!("{invite}\n");
    let failure = home.setup(&answers).await.expect_err("nobody there");
    assert_eq!(failure.exit(), Exit::Unavailable);
    let status = home.status()?;
    assert_eq!(
        (&status["consent"], &status["enrolled"]),
        (&true.into(), &false.into())
    );
    Ok(())
}
