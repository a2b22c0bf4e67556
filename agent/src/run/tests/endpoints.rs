//! Later endpoint lists, from the file to what is sent.

use super::home::{Home, yesterday};
use crate::endpoints::tests::{NEW, list, release_key, row, signed};
use crate::endpoints::{LISTS_MAX, Shelf};
use crate::run::endpoints::{Answer, forget, load, show};
use crate::run::{Exit, Failure};
use crate::uplink::tests::desk::Desk;
use phonehome_proto::batch::Batch;
use phonehome_proto::decode;
use phonehome_proto::encode;
use phonehome_proto::endpoint::later::LaterList;
use phonehome_proto::seal::{PayloadType, SealedBatch, SigningKey};
use std::io::Cursor;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tonic::Status;

/// What the phone in the capture asks for here: a host of its maker's that no list has, but [`later`].
const UNLISTED: &str = "aa.new.tele.miui.com";

/// With one endpoint more, and one less.
fn later(version: u32) -> LaterList {
    list(version, Some(2), vec![row(NEW, "*.new.tele.miui.com")])
}

impl Home {
    /// Every gate open but enrolment; its phone contacts what is not on the compiled-in list.
    fn unlisted() -> anyhow::Result<Self> {
        let home = Self::willing(yesterday())?;
        let path = &home.files()[0];
        let capture = std::fs::read(path)?;
        let listed = b"sa.api.intl.miui.com";
        let mut windows = capture.windows(listed.len());
        let at = windows.position(|window| window == listed);
        let at = at.expect("it asks for it");
        let capture = [
            &capture[..at],
            UNLISTED.as_bytes(),
            &capture[at + listed.len()..],
        ];
        std::fs::write(path, capture.concat())?;
        Ok(home)
    }

    fn file(&self, sealed: &SealedBatch) -> anyhow::Result<PathBuf> {
        let path = self.folder.path().join("list.bin");
        std::fs::write(&path, encode::envelope(sealed.clone()))?;
        Ok(path)
    }

    fn loads(&mut self, sealed: &SealedBatch, answer: Answer<'_>) -> Result<String, Failure> {
        let path = self.file(sealed).expect("the folder can be written");
        self.out.clear();
        load(&self.environment, &path, answer, &mut self.out)?;
        Ok(String::from_utf8_lossy(&self.out).into_owned())
    }

    fn loads_version(&mut self, version: u32) -> Result<String, Failure> {
        self.loads(&signed(&later(version), &release_key()), Answer::Yes)
    }

    fn forgets(&mut self) -> anyhow::Result<String> {
        self.out.clear();
        forget(&self.environment, &mut self.out)?;
        Ok(String::from_utf8(self.out.clone())?)
    }

    /// The list version, and the endpoints, of what the capture's one batch would tell.
    fn would_tell(&mut self) -> anyhow::Result<(u64, Vec<String>)> {
        let batches = self.preview(&self.files())?;
        let [batch] = &batches[..] else {
            panic!("one batch")
        };
        let batch = &batch["batch"];
        let observations = batch["observations"].as_array().expect("a list").iter();
        let endpoints =
            observations.map(|told| told["endpoint"].as_str().expect("a name").to_owned());
        let version = batch["endpoint_list_version"].as_u64();
        Ok((version.expect("a number"), endpoints.collect()))
    }
}

fn told(version: u64, endpoints: &[&str]) -> (u64, Vec<String>) {
    let endpoints = endpoints.iter().map(|&endpoint| endpoint.to_owned());
    (version, endpoints.collect())
}

