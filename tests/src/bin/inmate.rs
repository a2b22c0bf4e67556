//! An inmate of the agent's sandbox, which tries what it is told to and says what came of it.
//!
//! `inmate ROLE FOLDER PORT WORD...` enters the sandbox in that role (`process`, `capture`, `asker`;
//! `crowd` brings a thread along, and `outside` stays outside) with FOLDER to work in and PORT for the collector's, prints one line about the sandbox, does WORD and
//! prints one more line: `done`, or `refused` and the error's number. What kills it shows in how it ends.
//! The suite `sandbox` is its warden, and the laboratory borrows it.

use clap::Parser;
use phonehome_agent::cli::Arguments;
use phonehome_agent::run::Environment;
use phonehome_agent::sandbox::{
    Confinement, confine_asker, enter, narrow_capture_thread, prepare_folders,
};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::process::{Command, ExitCode};
use tokio::runtime::Runtime;

/// Who everybody knows, and nobody is.
const USER: &str = "nobody";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [role, folder, port, attempt @ ..] = words.as_slice() else {
        return ExitCode::from(2);
    };
    match live(role, Path::new(folder), port, attempt) {
        Ok(()) => say("done"),
        Err(error) => match error.raw_os_error() {
            Some(number) => say(&format!("refused {number}")),
            None => say(&format!("failed {error}")),
        },
    }
    ExitCode::SUCCESS
}

fn live(role: &str, folder: &Path, port: &str, attempt: &[String]) -> io::Result<()> {
    // Made before, as the agent does, and without a thread.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let make = |parent| make(attempt, folder, parent, &runtime);
    // Asked of the kernel before the lists hold, since they leave out the question.
    let parent = std::os::unix::process::parent_id();
    if role == "outside" {
        say("no sandbox");
        return make(parent);
    }
    if role == "crowd" {
        std::thread::spawn(std::thread::park);
    }
    if role == "asker" {
        confine_asker(USER).map_err(io::Error::other)?;
        say("an asker");
        return make(parent);
    }
    prepare_folders(USER, &[folder]).map_err(io::Error::other)?;
    let confinement = Confinement {
        user: USER.to_owned(),
        folders: vec![folder.to_owned()],
        reads: Vec::new(),
        collector_port: port.parse().ok(),
    };
    let confined = enter(&confinement).map_err(io::Error::other)?;
    say(&confined.report().to_string());
    if role == "capture" {
        let narrow = || {
            narrow_capture_thread(&confined).map_err(io::Error::other)?;
            make(parent)
        };
        std::thread::scope(|scope| scope.spawn(narrow).join().expect("it does not panic"))
    } else {
        make(parent)
    }
}

