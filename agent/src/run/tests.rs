pub(super) mod capture;
mod endpoints;
pub(super) mod home;
mod household;
mod joining;
mod leaving;
mod setup;

use super::enrol::enrol;
use super::household::{consent_grant, consent_show, device_allow, device_deny, device_list, send};
use super::preview::preview;
use super::replay::{Replay, Replayed, replay};
use super::status::{Format, status};
use super::*;
use crate::uplink::tests::desk::{Desk, NOW};
use home::{Home, invite, yesterday};
use phonehome_proto::decode;
use phonehome_proto::enrolment::Invite;
use phonehome_proto::id::{from_hex, to_hex};
use phonehome_proto::manifest::Purpose;
use phonehome_proto::reject::Reject;
use phonehome_proto::seal::SigningKey;
use phonehome_proto::status::{Outcome, overloaded};
use phonehome_proto::time::Timestamp;
use std::io::Write;
use std::path::Path;

#[tokio::test]
async fn every_gate_names_the_command_that_opens_it() -> anyhow::Result<()> {
    let desk = Desk::open(true).await?;
    let mut home = Home::new(yesterday())?;
    let tag = home.phone()?;
    let shut = |home: &Home, failure: Option<Failure>, command: &str| {
        let failure = failure.expect("a gate is shut");
        assert_eq!(failure.exit().code(), 69, "{failure}");
        assert!(failure.to_string().ends_with(command), "{failure}");
        assert!(home.out.is_empty());
    };
    let failure = home.enrol(&desk).await.err();
    shut(&home, failure, "phonehome-agent consent grant");
    let failure = home.replay(&desk, true).await.err();
    shut(&home, failure, "phonehome-agent consent grant");
    // Reading the text is not agreeing to it.
    let unread = consent_grant(&mut home.environment, false, &mut Vec::new()).err();
    shut(&home, unread, "phonehome-agent consent grant --yes");
    consent_grant(&mut home.environment, true, &mut Vec::new())?;

    let failure = home.replay(&desk, true).await.err();
    shut(
        &home,
        failure,
        "phonehome-agent device allow TAG --name NAME",
    );
    device_allow(
        &mut home.environment,
        tag,
        "Ana".parse()?,
        None,
        &mut Vec::new(),
    )?;

    let failure = home.replay(&desk, true).await.err();
    shut(&home, failure, "phonehome-agent send on");
    send(&mut home.environment, true, &mut Vec::new())?;

    let failure = home.replay(&desk, false).await.err();
    shut(&home, failure, "phonehome-agent enrol INVITE");
    assert_eq!(desk.script.lock().expect("unpoisoned").submits, [0; 0]);

    home.replay(&desk, true).await?;
    assert_eq!(desk.script.lock().expect("unpoisoned").submits, [1]);

    // And each shuts again.
    device_deny(&mut home.environment, tag, &mut Vec::new())?;
    let failure = home.replay(&desk, true).await.err();
    shut(
        &home,
        failure,
        "phonehome-agent device allow TAG --name NAME",
    );
    send(&mut home.environment, false, &mut Vec::new())?;
    device_allow(
        &mut home.environment,
        tag,
        "Ana".parse()?,
        None,
        &mut Vec::new(),
    )?;
    let failure = home.replay(&desk, true).await.err();
    shut(&home, failure, "phonehome-agent send on");
    Ok(())
}

