use super::*;
use crate::spool::Lost;
use crate::tally::Tally;
use crate::uplink::Refusal;
use phonehome_proto::batch::Loss;
use phonehome_proto::chance::SeededChance;
use phonehome_proto::reject::Reject;
use phonehome_proto::seal::{PayloadType, SigningKey};
use phonehome_proto::time::Timestamp;
use phonehome_proto::vendor::Vendor;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn fresh() -> anyhow::Result<(tempfile::TempDir, State)> {
    let folder = tempfile::tempdir()?;
    let state = State::at(folder.path().join("state"));
    Ok((folder, state))
}

#[test]
fn the_folder_is_where_the_specification_puts_it() {
    let home = |name: &str| (name == "HOME").then(|| "/home/me".into());
    let xdg = |name: &str| (name == "XDG_STATE_HOME").then(|| "/state".into());
    let relative = |name: &str| (name == "XDG_STATE_HOME").then(|| "state".into());
    let at = |found: Result<PathBuf, StateError>| found.ok().map(|path| path.display().to_string());
    assert_eq!(
        at(folder(Some("here".into()), home)).as_deref(),
        Some("here")
    );
    assert_eq!(at(folder(None, xdg)).as_deref(), Some("/state/phonehome"));
    assert_eq!(
        at(folder(None, home)).as_deref(),
        Some("/home/me/.local/state/phonehome")
    );
    assert!(matches!(folder(None, relative), Err(StateError::NoPlace)));
}

#[test]
fn a_folder_that_is_not_there_says_nothing_and_stays_away() -> anyhow::Result<()> {
    let (_folder, state) = fresh()?;
    assert!(state.home_key()?.is_none() && state.consent()?.is_none());
    assert!(state.enrolled()?.is_none() && state.manifest()?.is_none());
    assert!(!state.sending()?);
    assert_eq!(state.devices()?, DeviceList::default());
    assert_eq!(state.ledger()?, Ledger::default());
    assert!(!state.as_ref().exists());
    Ok(())
}

#[test]
fn what_is_kept_is_read_again() -> anyhow::Result<()> {
    let (_folder, state) = fresh()?;
    let claim = state.claim()?;
    let keys = claim.keys(&mut SeededChance::new(1))?;
    let sealed = SealedBatch::seal(PayloadType::Consent, vec![10, 0, 255], &keys.home);
    claim.set_consent(&sealed)?;
    claim.set_manifest(&sealed)?;
    claim.set_sending(true)?;
    let enrolled = Enrolled {
        url: "https://[2001:db8::1]:4317".parse()?,
        collector: SigningKey::from_seed(&[2; 32]).public(),
        receipt: sealed.clone(),
    };
    claim.set_enrolled(&enrolled)?;
    let mut devices = DeviceList::default();
    let (mine, theirs) = (
        "0123abcd".parse().expect("a tag"),
        "ffffffff".parse().expect("a tag"),
    );
    let vendor = Vendor::from_id("xiaomi");
    devices.set(
        mine,
        Decision::Allowed {
            name: "Ana's \"phone\"".parse()?,
            vendor,
        },
    )?;
    devices.set(theirs, Decision::Denied)?;
    claim.set_devices(&devices)?;
    let mut ledger = Ledger::default();
    ledger.accepted = 3;
    ledger.last_accepted = Some(Timestamp::from_seconds(1_795_392_000));
    ledger.add(Gone::Refused(Refusal::Known(Reject::TooLate)), 2);
    ledger.add(Gone::Missed(Loss::ShedFlows), 0);
    let mut lost = Tally::new();
    lost.add(Lost::Full, 4);
    ledger.add_spool(&lost);
    claim.set_ledger(&ledger)?;

    assert_eq!(
        state.home_key()?.map(|key| key.public()),
        Some(keys.home.public())
    );
    assert_eq!(state.consent()?, Some(sealed.clone()));
    assert_eq!(state.manifest()?, Some(sealed.clone()));
    assert!(state.sending()?);
    let again = state.enrolled()?.expect("just kept");
    assert_eq!(
        (again.url, again.collector, again.receipt),
        (enrolled.url, enrolled.collector, sealed)
    );
    assert_eq!(state.devices()?, devices);
    assert_eq!(
        state.devices()?.allowed().collect::<Vec<_>>(),
        [(mine, vendor)]
    );
    let mut again = state.ledger()?;
    assert_eq!(again, ledger);
    assert_eq!(
        format!("{:?}", again.losses()),
        r#"{"refused_too_late": 2, "spool_full": 4}"#
    );
    assert_eq!(again.dropped_unreported(), 4);
    again.dropped_reported();
    assert_eq!(again.dropped_unreported(), 0);
    Ok(())
}

