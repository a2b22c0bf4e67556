//! Real PostgreSQL servers, for tests that ask for them.
//!
//! Takes the programs of Debian's package `postgresql-15`, gives servers on ports of their own on
//! loopback, in folders of their own. A server ends with the last handle to it, and with the process of
//! the test whatever happens to that: nothing is left behind. The programs refuse to run as root, so root
//! runs them as the user that the package made.

use phonehome_collector::store::postgres::{SESSIONS, Server};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Where the package puts its programs.
const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";

/// The user in the database, who owns everything there.
const USER: &str = "phonehome";

/// How long a server may take to start, stop or change its mind.
const PATIENCE: Duration = Duration::from_secs(60);

/// One server; a standby follows another.
#[derive(Debug)]
pub struct PostgresServer {
    folder: tempfile::TempDir,
    port: u16,
    running: Option<Running>,
    databases: AtomicU32,
}

/// A server's process, watched by a thread that ends with it.
#[derive(Debug)]
struct Running {
    process: u32,
    keeper: JoinHandle<()>,
}

/// A table that nobody gets at.
#[derive(Debug)]
pub struct TableLock {
    psql: Child,
    orders: Option<ChildStdin>,
}

impl Drop for TableLock {
    fn drop(&mut self) {
        // Without orders its session ends, and with that the lock.
        drop(self.orders.take());
        let _ = self.psql.wait();
    }
}

/// The server that the tests of one program share.
static SHARED: Mutex<Weak<PostgresServer>> = Mutex::new(Weak::new());