#[tokio::test]
async fn what_is_previewed_is_what_is_sent() -> anyhow::Result<()> {
    let desk = Desk::open(true).await?;
    let sent = Arc::new(std::sync::Mutex::new(Vec::new()));
    desk.script(|script| {
        let sent = Arc::clone(&sent);
        script.answer = Box::new(move |sealed, outcome| {
            sent.lock().expect("unpoisoned").push(sealed.clone());
            Some(outcome)
        });
    });
    // A capture from another year: towards an exercise its day is moved, and the preview knows.
    let mut home = Home::willing(Timestamp::from_seconds(1_500_000_000))?;
    home.enrol(&desk).await?;
    let files = home.files();
    let previewed = home.preview(&files)?;
    sent.lock().expect("unpoisoned").clear();
    home.replay(&desk, false).await?;

    let sent = sent.lock().expect("unpoisoned");
    let ([shown], [sent]) = (&previewed[..], &sent[..]) else {
        panic!("one batch each")
    };
    let shown = from_hex(shown["payload"].as_str().expect("digits")).expect("digits");
    let id = |payload: &[u8]| decode::batch(payload).map(|batch| batch.header().batch_id.to_hex());
    let (shown_id, sent_id) = (
        id(&shown).expect("a batch"),
        id(&sent.payload).expect("a batch"),
    );
    assert_ne!(shown_id, sent_id);
    assert_eq!(
        to_hex(&shown).replace(&shown_id, &sent_id),
        to_hex(&sent.payload)
    );

    let batch = decode::batch(&sent.payload).expect("a batch");
    assert_eq!(batch.header().day.to_string(), "2026-11-22");
    let [observation] = batch.observations() else {
        panic!("one observation")
    };
    assert_eq!(observation.key().endpoint.pattern(), "sa.api.intl.miui.com");
    Ok(())
}

#[tokio::test]
async fn a_replay_prints_receipts_and_keeps_account() -> anyhow::Result<()> {
    let desk = Desk::open(true).await?;
    let mut home = Home::willing(yesterday())?;
    let replayed = home.replay(&desk, true).await?;
    assert_eq!(
        replayed,
        Replayed {
            sealed: 1,
            held: 1,
            ..Replayed::default()
        }
    );
    let out = String::from_utf8(home.out.clone())?;
    let lines = out.lines().collect::<Vec<_>>();
    assert!(
        lines[0].starts_with("enrolled at https://127.0.0.1:"),
        "{out}"
    );
    assert!(
        lines[1].starts_with("receipt  day 2026-11-22  payload "),
        "{out}"
    );
    assert!(
        home.told().starts_with("this collector is an exercise"),
        "{}",
        home.told()
    );
    let status = home.status()?;
    assert_eq!(status["enrolled"], true);
    assert_eq!(status["last_accepted"], "2026-11-23T00:00:00.000000Z");
    assert_eq!(
        (&status["devices"], &status["spool_batches"]),
        (&1.into(), &0.into())
    );
    assert_eq!(status["losses"], serde_json::json!({}));
    Ok(())
}

#[tokio::test]
async fn a_day_that_is_not_over_stays_at_home() -> anyhow::Result<()> {
    let desk = Desk::open(true).await?;
    desk.script(|script| script.manifest.purpose = Purpose::Observatory);
    let mut home = Home::willing(NOW.plus_seconds(60))?;
    let replayed = home.replay(&desk, true).await?;
    assert_eq!(replayed, Replayed::default());
    assert!(
        home.told().contains("2026-11-23 is not over yet"),
        "{}",
        home.told()
    );
    Ok(())
}

#[tokio::test]
async fn a_refusal_is_told_counted_and_a_finding() -> anyhow::Result<()> {
    let desk = Desk::open(true).await?;
    let mut home = Home::willing(yesterday())?;
    home.enrol(&desk).await?;
    desk.script(|script| {
        script.answer = Box::new(|_, _| Some(Outcome::Refused(Reject::TooLate)));
    });
    let failure = home.replay(&desk, false).await.expect_err("it was refused");
    assert_eq!(failure.exit().code(), 1);
    assert!(
        home.told()
            .contains("the day's week is closed; it is deleted"),
        "{}",
        home.told()
    );
    let status = home.status()?;
    assert_eq!(status["losses"], serde_json::json!({"refused_too_late": 1}));
    assert_eq!(status["spool_batches"], 0);
    Ok(())
}

