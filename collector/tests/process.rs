//! The program as people meet it: its help, its exit codes, its one clear sentence.

#[allow(unreachable_pub, reason = "the tests' crate offers it")]
#[path = "../../tests/src/golden.rs"]
mod golden;
#[allow(unreachable_pub, reason = "the tests' crate offers it")]
#[path = "../../tests/src/help.rs"]
mod help;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn collector(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_phonehome-collector"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the program was built for this test")
}

/// What it said on standard error, which must be one line.
fn sentence(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(text.trim_end().lines().count(), 1, "one sentence: {text}");
    assert!(
        output.stdout.is_empty(),
        "nothing else: {}",
        String::from_utf8_lossy(&output.stdout)
    );
    text.trim_end().to_owned()
}

fn write_config(folder: &Path, intake: &str, http: &str) -> PathBuf {
    let config = folder.join("collector.toml");
    let text = format!(
        "data_dir = 'data'\nkeys_dir = 'keys'\nidentity = 'identity.key'\n\n[intake]\nlisten = \
         '{intake}'\npublic_address = 'collector.example:4317'\n\n[http]\nlisten = '{http}'\n"
    );
    fs::write(&config, text).expect("a file");
    config
}

#[test]
fn help_is_what_was_agreed_on() {
    help::is_as_agreed(
        env!("CARGO_BIN_EXE_phonehome-collector"),
        "phonehome-collector",
        "collector/tests/help.txt",
    );
}

#[test]
fn a_bad_configuration_is_64_before_anything_is_opened() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = fs::read_to_string(write_config(folder.path(), "127.0.0.1:0", "")).expect("text");
    for (wrong, line) in [
        (
            good.replace("listen = '127.0.0.1:0'", "listen = 'somewhere'"),
            6,
        ),
        (good.replace("data_dir", "data_dirs"), 1),
        (
            good.replace("keys_dir = 'keys'", "keys_dir = 'data/keys'"),
            2,
        ),
        (good.replace("identity = 'identity.key'", "identity = 3"), 3),
        (good.replace("[intake]", "[intake"), 5),
    ] {
        assert_ne!(wrong, good, "the case is one");
        let config = folder.path().join("collector.toml");
        fs::write(&config, wrong).expect("a file");
        for command in ["serve", "check"] {
            let output = collector(&[command, "--config", "collector.toml"], folder.path());
            assert_eq!(output.status.code(), Some(64));
            let said = sentence(&output);
            assert!(
                said.contains(&format!("collector.toml:{line}:")),
                "line {line}: {said}"
            );
        }
        let left = fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(left, 1, "only the configuration stands there");
    }
}

#[test]
fn check_is_silent_when_all_is_well() {
    let folder = tempfile::tempdir().expect("a folder");
    write_config(folder.path(), "127.0.0.1:0", "");
    let output = collector(&["check", "--config", "collector.toml"], folder.path());
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty());
}

#[test]
fn a_port_in_use_is_69() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    for (intake, http) in [(address.as_str(), ""), ("127.0.0.1:0", address.as_str())] {
        write_config(folder.path(), intake, http);
        let output = collector(&["serve", "--config", "collector.toml"], folder.path());
        assert_eq!(output.status.code(), Some(69));
        assert!(
            sentence(&output).contains(&address),
            "{}",
            sentence(&output)
        );
    }
}

#[test]
fn a_table_that_is_none_is_65_and_named_and_the_old_ones_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    write_config(folder.path(), "127.0.0.1:0", "");
    let with_config = |command: &[&str]| {
        let command = [command, &["--config", "collector.toml"]].concat();
        collector(&command, folder.path())
    };
    let status = || with_config(&["geo", "status"]);
    let before = status();
    assert!(before.status.success());
    let listed = String::from_utf8_lossy(&before.stdout).into_owned();
    for table in ["DB-IP Lite country", "owners of domains", "compiled in"] {
        assert!(listed.contains(table), "{listed}");
    }
    fs::write(folder.path().join("places.mmdb"), "no database").expect("a file");
    let output = with_config(&["geo", "update", "places.mmdb"]);
    assert_eq!(output.status.code(), Some(65));
    let said = sentence(&output);
    assert!(
        said.contains("places.mmdb is not a country database"),
        "{said}"
    );
    assert_eq!(status(), before, "nothing was installed");

    // Nobody answers: each domain says so, and that is a finding.
    let output = with_config(&["owners", "update", "--rdap", "http://127.0.0.1:1/"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        told.contains("miui.com: no answer: the server cannot be reached"),
        "{told}"
    );
    assert_eq!(status(), before, "nothing was heard");
    let output = with_config(&["owners", "update", "--rdap", "http://rdap.example/"]);
    assert_eq!(
        output.status.code(),
        Some(2),
        "in the clear only to this machine"
    );
}

#[test]
fn a_missing_database_is_69() {
    let folder = tempfile::tempdir().expect("a folder");
    write_config(folder.path(), "127.0.0.1:0", "");
    let commands: [&[&str]; 7] = [
        &["agents", "list"],
        &["agents", "invite"],
        &["agents", "approve", "0f3a51c2"],
        &["agents", "revoke", "0f3a51c2"],
        &["release", "2026-W46"],
        &["release", "2026-W46", "--revise"],
        &["publish", "--out", "out"],
    ];
    for command in commands {
        let output = collector(
            &[command, &["--config", "collector.toml"]].concat(),
            folder.path(),
        );
        assert_eq!(output.status.code(), Some(69), "{command:?}");
        assert!(
            sentence(&output).contains("collector.db"),
            "{}",
            sentence(&output)
        );
    }
    assert_eq!(
        fs::read_dir(folder.path()).expect("a folder").count(),
        1,
        "nothing was made"
    );
}

#[test]
fn wrong_arguments_are_2_and_an_empty_folder_is_a_finding() {
    let folder = tempfile::tempdir().expect("a folder");
    let wrong: [&[&str]; 6] = [
        &["release", "last week"],
        &["agents", "approve"],
        &["agents", "revoke", "0f3a51c"],
        &["agents", "list", "--after", "the first"],
        &["agents", "invite", "--uses", "0"],
        &["agents", "invite", "--public", "--count", "2"],
    ];
    for command in wrong {
        let output = collector(command, folder.path());
        assert_eq!(output.status.code(), Some(2), "{command:?}");
    }
    assert_eq!(
        collector(&["verify", "."], folder.path()).status.code(),
        Some(1)
    );
}