#[test]
fn a_list_is_shown_agreed_to_used_and_forgotten() -> anyhow::Result<()> {
    let mut home = Home::unlisted()?;
    assert_eq!(home.would_tell()?, told(1, &[]));
    let sealed = signed(&later(2), &release_key());

    // Nobody said yes: what it changes is shown, and nothing is changed.
    let refusal = home
        .loads(&sealed, Answer::Nobody)
        .expect_err("nobody agreed");
    assert_eq!(refusal.exit(), Exit::Unavailable);
    let command = format!(
        "phonehome-agent endpoints load {} --yes",
        home.file(&sealed)?.display()
    );
    assert!(refusal.to_string().ends_with(&command), "{refusal}");
    let shown = String::from_utf8(home.out.clone())?;
    assert!(
        shown.contains("against version 1: 1 added, 1 removed, 0 changed"),
        "{shown}"
    );
    let has_row = |words: &[&str]| {
        let mut lines = shown
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        lines.any(|line| line == words)
    };
    assert!(
        has_row(&["added", "*.new.tele.miui.com", "xiaomi", "telemetry"]),
        "{shown}"
    );
    assert!(
        has_row(&["removed", "data.mistat.xiaomi.com", "xiaomi", "telemetry"]),
        "{shown}"
    );
    for answer in ["\n", "no\n", "", "yes please\n"] {
        let mut input = Cursor::new(answer);
        assert!(
            home.loads(&sealed, Answer::Ask(&mut input)).is_err(),
            "{answer}"
        );
    }
    assert_eq!(home.would_tell()?, told(1, &[]));
    assert_eq!(home.status()?["endpoint_list"], 1);

    let mut input = Cursor::new("y\n");
    let said = home.loads(&sealed, Answer::Ask(&mut input))?;
    assert!(
        said.ends_with("endpoint list version 2 is loaded\n"),
        "{said}"
    );
    assert_eq!(home.would_tell()?, told(2, &["*.new.tele.miui.com"]));
    let status = home.status()?;
    assert_eq!(
        (&status["endpoint_list"], &status["endpoint_list_loaded"]),
        (&2.into(), &true.into())
    );
    assert_eq!(status["endpoint_list_trouble"], serde_json::Value::Null);
    let mut out = Vec::new();
    show(&home.environment, &mut out, &mut home.err)?;
    let out = String::from_utf8(out)?;
    assert!(out.starts_with("endpoint list version 2, "), "{out}");
    assert!(
        out.contains(" made on 2026-11-23, loaded by you, signed with "),
        "{out}"
    );
    assert!(out.contains("*.new.tele.miui.com"), "{out}");
    let again = home.loads_version(2)?;
    assert_eq!(again, "endpoint list version 2 is in use already\n");

    let said = home.forgets()?;
    assert!(said.starts_with("the loaded list is forgotten; "), "{said}");
    assert_eq!(home.would_tell()?, told(1, &[]));
    assert_eq!(home.status()?["endpoint_list_loaded"], false);
    assert!(home.forgets()?.starts_with("no list is loaded; "));
    Ok(())
}

