//! Joining with an invite for everybody, and being told that one is out.

use super::home::{Home, invite, yesterday};
use crate::run::enrol::enrol;
use crate::run::withdraw::withdraw;
use crate::uplink::tests::desk::Desk;
use phonehome_proto::enrolment::Invite;
use phonehome_proto::manifest::EnrolmentMode;
use phonehome_proto::reject::Reject;
use phonehome_proto::status::Outcome;

/// Asks a collector in this mode with the invite for everybody; what the household reads.
async fn ask(home: &mut Home, desk: &Desk, mode: EnrolmentMode) -> anyhow::Result<String> {
    desk.script(|script| script.manifest.enrolment = mode);
    let invite = Invite {
        token: None,
        ..invite(desk)
    };
    let (out, err) = (&mut home.out, &mut home.err);
    enrol(&mut home.environment, &invite, None, out, err).await?;
    Ok(String::from_utf8(std::mem::take(&mut home.out))?)
}

#[tokio::test]
async fn a_household_reads_what_joining_without_an_invite_means() -> anyhow::Result<()> {
    let desk = Desk::open(true).await?;
    let mut home = Home::willing(yesterday())?;
    let refused = ask(&mut home, &desk, EnrolmentMode::Invite).await;
    let refused = refused.expect_err("nobody comes in so").to_string();
    assert!(
        refused.contains("without an invite of their own"),
        "{refused}"
    );
    assert_eq!(home.status()?["enrolled"], false);

    let said = ask(&mut home, &desk, EnrolmentMode::Approval).await?;
    assert!(
        said.contains("until the collector's operator approves it"),
        "{said}"
    );
    assert!(said.contains("after 60 days"), "{said}");
    assert_eq!(home.status()?["enrolled"], true);

    let mut home = Home::willing(yesterday())?;
    let said = ask(&mut home, &desk, EnrolmentMode::Open).await?;
    assert!(
        said.contains("its first 7 days is held and counts in nothing"),
        "{said}"
    );
    // An invite of its own needs no such words.
    let mut home = Home::willing(yesterday())?;
    home.enrol(&desk).await?;
    assert!(home.out.starts_with(b"enrolled at"));
    Ok(())
}

#[tokio::test]
async fn who_was_taken_out_is_told_so_and_can_end_it_here() -> anyhow::Result<()> {
    let desk = Desk::open(true).await?;
    let mut home = Home::willing(yesterday())?;
    home.enrol(&desk).await?;
    home.out.clear();
    desk.script(|script| {
        script.answer = Box::new(|_, _| Some(Outcome::Refused(Reject::Revoked)));
    });
    withdraw(&mut home.environment, None, &mut home.out).await?;
    let said = String::from_utf8(home.out.clone())?;
    assert!(said.contains("had taken this home out"), "{said}");
    assert_eq!(home.status()?["key"], serde_json::Value::Null);
    Ok(())
}