#[test]
fn only_its_owner_reads_it() -> anyhow::Result<()> {
    let (_folder, state) = fresh()?;
    state.keys(&mut SeededChance::new(1))?;
    let mode = |path: &Path| fs::metadata(path).map(|meta| meta.permissions().mode() & 0o777);
    assert_eq!(mode(state.as_ref())?, 0o700);
    for entry in fs::read_dir(&state)? {
        assert_eq!(mode(&entry?.path())?, 0o600);
    }
    Ok(())
}

#[test]
fn the_keys_are_made_once() -> anyhow::Result<()> {
    let (_folder, state) = fresh()?;
    let first = state.keys(&mut SeededChance::new(1))?;
    let again = state.keys(&mut SeededChance::new(2))?;
    assert_eq!(first.home.public(), again.home.public());
    assert_eq!(first.local.as_bytes(), again.local.as_bytes());
    assert_ne!(&*first.home.seed(), first.local.as_bytes());
    // A secret that went missing is made anew; the key stays.
    fs::remove_file(state.path("local.secret"))?;
    let new = state.keys(&mut SeededChance::new(3))?;
    assert_eq!(first.home.public(), new.home.public());
    assert_ne!(first.local.as_bytes(), new.local.as_bytes());
    Ok(())
}

#[test]
fn two_agents_do_not_share_a_state() -> anyhow::Result<()> {
    let (_folder, state) = fresh()?;
    let claim = state.claim()?;
    assert!(matches!(state.claim(), Err(StateError::InUse(_))));
    drop(claim);
    state.claim()?;
    Ok(())
}

#[test]
fn damage_is_named_with_its_file_and_line() -> anyhow::Result<()> {
    let (_folder, state) = fresh()?;
    state.claim()?.keys(&mut SeededChance::new(1))?;
    let break_file = |name: &str, text: &str| fs::write(state.path(name), text);
    break_file("sending", "maybe\n")?;
    break_file(
        "devices.json",
        "[\n  {\"tag\": \"0123abcd\", \"allowed\": 7}\n]\n",
    )?;
    break_file("ledger.json", "{\n\"accepted\": 1,\n")?;
    break_file("collector.json", "{\"url\": \"gopher\"}")?;
    break_file("consent", "phonehome sealed 1\nx\nsecret-looking text\n")?;
    break_file("home.key", "secret-looking text\n")?;
    let sentences = [
        state.sending().map(|_| ()),
        state.devices().map(|_| ()),
        state.ledger().map(|_| ()),
        state.enrolled().map(|_| ()),
        state.consent().map(|_| ()),
        state.home_key().map(|_| ()),
    ]
    .map(|read| {
        read.err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    });
    for (sentence, (name, line)) in sentences.iter().zip([
        ("sending", 1),
        ("devices.json", 2),
        ("ledger.json", 3),
        ("collector.json", 1),
        ("consent", 3),
        ("home.key", 1),
    ]) {
        let place = format!("{} is damaged at line {line}:", state.path(name).display());
        assert!(sentence.starts_with(&place), "{sentence}");
        assert!(!sentence.contains("secret-looking"), "{sentence}");
    }
    Ok(())
}

#[test]
fn names_of_devices_are_short_and_printable() {
    assert!("Ana's phone".parse::<DeviceName>().is_ok());
    for wrong in ["", "  ", "a\u{1b}[31mb", &"x".repeat(65)] {
        assert_eq!(wrong.parse::<DeviceName>(), Err(NotADeviceName));
    }
}

#[test]
fn a_household_is_bounded() -> anyhow::Result<()> {
    let mut list = DeviceList::default();
    for n in 0..256_u32 {
        list.set(format!("{n:08x}").parse().expect("a tag"), Decision::Denied)?;
    }
    let one_more = "ffffffff".parse().expect("a tag");
    assert_eq!(list.set(one_more, Decision::Denied), Err(TooManyDevices));
    assert!(
        list.set("00000001".parse().expect("a tag"), Decision::Denied)
            .is_ok()
    );
    Ok(())
}
