//! The agent's sandbox, proved by trying.
//!
//! Each attempt is made by a process of its own, the inmate, since some of them are fatal. The same
//! attempts succeed outside where that can be shown, so that what is refused is refused by the sandbox.

mod warden;

use phonehome_collector::metrics::Counter;
use phonehome_proto::time::{Clock, ManualClock, SystemClock};
use phonehome_tests::traffic::day::{self, Pace};
use phonehome_tests::traffic::population;
use phonehome_tests::world;
use phonehome_tests::world::ground::{self, Reach};
use phonehome_tests::world::home::HomeAgent;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use warden::{
    NET_ADMIN, NOBODY, NONE, Outcome, STARTING, attempt, complete, inmate, is_confined, statuses,
};

const EPERM: i32 = libc::EPERM;
const EACCES: i32 = libc::EACCES;

/// What nobody but an intruder does.
const HOSTILE: [&str; 10] = [
    "execve", "listen", "accept", "ptrace", "setuid", "unshare", "mount", "add-key", "bpf",
    "io-uring",
];

#[test]
fn what_an_intruder_would_do_ends_the_process() {
    let Some(folder) = complete() else { return };
    for role in ["process", "capture"] {
        is_fatal(role, folder.path());
    }
}

fn is_fatal(role: &str, folder: &Path) {
    for word in HOSTILE {
        let tried = attempt(role, folder, 0, &[word]);
        assert_eq!(
            tried.outcome,
            Outcome::Killed(libc::SIGSYS),
            "{role}: {word}"
        );
    }
}

#[test]
#[ignore = "needs root: only root has what the asker keeps"]
fn the_asker_can_do_nothing_but_ask() {
    let Some(folder) = complete() else { return };
    is_fatal("asker", folder.path());
    for word in ["datagram-socket", "read", "write", "keep", "connect"] {
        let tried = attempt("asker", folder.path(), 0, &[word, "127.0.0.1:1"]);
        assert_eq!(tried.outcome, Outcome::Refused(EPERM), "asker: {word}");
    }
    starts_no_thread("asker", folder.path());
}

fn starts_no_thread(role: &str, folder: &Path) {
    let tried = attempt(role, folder, 0, &["thread"]);
    // The second is what musl makes of it.
    let refused = [EPERM, libc::EAGAIN].map(Outcome::Refused);
    assert!(
        refused.contains(&tried.outcome),
        "{role}: {:?}",
        tried.outcome
    );
}

#[test]
fn what_is_not_needed_is_refused() {
    let Some(folder) = complete() else { return };
    for (word, errno) in [
        ("packet-socket", EPERM),
        ("raw-socket", EPERM),
        ("netfilter-socket", EPERM),
        ("unix-socket", EPERM),
        ("executable-memory", EPERM),
        ("process", EPERM),
        ("signal", EPERM),
        ("chmod", EPERM),
        ("bind", EACCES),
    ] {
        let tried = attempt("process", folder.path(), 0, &[word]);
        assert_eq!(tried.outcome, Outcome::Refused(errno), "{word}");
    }
    for word in [
        "stream-socket",
        "datagram-socket",
        "route-socket",
        "process",
        "connect",
    ] {
        let tried = attempt("capture", folder.path(), 0, &[word, "127.0.0.1:1"]);
        assert_eq!(tried.outcome, Outcome::Refused(EPERM), "capture: {word}");
    }
    starts_no_thread("capture", folder.path());
}

/// So what is refused inside is refused by the sandbox.
#[test]
fn outside_the_same_is_done() {
    let folder = tempfile::tempdir().expect("a folder");
    for attempt_at in [
        &["unix-socket"][..],
        &["executable-memory"],
        &["process"],
        &["signal"],
        &["bind"],
        &["datagram-socket"],
        &["route-socket"],
        &["read", "/proc/version"],
        &["keep"],
    ] {
        let tried = attempt("outside", folder.path(), 0, attempt_at);
        assert_eq!(tried.outcome, Outcome::Done, "{attempt_at:?}");
    }
    for word in ["execve", "listen", "accept", "mount", "bpf", "chmod"] {
        let tried = attempt("outside", folder.path(), 0, &[word]);
        let lives = matches!(tried.outcome, Outcome::Done | Outcome::Refused(_));
        assert!(lives, "{word}: {:?}", tried.outcome);
    }
}

#[test]
fn files_outside_its_folders_are_out_of_reach() {
    let Some(folder) = complete() else { return };
    let elsewhere = tempfile::tempdir().expect("a folder");
    let open = elsewhere.path().join("open");
    fs::write(&open, b"for everybody").expect("a file");
    for path in [elsewhere.path(), &open] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("its owner may");
    }
    let open = open.to_str().expect("a path in UTF-8");
    let within = folder.path().join("file");
    let within = within.to_str().expect("a path in UTF-8");
    for role in ["process", "capture"] {
        for (word, path, outcome) in [
            ("read", open, Outcome::Refused(EACCES)),
            ("write", open, Outcome::Refused(EACCES)),
            ("read", "/proc/version", Outcome::Refused(EACCES)),
            ("read", "/etc/shadow", Outcome::Refused(EACCES)),
            ("write", "/etc/phonehome", Outcome::Refused(EACCES)),
            ("read", "/etc/passwd", Outcome::Done),
            ("write", within, Outcome::Done),
            ("read", within, Outcome::Done),
            ("keep", "", Outcome::Done),
        ] {
            let tried = attempt(role, folder.path(), 0, &[word, path]);
            assert_eq!(tried.outcome, outcome, "{role}: {word} {path}");
        }
    }
}

