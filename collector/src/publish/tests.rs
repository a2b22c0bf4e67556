mod agreement;
mod attack;
mod solved;
mod worlds;

use super::*;
use crate::format::fixture;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A file smaller than this has every byte flipped; larger ones a thousand.
const SMALL_BYTES: usize = 1_500;
const FLIPS: usize = 1_000;
/// Files on the list of a folder.
const FILES: usize = 36;

fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32])
}

/// A published folder in a folder of its own.
fn published() -> (TempDir, PathBuf) {
    let out = tempfile::tempdir().expect("a folder");
    let outcome = publish(&[fixture::release()], out.path(), &key()).expect("published");
    assert_eq!(outcome.written.len(), 1);
    let folder = out.path().join("2026-W46.0");
    (out, folder)
}

/// A release's files, published alone.
fn signed(release: &Release) -> Vec<File> {
    let mut log = Log::new(&key().public());
    log.add(release);
    signed_files(release, &log, &key())
}

/// What [`published`] wrote.
fn made() -> Vec<File> {
    signed(&fixture::release())
}

fn refusal(folder: &Path) -> Refusal {
    match verify(folder, None) {
        Err(VerifyError::Refused { reason, .. }) => reason,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_folder_holds_the_files_of_the_contract() {
    let (_out, folder) = published();
    let mut names: Vec<String> = fs::read_dir(&folder)
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    assert_eq!(
        names.join(" "),
        "CITATION.cff METHOD.md README.md SHA256SUMS SHA256SUMS.sig collector.pub datapackage.json \
         dataset.jsonld endpoints.csv endpoints.json endpoints.parquet index.html map-network.pdf \
         map-network.png map-network.svg map-owner.pdf map-owner.png map-owner.svg map.pdf map.png map.svg \
         matrix-home.csv matrix-home.json matrix-home.parquet matrix-network.csv matrix-network.geojson \
         matrix-network.json matrix-network.parquet matrix-owner.csv matrix-owner.geojson \
         matrix-owner.json matrix-owner.parquet matrix-server.csv matrix-server.geojson \
         matrix-server.json matrix-server.parquet release.json releases.txt"
    );
    let text = |name| fs::read_to_string(folder.join(name)).expect("a file");
    assert_eq!(text(PUBLIC_KEY), to_hex(key().public().as_bytes()));
    assert_eq!(
        (text(SIGNATURE).len(), text(SIGNATURE).ends_with('\n')),
        (129, true)
    );
    let sums = text(SUMS);
    assert_eq!(sums.lines().count(), FILES);
    assert!(sums.lines().map(|line| &line[66..]).is_sorted());
}

#[test]
fn publishing_twice_changes_nothing() {
    let (out, folder) = published();
    let release = fixture::release();
    assert_eq!(signed(&release), signed(&release.clone()));
    let before = fs::metadata(folder.join(SUMS))
        .expect("a file")
        .modified()
        .expect("a time");
    let again = publish(std::slice::from_ref(&release), out.path(), &key()).expect("published");
    assert_eq!((again.unchanged.len(), again.is_finding()), (1, false));
    let after = fs::metadata(folder.join(SUMS))
        .expect("a file")
        .modified()
        .expect("a time");
    assert_eq!(before, after, "nothing was written");

    fs::write(folder.join("map.svg"), "other").expect("written");
    let differing = publish(&[release], out.path(), &key()).expect("published");
    assert_eq!(
        (differing.differing.len(), differing.is_finding()),
        (1, true)
    );
    assert_eq!(
        fs::read(folder.join("map.svg")).expect("a file"),
        b"other",
        "and nothing overwritten"
    );
    assert!(
        publish(&[], out.path(), &key())
            .expect("nothing to do")
            .is_finding()
    );
}

#[test]
fn an_interrupted_run_leaves_nothing_behind() {
    let out = tempfile::tempdir().expect("a folder");
    let draft = out.path().join(".2026-W46.0.draft");
    fs::create_dir(&draft).expect("created");
    fs::write(draft.join("half"), "a file").expect("written");
    publish(&[fixture::release()], out.path(), &key()).expect("published");
    assert!(!draft.exists());
    verify(out.path(), None).expect("release folders only");
    // A place that cannot be written is one sentence, and no draft.
    let blocked = out.path().join("file");
    fs::write(&blocked, "").expect("written");
    let error = publish(&[fixture::release()], &blocked, &key()).expect_err("not a folder");
    assert!(error.to_string().starts_with("cannot write '"), "{error}");
}

#[test]
fn a_whole_folder_passes_and_says_whose_it_is() {
    let (out, folder) = published();
    for place in [out.path(), &folder] {
        let report = verify(place, None).expect("whole");
        assert_eq!(report.releases[0].origin, Origin::Unproven);
        assert_eq!(report.releases[0].files, FILES);
        assert!(report.to_string().contains("origin: unproven"));
        assert!(report.to_string().contains(&fingerprint(&key().public())));
        let known = verify(place, Some(&key().public())).expect("whole");
        assert_eq!(known.releases[0].origin, Origin::Proven);
    }
    let other = SigningKey::from_seed(&[8; 32]).public();
    let refused = verify(&folder, Some(&other)).expect_err("another key");
    assert!(
        refused.to_string().contains("signed by another key"),
        "{refused}"
    );
    assert_eq!(fingerprint(&key().public()).split(' ').count(), 16);
}

/// Puts other sums into a folder, signed by its maker.
fn resign(folder: &Path, sums: &str) {
    fs::write(folder.join(SUMS), sums).expect("written");
    let signature = to_hex(&key().sign(PayloadType::Release, sums.as_bytes())) + "\n";
    fs::write(folder.join(SIGNATURE), signature).expect("written");
}

#[test]
fn a_history_signed_by_its_own_maker_must_still_follow() {
    let first = fixture::release();
    let later = Release {
        id: "2026-W47.0".parse().expect("a release"),
        ..fixture::release()
    };
    let out = tempfile::tempdir().expect("a folder");
    let all = [first.clone(), later.clone()];
    for release in &all {
        let tables = TableName::ALL.map(|name| {
            let table = csv::write(&Table::of(release, name));
            text(&format!("{}.csv", name.file_stem()), table)
        });
        let mut made = vec![text("release.json", json::to_json(release))];
        made.extend(tables);
        let log = Log::up_to(release.id, &all, &key().public());
        let folder = out.path().join(release.id.to_string());
        fs::create_dir(&folder).expect("created");
        for (name, bytes) in sealed(made, &log, &key()) {
            fs::write(folder.join(name), bytes).expect("written");
        }
    }
    let folder = out.path().join(later.id.to_string());
    let read = |name| fs::read_to_string(folder.join(name)).expect("a text");
    let (log, sums) = (read(LOG), read(SUMS));
    let put = |change: &dyn Fn(&str) -> String| {
        let changed = change(&log);
        let [was, is] = [&log, &changed].map(|text| Hash::of(text.as_bytes()).to_hex());
        fs::write(folder.join(LOG), changed).expect("written");
        resign(&folder, &sums.replace(&was, &is));
        verify(out.path(), Some(&key().public()))
    };
    put(&|log| log.to_owned()).expect("a history");
    let swapped = |log: &str| {
        let lines: Vec<&str> = log.lines().collect();
        format!("{}\n{}\n{}\n", lines[0], lines[2], lines[1])
    };
    // Well formed, and as if the first had never been.
    let alone =
        |_: &str| Log::up_to(later.id, std::slice::from_ref(&later), &key().public()).write();
    let refused = |log: &dyn Fn(&str) -> String| match put(log) {
        Err(VerifyError::Refused { reason, .. }) => reason,
        other => panic!("not refused: {other:?}"),
    };
    assert_eq!(refused(&swapped), Refusal::OtherLog);
    assert_eq!(refused(&alone), Refusal::OtherHistory(first.id));
    assert_eq!(refused(&|_| String::new()), Refusal::OtherLog);
}

/// A folder without its pictures and outlines, which are checked like all others and take long to read.
fn light() -> (TempDir, PathBuf, Vec<File>) {
    let release = fixture::release();
    let heavy = [".png", ".pdf", ".geojson", "-network.svg", "-owner.svg"];
    let mut all = files(&release);
    all.retain(|(name, _)| !heavy.iter().any(|ending| name.ends_with(ending)));
    let mut log = Log::new(&key().public());
    log.add(&release);
    let made = sealed(all, &log, &key());
    let out = tempfile::tempdir().expect("a folder");
    let folder = out.path().join("2026-W46.0");
    fs::create_dir(&folder).expect("created");
    for (name, bytes) in &made {
        fs::write(folder.join(name), bytes).expect("written");
    }
    (out, folder, made)
}

#[test]
fn any_changed_byte_is_found() {
    let (_out, folder, files) = light();
    // A seeded walk: the same bytes every run.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits")
    };
    // The large files share the thousand flips by their size.
    let large: usize = files
        .iter()
        .map(|(_, b)| b.len())
        .filter(|len| *len >= SMALL_BYTES)
        .sum();
    let mut flips = 0;
    for (name, bytes) in files {
        let path = folder.join(&name);
        let places: Vec<usize> = if bytes.len() < SMALL_BYTES {
            (0..bytes.len()).collect()
        } else {
            (0..=FLIPS * bytes.len() / large)
                .map(|_| next() % bytes.len())
                .collect()
        };
        for at in places {
            let mut changed = bytes.clone();
            // Bit 5 turns the case of a letter: the spelling that hex digits could hide in.
            changed[at] ^= if at % 2 == 0 { 0x20 } else { 1 << (next() % 8) };
            fs::write(&path, changed).expect("written");
            let reason = refusal(&folder);
            assert!(
                !matches!(reason, Refusal::Missing(_)),
                "{name} byte {at}: {reason}"
            );
            flips += 1;
        }
        for changed in [&bytes[1..], &[&bytes[..], b"\n"].concat()[..], b""] {
            fs::write(&path, changed).expect("written");
            refusal(&folder);
        }
        fs::write(&path, bytes).expect("written");
    }
    verify(&folder, None).expect("whole again");
    assert!(flips > 1_000 + 1_300, "{flips} flips");
}

#[test]
fn added_missing_and_linked_files_are_found() {
    let (out, folder) = published();
    fs::write(folder.join("notes.txt"), "hello").expect("written");
    assert_eq!(refusal(&folder), Refusal::Unlisted("notes.txt".to_owned()));
    fs::remove_file(folder.join("notes.txt")).expect("removed");
    fs::create_dir(folder.join("more")).expect("created");
    assert_eq!(refusal(&folder), Refusal::NotAFile("more".to_owned()));
    fs::remove_dir(folder.join("more")).expect("removed");

    for (name, bytes) in made() {
        let path = folder.join(&name);
        fs::remove_file(&path).expect("removed");
        assert_eq!(refusal(&folder), Refusal::Missing(name.clone()));
        fs::write(&path, bytes).expect("written");
    }
    fs::write(out.path().join("index.html"), "hello").expect("written");
    assert_eq!(
        refusal(out.path()),
        Refusal::NotARelease("index.html".to_owned())
    );
    fs::remove_file(out.path().join("index.html")).expect("removed");
    verify(out.path(), None).expect("whole again");
}

#[cfg(unix)]
#[test]
fn links_are_found() {
    let (out, folder) = published();
    for (name, bytes) in made() {
        let (path, elsewhere) = (folder.join(&name), out.path().join("elsewhere"));
        fs::rename(&path, &elsewhere).expect("moved");
        std::os::unix::fs::symlink(&elsewhere, &path).expect("linked");
        assert_eq!(refusal(&folder), Refusal::Linked(name.clone()));
        fs::remove_file(&path).expect("removed");
        fs::hard_link(&elsewhere, &path).expect("linked");
        assert_eq!(refusal(&folder), Refusal::Linked(name.clone()));
        fs::remove_file(&path).expect("removed");
        fs::remove_file(&elsewhere).expect("removed");
        fs::write(&path, bytes).expect("written");
    }
    verify(&folder, None).expect("whole again");
    let elsewhere = tempfile::tempdir().expect("a folder");
    fs::rename(&folder, elsewhere.path().join("moved")).expect("moved");
    std::os::unix::fs::symlink(elsewhere.path().join("moved"), &folder).expect("linked");
    assert_eq!(
        refusal(out.path()),
        Refusal::Linked("2026-W46.0".to_owned())
    );
}

#[test]
fn a_folder_cannot_pass_for_another_release() {
    let (out, folder) = published();
    fs::rename(&folder, out.path().join("2026-W47.0")).expect("renamed");
    let reason = refusal(out.path());
    assert_eq!(reason, Refusal::OtherRelease(fixture::release().id));
    assert_eq!(
        refusal(tempfile::tempdir().expect("a folder").path()),
        Refusal::Empty
    );
    let nowhere = verify(&out.path().join("nowhere"), None).expect_err("no folder");
    assert!(matches!(nowhere, VerifyError::Read { .. }));
}

#[test]
fn a_list_signed_by_its_own_maker_must_still_be_well_formed() {
    let (_out, folder) = published();
    let sums = fs::read_to_string(folder.join(SUMS)).expect("a file");
    let reversed: String = sums.lines().rev().map(|line| format!("{line}\n")).collect();
    let upward = sums.replace("  map.svg", "  ../map.svg");
    for malformed in [
        reversed,
        upward,
        sums.trim_end().to_owned(),
        sums.to_uppercase(),
    ] {
        resign(&folder, &malformed);
        assert_eq!(refusal(&folder), Refusal::MalformedSums);
    }
    let without_key: String = sums
        .lines()
        .filter(|l| !l.ends_with(PUBLIC_KEY))
        .map(|l| format!("{l}\n"))
        .collect();
    resign(&folder, &without_key);
    assert_eq!(refusal(&folder), Refusal::Unlisted(PUBLIC_KEY.to_owned()));
    resign(&folder, &sums);
    verify(&folder, None).expect("whole again");
}
