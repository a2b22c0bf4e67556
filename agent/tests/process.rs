//! The program as people meet it: its help, its exit codes, its one clear sentence.

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
    let mut text = String::new();
    let mut open = vec![Vec::new()];
    while let Some(command) = open.pop() {
        let arguments: Vec<&str> = command
            .iter()
            .map(String::as_str)
            .chain(["--help"])
            .collect();
        let output = agent(&arguments, Path::new("."));
        assert!(output.status.success());
        let help = String::from_utf8(output.stdout).expect("help is text");
        text.push_str(&format!(
            "$ phonehome-agent {}\n{help}\n",
            arguments.join(" ")
        ));
        for name in subcommands(&help).into_iter().rev() {
            open.push([command.clone(), vec![name]].concat());
        }
    }
    compare(&text);
}

/// The names below `Commands:`, but for clap's own.
fn subcommands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
    names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

/// Compares with the golden file; `UPDATE_GOLDEN=1` writes it anew.
fn compare(text: &str) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/help.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, text).expect("the tree can be written");
    }
    let agreed = fs::read_to_string(&golden).expect("UPDATE_GOLDEN=1 makes it");
    assert!(
        agreed == text,
        "help differs from {}:\n{text}",
        golden.display()
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
