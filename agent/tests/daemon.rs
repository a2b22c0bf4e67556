//! The daemon as a process: what it refuses, and what it does while the household has agreed to nothing.

use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// The program, to be run with a configuration in `folder` that holds `text`.
fn daemon(text: &str, folder: &Path) -> Command {
    let config = folder.join("agent.toml");
    fs::write(&config, text).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_phonehome-agent"));
    command.arg("run").arg("--config").arg(config);
    command.env_remove("PHONEHOME_LOG");
    command
}

fn refused(text: &str, folder: &Path) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = daemon(text, folder).output().expect("it was built");
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

/// A daemon that waits for consent, and what it said first.
fn waiting(folder: &Path) -> (Child, String) {
    let mut child = daemon("state_dir = 'state'\nrun_dir = 'run'\n", folder)
        .stderr(Stdio::piped())
        .spawn()
        .expect("it was built");
    let mut said = String::new();
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    stderr.read_line(&mut said).expect("text");
    child.stderr = Some(stderr.into_inner());
    (child, said)
}

fn end(mut child: Child) -> (Option<i32>, String) {
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::TERM).expect("it is ours");
    let code = child.wait().expect("it ends").code();
    let mut rest = String::new();
    let stderr = child.stderr.as_mut().expect("piped");
    stderr.read_to_string(&mut rest).expect("text");
    (code, rest)
}

/// The numbers of the sockets that a process holds.
fn sockets(pid: u32) -> Vec<String> {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).expect("its descriptors");
    open.filter_map(|entry| {
        let target: PathBuf = fs::read_link(entry.ok()?.path()).ok()?;
        let number = target
            .to_str()?
            .strip_prefix("socket:[")?
            .strip_suffix(']')?;
        Some(number.to_owned())
    })
    .collect()
}

#[test]
fn a_bad_configuration_is_64_and_says_where() {
    let folder = tempfile::tempdir().expect("a folder");
    let (code, said) = refused("# mine\nsource = 'guess'\n", folder.path());
    assert_eq!(code, Some(64), "{said}");
    assert!(said.contains("agent.toml:2: 'source' is"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    // Nothing was made before it was read.
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1);
}

#[test]
fn without_consent_there_is_no_socket_to_any_network() {
    let folder = tempfile::tempdir().expect("a folder");
    let (child, said) = waiting(folder.path());
    assert!(said.contains("phonehome-agent consent grant"), "{said}");
    let pid = child.id();
    let held = sockets(pid);
    for kind in [
        "tcp", "tcp6", "udp", "udp6", "raw", "raw6", "packet", "netlink", "icmp", "icmp6",
    ] {
        let known = fs::read_to_string(format!("/proc/{pid}/net/{kind}")).unwrap_or_default();
        for number in &held {
            let is_one = known
                .lines()
                .any(|line| line.split_whitespace().any(|word| word == number));
            assert!(!is_one, "it holds a {kind} socket");
        }
    }
    assert_eq!(end(child), (Some(0), String::new()));
}

#[test]
fn a_home_has_one_daemon_and_status_knows_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let status = || {
        let output = Command::new(env!("CARGO_BIN_EXE_phonehome-agent"))
            .arg("--state")
            .arg(folder.path().join("state"))
            .arg("status")
            .output()
            .expect("it was built");
        assert!(output.status.success());
        String::from_utf8(output.stdout).expect("text")
    };
    assert!(status().contains("daemon         not running"));
    let (child, _) = waiting(folder.path());
    let running = status();
    assert!(
        running.contains("waiting for the household's consent"),
        "{running}"
    );
    let (code, said) = refused("state_dir = 'state'\nrun_dir = 'run'\n", folder.path());
    assert_eq!(code, Some(69), "{said}");
    assert!(
        said.contains("a daemon of this home runs already"),
        "{said}"
    );
    assert_eq!(end(child).0, Some(0));
    assert!(status().contains("daemon         not running"));
}