#[tokio::test]
async fn what_a_busy_collector_does_not_take_waits() -> anyhow::Result<()> {
    let desk = Desk::open(true).await?;
    let mut home = Home::willing(yesterday())?;
    home.replay(&desk, true).await?;
    // The rules are answered, the batches are not.
    desk.script(|script| script.busy_submits = vec![overloaded(9); 99].into());
    let failure = home.replay(&desk, false).await.expect_err("it was busy");
    assert_eq!(failure.exit().code(), 69);
    assert!(
        home.told().contains("batches that wait in the spool"),
        "{}",
        home.told()
    );
    let waiting = home.preview(&[])?;
    assert_eq!(
        (waiting.len(), home.status()?["spool_batches"].as_u64()),
        (1, Some(1))
    );
    desk.script(|script| script.busy_submits.clear());
    let request = Replay {
        files: Vec::new(),
        collector: desk.url("https"),
        invite: None,
    };
    let sent = replay(
        &mut home.environment,
        &request,
        &mut home.out,
        &mut home.err,
    )
    .await?;
    assert_eq!(
        sent,
        Replayed {
            held: 1,
            ..Replayed::default()
        }
    );
    Ok(())
}

#[tokio::test]
async fn another_collector_at_the_same_place_gets_nothing() -> anyhow::Result<()> {
    let desk = Desk::open(true).await?;
    let mut home = Home::willing(yesterday())?;
    home.replay(&desk, true).await?;
    let other = Invite {
        collector_key: SigningKey::from_seed(&[9; 32]).public(),
        ..invite(&desk)
    };
    let request = Replay {
        files: home.files(),
        collector: desk.url("https"),
        invite: Some(other.clone()),
    };
    let failure = replay(
        &mut home.environment,
        &request,
        &mut home.out,
        &mut home.err,
    )
    .await;
    assert_eq!(
        failure.map_err(|failure| failure.exit()),
        Err(Exit::BadConfig)
    );

    let mut fresh = Home::willing(yesterday())?;
    let request = Replay {
        files: fresh.files(),
        invite: Some(other),
        ..request
    };
    let failure = replay(
        &mut fresh.environment,
        &request,
        &mut fresh.out,
        &mut fresh.err,
    )
    .await;
    let failure = failure.expect_err("the key is another");
    assert_eq!(failure.exit().code(), 69);
    assert!(
        failure.to_string().contains("does not hold the key"),
        "{failure}"
    );
    assert_eq!(fresh.status()?["enrolled"], false);
    Ok(())
}

#[tokio::test]
async fn rules_older_than_those_seen_are_not_followed() -> anyhow::Result<()> {
    let desk = Desk::open(true).await?;
    let mut home = Home::willing(yesterday())?;
    home.replay(&desk, true).await?;
    desk.script(|script| script.manifest.serial = 6);
    let failure = home
        .replay(&desk, false)
        .await
        .expect_err("the serial fell");
    assert_eq!(failure.exit().code(), 69);
    assert!(
        failure
            .to_string()
            .contains("serial 6, after having shown 7"),
        "{failure}"
    );
    Ok(())
}

#[tokio::test]
async fn enrolling_again_changes_nothing() -> anyhow::Result<()> {
    let desk = Desk::open(true).await?;
    let mut home = Home::willing(yesterday())?;
    home.enrol(&desk).await?;
    let before = home.status()?;
    desk.script(|script| {
        script.answer = Box::new(|_, _| Some(Outcome::Refused(Reject::InvalidInvite)));
    });
    home.enrol(&desk).await?;
    assert_eq!(home.status()?, before);

    let mut late = Home::willing(yesterday())?;
    let refused = late.enrol(&desk).await.expect_err("the invite is spent");
    assert!(
        refused
            .to_string()
            .ends_with("the invite is wrong, spent or expired"),
        "{refused}"
    );
    assert_eq!(late.status()?["enrolled"], false);
    Ok(())
}