impl PostgresServer {
    /// A server that other tests of this program use too, each with databases of its own.
    ///
    /// # Panics
    /// If the package is not there, or the server does not start.
    #[must_use]
    pub fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Self::start(&[]));
            *shared = Arc::downgrade(&server);
            server
        })
    }

    /// A new server with these settings, each `name=value`.
    ///
    /// # Panics
    /// If the package is not there, or the server does not start.
    #[must_use]
    pub fn start(settings: &[&str]) -> Self {
        Self::prepared(settings).run()
    }

    /// A new server that can be spoken to by TLS, with this certificate and its key, in PEM.
    ///
    /// # Panics
    /// If the package is not there, or the server does not start.
    #[must_use]
    pub fn encrypted(certificate: &str, key: &str) -> Self {
        let server = Self::prepared(&["ssl=on"]);
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = server.data().join(name);
            fs::write(&path, text).expect("the folder is there");
            let mode = fs::Permissions::from_mode(0o600);
            fs::set_permissions(&path, mode).expect("it is ours");
            if let Some((user, group)) = owner() {
                chown(&path, Some(user), Some(group)).expect("the package's user owns it");
            }
        }
        server.run()
    }

    fn prepared(settings: &[&str]) -> Self {
        let server = Self::unmade();
        let mut initdb = server.program("initdb");
        initdb.args(["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]);
        succeed(
            initdb
                .args(["--username", USER, "--pgdata"])
                .arg(server.data()),
        );
        let mut settings = settings.join("\n");
        settings.push_str("\nmax_connections = 200\n");
        server.append("postgresql.conf", &settings);
        // The test's own standby may follow.
        server.append("pg_hba.conf", "host replication all 127.0.0.1/32 trust\n");
        server
    }

    /// A new standby of this server, by the name the server waits for in `synchronous_standby_names`.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn standby(&self, name: &str) -> Self {
        let standby = Self::unmade();
        let source = format!(
            "host=127.0.0.1 port={} user={USER} application_name={name}",
            self.port
        );
        let mut backup = standby.program("pg_basebackup");
        backup.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]);
        backup.args(["--dbname", &source, "--pgdata"]);
        succeed(backup.arg(standby.data()));
        standby.run()
    }

    /// A fresh database, its address.
    #[must_use]
    pub fn database(&self) -> (String, Server) {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("collector_{number}");
        self.ask("postgres", &format!("CREATE DATABASE {name}"));
        let url = self.url(&name);
        let server = Server::parse(&url, None, None, SESSIONS).expect("a server on this machine");
        (name, server)
    }

    /// The address of a database.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// Where it listens, on this machine's own address.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What the server answers: a line a row, columns parted by `|`.
    ///
    /// # Panics
    /// If it refuses.
    #[must_use]
    pub fn asked(&self, database: &str, question: &str) -> String {
        let mut psql = self.program("psql");
        psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--quiet"]);
        psql.args(["--set", "ON_ERROR_STOP=1", "--command", question]);
        succeed(psql.arg(self.url(database)))
    }

    /// Tells the server to do something.
    ///
    /// # Panics
    /// If it refuses.
    pub fn ask(&self, database: &str, order: &str) {
        let _ = self.asked(database, order);
    }

    /// Keeps everybody from a table, until what is given is dropped.
    ///
    /// # Panics
    /// If the server refuses.
    #[must_use]
    pub fn lock(&self, database: &str, table: &str) -> TableLock {
        let mut psql = self.program("psql");
        psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--quiet"]);
        psql.args(["--set", "ON_ERROR_STOP=1"])
            .arg(self.url(database));
        psql.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut psql = psql.spawn().expect("psql starts");
        let order = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; SELECT 'held';");
        let mut orders = psql.stdin.take().expect("it was asked for");
        writeln!(orders, "{order}").expect("it listens");
        let said = psql.stdout.take().expect("it was asked for");
        let said = BufReader::new(said).lines().next();
        assert_eq!(said.and_then(Result::ok).as_deref(), Some("held"));
        TableLock {
            psql,
            orders: Some(orders),
        }
    }

    /// Makes a standby take writes.
    ///
    /// # Panics
    /// If it does not.
    pub fn promote(&self) {
        let mut promote = self.program("pg_ctl");
        promote.args(["promote", "--wait", "--pgdata"]);
        succeed(promote.arg(self.data()));
    }

    /// Kills the server and all its processes at once, as a power cut would.
    ///
    /// # Panics
    /// If it cannot be killed.
    pub fn kill(&mut self) {
        self.end("KILL");
    }

    fn end(&mut self, signal: &str) {
        if let Some(running) = self.running.take() {
            // The children are in the server's group, which is its own.
            let group = format!("-{}", running.process);
            let mut kill = Command::new("kill");
            kill.args(["-s", signal, "--", &group]);
            let _ = kill.stderr(Stdio::null()).status();
            let ended = running.keeper.join();
            assert!(
                ended.is_ok() || thread::panicking(),
                "the server's keeper failed"
            );
        }
    }

    fn unmade() -> Self {
        assert!(
            Path::new(PROGRAMS).exists(),
            "the package postgresql-15 is not installed"
        );
        let folder = tempfile::tempdir().expect("a folder");
        if let Some((user, group)) = owner() {
            chown(folder.path(), Some(user), Some(group)).expect("the package's user owns it");
        }
        let port = TcpListener::bind("127.0.0.1:0").and_then(|taken| taken.local_addr());
        Self {
            folder,
            port: port.expect("a port").port(),
            running: None,
            databases: AtomicU32::new(0),
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn append(&self, file: &str, text: &str) {
        use std::io::Write;
        let file = fs::OpenOptions::new()
            .append(true)
            .open(self.data().join(file));
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.expect("the file is there");
    }

    /// One of the package's programs, run as the user that may.
    fn program(&self, name: &str) -> Command {
        let program = Path::new(PROGRAMS).join(name);
        let mut command = match owner() {
            None => Command::new(program),
            Some((user, group)) => {
                let mut command = Command::new("setpriv");
                command.arg(format!("--reuid={user}"));
                command.arg(format!("--regid={group}"));
                // Ends with the thread that starts it, if it is a server: see `run`.
                command.args(["--clear-groups", "--pdeathsig=KILL"]);
                command.arg(program);
                command
            }
        };
        command.current_dir(self.folder.path());
        command
    }

    /// Starts it on a thread that lives as long as it does: its signal of death is that thread's end, and
    /// with it the test's.
    fn run(mut self) -> Self {
        use std::os::unix::process::CommandExt;
        let mut command = self.program("postgres");
        command.arg("-D").arg(self.data());
        command.args(["-c", "listen_addresses=127.0.0.1"]);
        command.args(["-c", &format!("port={}", self.port)]);
        command.args(["-c", "unix_socket_directories="]);
        command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let (told, started) = mpsc::channel();
        let keeper = thread::Builder::new()
            .name("postgres".to_owned())
            .spawn(move || {
                let mut child = command.spawn().expect("the program starts");
                told.send(child.id()).expect("somebody waits");
                follow(&mut child, &told);
                let _ = child.wait();
            })
            .expect("a thread");
        let process = started.recv_timeout(PATIENCE).expect("it starts");
        let ready = started.recv_timeout(PATIENCE);
        self.running = Some(Running { process, keeper });
        ready.expect("it is ready to be asked");
        self
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.end("QUIT");
    }
}

/// Reads what a server says, so that it never waits for a reader; tells when it can be asked.
fn follow(child: &mut Child, told: &mpsc::Sender<u32>) {
    let stderr = child.stderr.take().expect("it was asked for");
    let mut last = String::new();
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        if line.contains("ready to accept") {
            let _ = told.send(0);
        }
        if line.contains("FATAL") || line.contains("PANIC") {
            last = line;
        }
    }
    if !last.is_empty() {
        #[allow(
            clippy::print_stderr,
            reason = "why a server ended, beside the test that failed"
        )]
        {
            eprintln!("postgres said: {last}");
        }
    }
}

/// The package's user, if we are root.
fn owner() -> Option<(u32, u32)> {
    let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if !is_root {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("a list of users");
    let row = users.lines().find(|row| row.starts_with("postgres:"));
    let mut fields = row.expect("the package made its user").split(':').skip(2);
    let mut number = || fields.next().and_then(|field| field.parse().ok());
    Some((number().expect("a user"), number().expect("a group")))
}

/// What a program says if all goes well.
fn succeed(command: &mut Command) -> String {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut errors = child.stderr.take().expect("it was asked for");
    let errors = thread::spawn(move || {
        let mut text = String::new();
        let _ = errors.read_to_string(&mut text);
        text
    });
    let mut text = String::new();
    let stdout = child.stdout.as_mut().expect("it was asked for");
    stdout.read_to_string(&mut text).expect("text");
    let status = child.wait().expect("it ends");
    let errors = errors.join().expect("it reads");
    assert!(status.success(), "{command:?} failed: {errors}");
    text.trim_end().to_owned()
}