#[test]
fn the_collectors_port_and_dns_are_left_to_connect_to() {
    let Some(folder) = complete() else { return };
    let [collector, other] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    let [at, other] = [&collector, &other].map(|listener| listener.local_addr().expect("bound"));
    let connect = |to: std::net::SocketAddr| {
        let attempt_to = to.to_string();
        attempt(
            "process",
            folder.path(),
            at.port(),
            &["connect", &attempt_to],
        )
        .outcome
    };
    assert_eq!(connect(at), Outcome::Done);
    assert_eq!(connect(other), Outcome::Refused(EACCES));
    // A resolver is spoken to over TCP where an answer is long. Here none listens, on an address of this
    // test's own: whoever is told so has got as far as the resolver.
    let resolver = ([127, 53, 53, 53], 53).into();
    assert_eq!(connect(resolver), Outcome::Refused(libc::ECONNREFUSED));
}

#[test]
fn what_is_needed_works() {
    let Some(folder) = complete() else { return };
    for word in [
        "stream-socket",
        "datagram-socket",
        "route-socket",
        "thread",
        "keep",
    ] {
        let tried = attempt("process", folder.path(), 0, &[word]);
        assert_eq!(tried.outcome, Outcome::Done, "{word}");
    }
    for role in ["process", "capture"] {
        let tried = attempt(role, folder.path(), 0, &["getpid"]);
        assert_eq!(tried.outcome, Outcome::Done, "{role}");
    }
    let tried = attempt("process", folder.path(), 0, &["resolve", "localhost"]);
    assert_eq!(tried.outcome, Outcome::Done, "the resolver");
}

/// From gates to receipts: name resolution, TLS to the pinned collector, files, time and chance.
#[tokio::test(flavor = "multi_thread")]
async fn it_reports_to_its_collector_from_inside() -> anyhow::Result<()> {
    let Some(folder) = complete() else {
        return Ok(());
    };
    let ground = tempfile::tempdir()?;
    let config = ground::write(ground.path(), Reach::Direct, None)?;
    let clock = ManualClock::new(SystemClock.now());
    let collector = world::start(&config, &clock, 0).await?;
    let at = collector.intake_address();
    let invites = collector.invite(1, &at.to_string()).await?;
    let invite = invites[0].to_string();

    let home = population::homes(population::SEED, 1).remove(0);
    let capture = folder.path().join("home.pcap");
    let days = day::days_at_home(&home, "2026-W46".parse()?);
    day::write(&home, &days[..1], Pace::QUIET, &capture)?;
    let alone = STARTING.write().expect("no test panics holding it");
    HomeAgent::new(home, folder.path().to_owned(), &clock).open_gates(&capture)?;
    drop(alone);

    let (capture, url) = (capture.to_string_lossy(), format!("https://{at}"));
    let replay = [
        "agent",
        "replay",
        &capture,
        "--collector",
        &url,
        "--invite",
        &invite,
    ];
    let tried = attempt("process", folder.path(), at.port(), &replay);
    assert_eq!(tried.outcome, Outcome::Done);
    let accepted = collector.metrics()[&Counter::BatchesAccepted];
    assert_eq!(accepted, 1, "one day, one batch");
    collector.stop().await;
    Ok(())
}

#[test]
fn a_thread_that_would_stay_outside_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let tried = attempt("crowd", folder.path(), 0, &["getpid"]);
    let Outcome::Other(said) = tried.outcome else {
        panic!("it went in with a thread: {:?}", tried.outcome);
    };
    assert!(said.contains("2 threads run where one should"), "{said}");
}

#[test]
fn a_folder_that_others_write_to_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("its owner may");
    let tried = attempt("process", folder.path(), 0, &["getpid"]);
    let Outcome::Other(said) = tried.outcome else {
        panic!("it trusts the folder: {:?}", tried.outcome);
    };
    assert!(said.contains("can be written to by others"), "{said}");
}

#[test]
#[ignore = "needs root: gives its privileges up"]
fn nothing_is_left_of_root_in_any_thread() {
    let Some(folder) = complete() else { return };
    let threads = statuses(inmate("process", folder.path(), 0, &["wait-in-company"]));
    assert_eq!(threads.len(), 2);
    for status in &threads {
        is_confined(status, NONE, Some(NONE));
    }
    let asker = statuses(inmate("asker", folder.path(), 0, &["wait"]));
    assert_eq!(asker.len(), 1);
    is_confined(&asker[0], NET_ADMIN, Some(NONE));
}

/// As procd and systemd start a service: an ordinary user with ambient capabilities.
#[test]
#[ignore = "needs root: starts an ordinary user with capabilities"]
fn nothing_is_left_of_what_a_service_manager_gave() {
    let Some(folder) = complete() else { return };
    // Where an ordinary user may run it.
    let open = tempfile::tempdir().expect("a folder");
    fs::set_permissions(open.path(), fs::Permissions::from_mode(0o755)).expect("its owner may");
    let program = open.path().join("inmate");
    fs::copy(env!("CARGO_BIN_EXE_inmate"), &program).expect("a copy");
    for (role, held) in [("process", NONE), ("asker", NET_ADMIN)] {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]);
        for set in ["--inh-caps", "--ambient-caps"] {
            command.args([set, "+net_raw,+net_admin"]);
        }
        command
            .arg(&program)
            .arg(role)
            .arg(folder.path())
            .args(["0", "wait"]);
        let threads = statuses(command);
        assert_eq!(threads.len(), 1);
        is_confined(&threads[0], held, None);
    }
}
