//! The program as people meet it: its help, its exit codes, its one clear sentence.

#[allow(unreachable_pub, reason = "the tests' crate offers it")]
#[path = "../../tests/src/golden.rs"]
mod golden;
#[allow(unreachable_pub, reason = "the tests' crate offers it")]
#[path = "../../tests/src/help.rs"]
mod help;

use phonehome_proto::release_key;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn agent(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_phonehome-agent"))
        .args(arguments)
        .current_dir(folder)
        .env("XDG_STATE_HOME", folder)
        .output()
        .expect("the program was built for this test")
}

/// The last line it said on standard error.
fn last_words(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn help_is_what_was_agreed_on() {
    help::is_as_agreed(
        env!("CARGO_BIN_EXE_phonehome-agent"),
        "phonehome-agent",
        "agent/tests/help.txt",
    );
}

#[test]
fn what_cannot_be_read_is_65_and_named() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("empty.pcap"), b"").expect("a file");
    fs::write(
        folder.path().join("letter.pcap"),
        b"Dear Sir or Madam, no capture.",
    )
    .expect("a file");
    for file in ["empty.pcap", "letter.pcap", "absent.pcap"] {
        for command in ["inspect", "devices", "preview"] {
            let output = agent(&[command, file], folder.path());
            assert_eq!(output.status.code(), Some(65), "{command} {file}");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains(file), "{command} {file}: {said}");
        }
    }
}

#[test]
fn a_shut_gate_is_69_and_says_what_opens_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let replay = ["replay", "any.pcap", "--collector", "https://127.0.0.1:9"];
    for (opens, command) in [
        (
            "phonehome-agent consent grant",
            &["consent", "grant", "--yes"][..],
        ),
        (
            "phonehome-agent device allow",
            &["device", "allow", "0a1b2c3d", "--name", "phone"],
        ),
        ("phonehome-agent send on", &["send", "on"]),
        ("phonehome-agent enrol", &[]),
    ] {
        let output = agent(&replay, folder.path());
        assert_eq!(output.status.code(), Some(69));
        assert!(
            last_words(&output).contains(opens),
            "{opens}: {}",
            last_words(&output)
        );
        if !command.is_empty() {
            assert!(
                agent(command, folder.path()).status.success(),
                "{command:?}"
            );
        }
    }
}

#[test]
fn setup_through_a_pipe_that_ends_is_69_and_records_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = agent(&["setup"], folder.path());
    assert_eq!(output.status.code(), Some(69));
    assert!(last_words(&output).contains("the answers ended"));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("1 of 4: what you agree to"), "{text}");
    assert!(!folder.path().join("phonehome").exists());
}

#[test]
fn wrong_arguments_are_2() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases: [&[&str]; 4] = [
        &["inspect"],
        &["enrol", "not an invite"],
        &["device", "allow", "xyz", "--name", "n"],
        &["fly"],
    ];
    for arguments in cases {
        assert_eq!(
            agent(arguments, folder.path()).status.code(),
            Some(2),
            "{arguments:?}"
        );
    }
}

/// Nothing that a person can type or set has the program believe a key that was not built into it.
#[test]
fn a_list_that_no_built_in_key_signed_is_not_loaded() {
    let folder = tempfile::tempdir().expect("a folder");
    let list = "../proto/golden/v1/sealed-endpoint-list.bin";
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join(list);
    let list = list.to_str().expect("a path in letters");
    let output = agent(&["endpoints", "load", list, "--yes"], folder.path());
    let (code, why) = if release_key::compiled_in().is_empty() {
        (69, "knows no release key yet")
    } else {
        (65, "not signed with a release key")
    };
    assert_eq!(output.status.code(), Some(code));
    assert!(last_words(&output).contains(why), "{}", last_words(&output));
    assert!(output.stdout.is_empty());
    assert!(!folder.path().join("phonehome").exists());

    let output = agent(&["endpoints", "show"], folder.path());
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("part of this agent"), "{said}");
    assert!(said.contains("sa.api.intl.miui.com"), "{said}");
}

/// What stands in the state folder.
fn files(state: &Path) -> Vec<String> {
    let entries = fs::read_dir(state).expect("the state folder is there");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        let name = entry.expect("an entry").file_name();
        name.to_string_lossy().into_owned()
    };
    let mut names: Vec<_> = entries.map(name).collect();
    names.sort();
    names
}

#[test]
fn a_home_that_no_collector_knows_changes_its_key_and_leaves_by_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("phonehome");
    assert!(
        agent(&["consent", "grant", "--yes"], folder.path())
            .status
            .success()
    );
    let key = |folder: &Path| agent(&["key", "show"], folder).stdout;
    let before = key(folder.path());
    let output = agent(&["key", "rotate"], folder.path());
    assert!(output.status.success(), "{}", last_words(&output));
    let after = key(folder.path());
    assert_ne!(before, after);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let shown = String::from_utf8_lossy(&after).into_owned();
    assert!(said.contains(shown.trim_end()), "{said}");
    let output = agent(&["consent", "show"], folder.path());
    assert!(String::from_utf8_lossy(&output.stdout).contains("given at"));

    for _ in 0..2 {
        let output = agent(&["consent", "withdraw"], folder.path());
        assert!(output.status.success(), "{}", last_words(&output));
        assert_eq!(files(&state), ["lock"]);
    }
}

#[test]
fn a_collector_out_of_reach_keeps_nobody_from_leaving() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("phonehome");
    assert!(
        agent(&["consent", "grant", "--yes"], folder.path())
            .status
            .success()
    );
    assert!(agent(&["send", "on"], folder.path()).status.success());
    // A collector that nobody answers for.
    let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let enrolled = format!(
        "{{\"url\": \"https://127.0.0.1:9\", \"key\": \"{key}\", \"receipt\": {{\"payload_type\": \"\", \
         \"payload\": \"\", \"public_key\": \"\", \"signature\": \"\"}}}}"
    );
    fs::write(state.join("collector.json"), enrolled).expect("writes");
    // A key is not left half changed.
    let output = agent(&["key", "rotate"], folder.path());
    assert_eq!(output.status.code(), Some(69));
    assert!(!files(&state).contains(&"home.key.next".to_owned()));

    for _ in 0..2 {
        let output = agent(&["consent", "withdraw"], folder.path());
        assert_eq!(output.status.code(), Some(69));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            said.contains("nothing is observed and nothing is sent"),
            "{said}"
        );
        let sentence = last_words(&output);
        assert!(sentence.contains("repeat the command"), "{sentence}");
        let files = files(&state);
        assert!(files.contains(&"withdrawal".to_owned()), "{files:?}");
        for gone in ["consent", "sending", "erasure"] {
            assert!(!files.contains(&gone.to_owned()), "{files:?}");
        }
    }
    // And nobody comes back by accident.
    let output = agent(&["consent", "grant", "--yes"], folder.path());
    assert_eq!(output.status.code(), Some(69));
}