#[test]
fn without_decisions_a_preview_shows_what_every_phone_would_send() -> anyhow::Result<()> {
    let mut home = Home::new(yesterday())?;
    let files = home.files();
    let shown = home.preview(&files)?;
    assert_eq!(shown.len(), 1);
    assert_eq!(
        shown[0]["batch"]["observations"][0]["destination"],
        "161.117.71.0/24"
    );
    assert!(
        home.told().contains("if every phone were"),
        "{}",
        home.told()
    );
    // One that was denied is left out even here.
    let tag = home.phone()?;
    device_deny(&mut home.environment, tag, &mut home.out)?;
    assert!(home.preview(&files)?.is_empty());
    // And nothing of it went into the spool.
    assert!(home.preview(&[])?.is_empty());
    Ok(())
}

#[test]
fn no_row_and_no_batch_holds_an_address_of_the_home() -> anyhow::Result<()> {
    let mut home = Home::new(yesterday())?;
    let files = home.files();
    let shown = serde_json::to_string(&home.preview(&files)?)?;
    for secret in ["64cc2e010203", "64:cc:2e:01:02:03", "192.168.1", "c0a80114"] {
        assert!(!shown.contains(secret), "{secret}");
    }
    assert!(shown.contains("161.117.71.0/24"));
    Ok(())
}

#[test]
fn files_that_cannot_be_read_are_bad_input() -> anyhow::Result<()> {
    let mut home = Home::new(yesterday())?;
    let missing = [PathBuf::from("/nowhere/x.pcap")];
    let (out, err) = (&mut home.out, &mut home.err);
    let format = inspect::Format::Table;
    let failure = devices::devices(&mut home.environment, &missing, format, out, err);
    assert_eq!(failure.map_err(|failure| failure.exit().code()), Err(65));
    // One that can be read is enough.
    let both = [missing[0].clone(), home.files()[0].clone()];
    let (out, err) = (&mut home.out, &mut home.err);
    devices::devices(&mut home.environment, &both, format, out, err)?;
    assert!(home.told().contains("/nowhere/x.pcap"), "{}", home.told());
    Ok(())
}

#[test]
fn a_reader_that_leaves_is_no_failure() -> anyhow::Result<()> {
    let mut home = Home::new(yesterday())?;
    let files = home.files();
    let left = [
        consent_show(&home.environment, &mut Gone).err(),
        status(&home.environment, Format::Json, &mut Gone).err(),
        preview(
            &mut home.environment,
            &files,
            Format::Json,
            &mut Gone,
            &mut home.err,
        )
        .err(),
        devices::devices(
            &mut home.environment,
            &files,
            inspect::Format::Jsonl,
            &mut Gone,
            &mut home.err,
        )
        .err(),
    ];
    for failure in left {
        assert_eq!(failure.map(|failure| failure.exit().code()), Some(0));
    }
    Ok(())
}

#[tokio::test]
async fn a_replay_goes_on_unread() -> anyhow::Result<()> {
    let desk = Desk::open(true).await?;
    let mut home = Home::willing(yesterday())?;
    let (files, collector) = (home.files(), desk.url("https"));
    let request = Replay {
        files,
        collector,
        invite: Some(invite(&desk)),
    };
    let sent = replay(&mut home.environment, &request, &mut Gone, &mut Gone).await?;
    assert_eq!(
        (sent.held, home.status()?["spool_batches"].as_u64()),
        (1, Some(0))
    );
    Ok(())
}

#[test]
fn looking_makes_no_state() -> anyhow::Result<()> {
    let home = Home::new(yesterday())?;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    home.status()?;
    consent_show(&home.environment, &mut out)?;
    device_list(&home.environment, &mut out, &mut err)?;
    assert!(!Path::new(home.environment.state.as_ref()).exists());
    Ok(())
}

/// A reader that has left.
struct Gone;
impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A home may run on any runtime, one thread or many.
#[test]
fn commands_can_be_sent_to_another_thread() {
    fn is_send<T: Send>(_: &T) {}
    fn check(environment: &mut Environment, request: &Replay, invite: &Invite) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        is_send(&replay(environment, request, &mut out, &mut err));
        is_send(&enrol(environment, invite, None, &mut out, &mut err));
    }
    let _ = check;
}