/// Makes the attempt.
fn make(attempt: &[String], folder: &Path, parent: u32, runtime: &Runtime) -> io::Result<()> {
    let [word, rest @ ..] = attempt else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let socket = |family, kind, protocol| call(libc::SYS_socket, &[family, kind, protocol]);
    match word.as_str() {
        "packet-socket" => socket(libc::AF_PACKET, libc::SOCK_RAW, 0),
        "raw-socket" => socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP),
        "unix-socket" => socket(libc::AF_UNIX, libc::SOCK_STREAM, 0),
        "stream-socket" => socket(libc::AF_INET, libc::SOCK_STREAM, 0),
        "datagram-socket" => socket(libc::AF_INET6, libc::SOCK_DGRAM, 0),
        "route-socket" => socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE),
        "netfilter-socket" => socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_NETFILTER),
        "write" => fs::write(&rest[0], b"x"),
        "read" => fs::read(&rest[0]).map(drop),
        "keep" => keep(folder),
        "connect" => TcpStream::connect(&rest[0]).map(drop),
        "bind" => TcpListener::bind("127.0.0.1:0").map(drop),
        "resolve" => (rest[0].as_str(), 80_u16).to_socket_addrs().map(drop),
        "thread" => std::thread::Builder::new()
            .spawn(|| say("a thread"))
            .map(|thread| thread.join().expect("it does not panic")),
        "process" => Command::new("/bin/true").status().map(drop),
        "signal" => call(libc::SYS_kill, &[parent.cast_signed(), 0]),
        "executable-memory" => {
            let (executable, own) = (libc::PROT_EXEC, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            call(libc::SYS_mmap, &[0, 4096, executable, own, -1, 0])
        }
        "agent" => agent(rest, folder, runtime),
        "wait" => wait(),
        "wait-in-company" => wait_in_company(),
        // Asks for the version and makes nothing (LANDLOCK_CREATE_RULESET_VERSION).
        "landlock" => call(libc::SYS_landlock_create_ruleset, &[0, 0, 1]),
        "getpid" => call(libc::SYS_getpid, &[]),
        // On no file: where it is allowed, nothing may change.
        "chmod" => call(libc::SYS_fchmod, &[-1, 0o644]),
        // Arguments do not matter below: the filter looks at the number.
        "execve" => call(libc::SYS_execve, &[]),
        "listen" => call(libc::SYS_listen, &[]),
        "accept" => call(libc::SYS_accept, &[]),
        "ptrace" => call(libc::SYS_ptrace, &[]),
        "setuid" => call(libc::SYS_setuid, &[]),
        "unshare" => call(libc::SYS_unshare, &[]),
        "mount" => call(libc::SYS_mount, &[]),
        "add-key" => call(libc::SYS_add_key, &[]),
        "bpf" => call(libc::SYS_bpf, &[]),
        "io-uring" => call(libc::SYS_io_uring_setup, &[]),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// Makes a system call by its number; arguments that are not given are 0.
#[allow(
    unsafe_code,
    reason = "what must fail has no safe function that would try it"
)]
fn call(number: libc::c_long, given: &[i32]) -> io::Result<()> {
    let argument = |at: usize| given.get(at).map_or(0, |value| libc::c_long::from(*value));
    let arguments: [libc::c_long; 6] = std::array::from_fn(argument);
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: no argument is the address of anything in this process, but for 0, which no call that
    // stands above writes to.
    let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// What the agent does with its folders.
fn keep(folder: &Path) -> io::Result<()> {
    use phonehome_agent::durable;
    let inner = folder.join("spool");
    durable::make_folder(&inner)?;
    let file = inner.join("file");
    durable::write(&file, b"old")?;
    durable::write(&file, b"new")?;
    durable::open_to_lock(&inner.join("lock"))?.try_lock()?;
    let kept = durable::read(&file, 3)?;
    durable::sweep(&inner)?;
    durable::remove(&file)?;
    fs::remove_dir_all(&inner)?;
    (kept.as_deref() == Some(b"new"))
        .then_some(())
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// A command of the agent, with its state in the folder.
fn agent(words: &[String], folder: &Path, runtime: &Runtime) -> io::Result<()> {
    let program = ["phonehome-agent".to_owned()];
    let arguments = Arguments::try_parse_from(program.iter().chain(words));
    let arguments = arguments.map_err(io::Error::other)?;
    let config = arguments.config().map_err(io::Error::other)?;
    let mut environment = Environment::system(folder.to_owned());
    let (mut out, mut err) = (io::stdout(), io::stderr());
    runtime
        .block_on(arguments.run(&mut environment, config.as_ref(), &mut out, &mut err))
        .map_err(io::Error::other)
}

/// Lives until standard input ends.
fn wait() -> io::Result<()> {
    say("waiting");
    io::stdin().read(&mut [0]).map(drop)
}

/// Lives so with a second thread.
fn wait_in_company() -> io::Result<()> {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let second = std::thread::spawn(move || receiver.recv().is_err());
    let waited = wait();
    drop(sender);
    second.join().expect("it does not panic");
    waited
}

fn say(line: &str) {
    let mut out = io::stdout();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .expect("the warden listens");
}