#[test]
fn what_cannot_be_loaded_is_refused_in_one_sentence() -> anyhow::Result<()> {
    let mut home = Home::unlisted()?;
    let mut refused = |sealed: &SealedBatch, exit: Exit, why: &str| {
        let failure = home.loads(sealed, Answer::Yes).expect_err(why);
        assert_eq!(failure.exit(), exit, "{failure}");
        assert!(failure.to_string().contains(why), "{failure}");
        assert!(home.out.is_empty(), "nothing is shown of it");
    };
    let bad = Exit::BadInput;
    let key = release_key();
    let sealed = signed(&later(2), &key);
    let collector = SigningKey::from_seed(&[0x22; 32]);
    refused(
        &signed(&later(2), &collector),
        bad,
        "not signed with a release key",
    );
    let mut changed = sealed.clone();
    changed.payload[3] ^= 1;
    refused(&changed, bad, "not what the release key signed");
    let batch = SealedBatch::seal(PayloadType::Batch, sealed.payload.clone(), &key);
    refused(&batch, bad, "no endpoint list");
    refused(
        &signed(&later(1), &key),
        bad,
        "its version, 1, is not above 1",
    );
    let reused = list(2, Some(1), vec![]);
    let rows = [vec![row(1, "other.miui.com")], reused.rows().to_vec()].concat();
    let reused = LaterList::new(2, reused.made(), rows, &|_| false)?;
    refused(&signed(&reused, &key), bad, "ids are never used again");

    // Nor a list that is older than the loaded one, or contradicts it, be it forgotten since.
    home.loads_version(5)?;
    let failure = home.loads_version(4).expect_err("it is older");
    assert!(failure.to_string().contains("is not above 5"), "{failure}");
    home.forgets()?;
    let other = list(6, None, vec![row(NEW, "other.miui.com")]);
    let failure = home
        .loads(&signed(&other, &key), Answer::Yes)
        .expect_err("it contradicts");
    assert!(
        failure.to_string().contains(&format!("endpoint {NEW} is")),
        "{failure}"
    );
    // What was only forgotten can be had again.
    home.loads_version(4)?;

    for (bytes, why) in [
        (None, "no such file"),
        (Some(vec![0xff; 64]), "no sealed endpoint list"),
    ] {
        let path = home.folder.path().join("other.bin");
        if let Some(bytes) = bytes {
            std::fs::write(&path, bytes)?;
        }
        let failure = load(&home.environment, &path, Answer::Yes, &mut home.out).expect_err(why);
        assert_eq!(failure.exit(), bad);
        assert!(failure.to_string().contains(why), "{failure}");
    }
    Ok(())
}

/// Before the first tagged release nobody can sign a list.
#[test]
fn an_agent_that_knows_no_key_takes_no_list() -> anyhow::Result<()> {
    let mut home = Home::unlisted()?;
    home.loads_version(2)?;
    home.environment.shelf = Shelf::new(Vec::new());
    let failure = home
        .loads_version(3)
        .expect_err("nobody can have signed it");
    assert_eq!(failure.exit(), Exit::Unavailable);
    assert!(
        failure.to_string().contains("knows no release key yet"),
        "{failure}"
    );
    // And goes by its own, whatever lies in the state folder.
    assert_eq!(home.would_tell()?, told(1, &[]));
    let trouble = home.status()?["endpoint_list_trouble"].to_string();
    assert!(
        trouble.contains("the loaded list is not used: this agent knows no release key"),
        "{trouble}"
    );
    Ok(())
}

#[test]
fn a_list_that_was_damaged_is_not_used_and_stops_nothing() -> anyhow::Result<()> {
    let mut home = Home::unlisted()?;
    home.loads_version(2)?;
    let path = home.folder.path().join("state/endpoints");
    let sound = std::fs::read(&path)?;
    let mut altered = sound.clone();
    let at = altered.len() - 1;
    altered[at] ^= 1;
    let cut = sound[..100].to_vec();
    for (bytes, why) in [
        (altered, "not what the release key signed"),
        (cut, "is damaged at line"),
    ] {
        std::fs::write(&path, bytes)?;
        assert_eq!(home.would_tell()?, told(1, &[]));
        let trouble = home.status()?["endpoint_list_trouble"].to_string();
        assert!(
            trouble.contains("the loaded list is not used: ") && trouble.contains(why),
            "{trouble}"
        );
    }
    // A sound one mends it.
    home.loads_version(2)?;
    assert_eq!(home.would_tell()?, told(2, &["*.new.tele.miui.com"]));
    Ok(())
}

/// What the collector took, read by the list it was made by.
fn taken(sent: &[SealedBatch], home: &Home) -> Vec<Batch> {
    let later = home
        .environment
        .shelf
        .open(&signed(&later(2), &release_key()));
    let later = later.expect("it was opened before").list;
    let batches = sent
        .iter()
        .filter(|sent| sent.payload_type == PayloadType::Batch.as_str());
    let read = |sent: &SealedBatch| decode::batch_by(&sent.payload, &|number| later.get(number));
    batches.map(|sent| read(sent).expect("a batch")).collect()
}

#[tokio::test]
async fn a_home_goes_by_a_list_that_its_collector_counts() -> anyhow::Result<()> {
    let desk = Desk::open(true).await?;
    let sent = Arc::new(Mutex::new(Vec::new()));
    desk.script(|script| {
        let sent = Arc::clone(&sent);
        script.manifest.endpoint_list_versions = vec![1, 2];
        script.answer = Box::new(move |sealed, outcome| {
            sent.lock().expect("unpoisoned").push(sealed.clone());
            Some(outcome)
        });
    });
    let mut home = Home::unlisted()?;
    home.loads_version(2)?;
    home.replay(&desk, true).await?;
    let counts = |desk: &Desk, versions: &[u32]| {
        desk.script(|script| {
            script.manifest.endpoint_list_versions = versions.to_vec();
            script.manifest.serial += 1;
        });
    };
    counts(&desk, &[1]);
    home.replay(&desk, false).await?;
    let trouble = home.status()?["endpoint_list_trouble"].to_string();
    assert!(
        trouble.contains("because your collector does not count it"),
        "{trouble}"
    );
    assert_eq!(home.would_tell()?, told(1, &[]));
    // One that counts the loaded list alone is no reason to update the agent.
    counts(&desk, &[2, 3]);
    home.replay(&desk, false).await?;
    assert_eq!(home.status()?["endpoint_list"], 2);
    counts(&desk, &[3]);
    let failure = home
        .replay(&desk, false)
        .await
        .expect_err("it counts neither");
    assert!(
        failure.to_string().contains("update the agent"),
        "{failure}"
    );

    let taken = taken(&sent.lock().expect("unpoisoned"), &home);
    let said: Vec<_> = taken
        .iter()
        .map(|batch| {
            let endpoints = batch
                .observations()
                .iter()
                .map(|told| told.key().endpoint.number());
            (
                batch.header().endpoint_list_version,
                endpoints.collect::<Vec<_>>(),
            )
        })
        .collect();
    assert_eq!(said, [(2, vec![NEW]), (1, vec![]), (2, vec![NEW])]);
    Ok(())
}

#[tokio::test]
async fn what_waits_is_shown_and_stays_at_home_when_its_list_is_forgotten() -> anyhow::Result<()> {
    let desk = Desk::open(true).await?;
    desk.script(|script| script.manifest.endpoint_list_versions = vec![1, 2]);
    let mut home = Home::unlisted()?;
    home.enrol(&desk).await?;
    home.loads_version(2)?;
    let away = (0..5).map(|_| Status::unavailable("away"));
    desk.script(|script| script.busy_submits = away.collect());
    assert!(home.replay(&desk, false).await.is_err());
    // Another list that has it too takes nothing back.
    home.loads_version(3)?;
    assert_eq!(home.status()?["spool_batches"], 1);
    // In another process: nothing is remembered but what stands in the folder.
    home.environment.shelf = crate::endpoints::tests::shelf();
    let waiting = home.preview(&[])?;
    let [batch] = &waiting[..] else {
        panic!("one batch waits")
    };
    assert_eq!(batch["batch"]["endpoint_list_version"], 2);
    assert_eq!(
        batch["batch"]["observations"][0]["endpoint"],
        "*.new.tele.miui.com"
    );

    let said = home.forgets()?;
    assert!(said.ends_with("stay at home: 1\n"), "{said}");
    let status = home.status()?;
    assert_eq!(
        (
            &status["spool_batches"],
            &status["losses"]["spool_unlisted"]
        ),
        (&0.into(), &1.into())
    );
    Ok(())
}

#[test]
fn a_process_opens_a_bounded_number_of_lists() -> anyhow::Result<()> {
    let mut home = Home::unlisted()?;
    let last = u32::try_from(LISTS_MAX)? + 2;
    for version in 2..last {
        home.loads_version(version)?;
    }
    let failure = home.loads_version(last).expect_err("there is no room");
    assert_eq!(failure.exit(), Exit::Unavailable);
    // What is in use stays in use.
    assert_eq!(home.status()?["endpoint_list"], last - 1);
    Ok(())
}
