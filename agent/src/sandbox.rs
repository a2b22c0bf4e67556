//! What the daemon gives up before it looks at its first packet.
//!
//! Takes a process whose sockets are open, and gives [`Confined`]: the proof that it can no longer do
//! anything else. The order is a contract, because each step needs what a later one takes away:
//!
//! 1. no thread exists yet, so that every later one inherits all of this;
//! 2. the bounding set is emptied, which takes the capability to do so;
//! 3. groups, then group, then user: whom root may become, the user may not;
//! 4. every capability is dropped, those a service manager gave an ordinary user too;
//! 5. no new privileges, no core file, nobody of the same user looks into memory;
//! 6. Landlock: the two folders, what the resolver reads, the collector's TCP port and DNS's; nothing is
//!    executed;
//! 7. the list of system calls, last, since the steps above need others.
//!
//! Steps 1 to 5 hold on every kernel or are an error. Landlock and the list of calls are there or not,
//! with the kernel and the architecture; the [`Report`] says which. Nothing here can be undone.

mod calls;
mod capabilities;
mod folders;
mod paths;
mod user;

pub use calls::Calls;
pub use folders::prepare_folders;
pub use paths::Landlock;

use rustix::process::{DumpableBehavior, geteuid, set_dumpable_behavior};
use rustix::thread::{set_keep_capabilities, set_no_new_privs};
use rustix::time::{ClockId, clock_gettime};
use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// What stays possible.
#[derive(Clone, Debug)]
pub struct Confinement {
    /// Whom to become if root starts the daemon: a name in `/etc/passwd`. Whoever else starts it stays
    /// who they are.
    pub user: String,
    /// The folders that are read and written, with all beneath them. They exist.
    pub folders: Vec<PathBuf>,
    /// Files and folders that are read, besides those and what name resolution needs; one that does
    /// not exist is left out.
    pub reads: Vec<PathBuf>,
    /// The collector's TCP port, with which DNS over TCP comes, so that its name can be resolved;
    /// without one, no TCP connection can be made.
    pub collector_port: Option<u16>,
}

/// The proof that the process is confined. Only [`enter`] makes it.
#[derive(Debug)]
pub struct Confined {
    report: Report,
}

/// What came into force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Who the process is: a name, or a number where there is none.
    pub user: String,
    /// Whether the bounding set is empty too. An ordinary user cannot empty it; it means nothing
    /// without capabilities and with no new privileges.
    pub bounding_set_empty: bool,
    /// What holds for files and ports.
    pub landlock: Landlock,
    /// What holds for system calls.
    pub calls: Calls,
}

/// Why the process is not confined, and must not go on.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// `/etc/passwd` does not have the user.
    #[error("there is no user {0} to run as; create it, or name another in the configuration")]
    NoSuchUser(String),
    /// The user is root.
    #[error("{0} is root; name an ordinary user in the configuration")]
    UserIsRoot(String),
    /// A folder is not to be trusted.
    #[error("{} {what}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it, as the rest of a sentence.
        what: String,
    },
    /// Threads that exist would stay outside.
    #[error("{0} threads run where one should, and would keep their privileges")]
    Threads(usize),
    /// The kernel refuses a step.
    #[error("privileges cannot be given up: {step}: {source}")]
    Step {
        /// Which step.
        step: &'static str,
        /// What the kernel says.
        source: io::Error,
    },
    /// Something is still held after it was given up.
    #[error("privileges were given up and are still there: {0}")]
    StillHeld(&'static str),
    /// Landlock is there and refuses.
    #[error("access to files cannot be restricted: {0}")]
    Landlock(#[from] landlock::RulesetError),
}

/// Confines this process, all threads it will have, and for ever.
///
/// # Errors
/// [`SandboxError`]; the process may have lost some privileges, and is fit for nothing but to end.
pub fn enter(confinement: &Confinement) -> Result<Confined, SandboxError> {
    // Looked for at the first reading, in a file that is out of reach afterwards: the kernel's own page
    // that tells the time without a system call.
    let _ = clock_gettime(ClockId::Monotonic);
    let (user, bounding_set_empty) = give_up(&confinement.user, capabilities::Keep::Nothing)?;
    let landlock = paths::restrict(confinement)?;
    let calls = calls::restrict(calls::Rules::Process)?;
    Ok(Confined {
        report: Report {
            user,
            bounding_set_empty,
            landlock,
            calls,
        },
    })
}

/// Narrows the calling thread to what reading open sockets and the state folder needs: it can open no
/// socket, connect nowhere, and start nothing.
///
/// # Errors
/// [`SandboxError::Step`].
pub fn narrow_capture_thread(confined: &Confined) -> Result<(), SandboxError> {
    if confined.report.calls != Calls::Listed {
        // There is nothing to narrow with.
        return Ok(());
    }
    calls::restrict(calls::Rules::CaptureThread).map(drop)
}

/// Confines the process that asks the kernel for its counters: it keeps `CAP_NET_ADMIN`, and can do
/// nothing but read and write what is open already, wait, and end. It names no file and no peer.
///
/// # Errors
/// [`SandboxError`]; as for [`enter`].
pub fn confine_asker(user: &str) -> Result<(), SandboxError> {
    give_up(user, capabilities::Keep::NetAdmin)?;
    paths::forbid()?;
    calls::restrict(calls::Rules::Asker).map(drop)
}

/// Steps 1 to 5. Gives who the process is now, and whether the bounding set is empty.
fn give_up(user: &str, keep: capabilities::Keep) -> Result<(String, bool), SandboxError> {
    let threads = threads()?;
    if threads != 1 {
        return Err(SandboxError::Threads(threads));
    }
    let bounding_set_empty = capabilities::empty_bounding_set()?;
    let is = if geteuid().is_root() {
        let account = user::find(user)?;
        // Else the change of user would take all of them.
        set_keep_capabilities(true).map_err(step("keeping capabilities for a moment"))?;
        user::become_one(&account)?;
        account.name
    } else {
        user::name_of(geteuid())
    };
    capabilities::drop_all_but(keep)?;
    set_keep_capabilities(false).map_err(step("keeping capabilities no longer"))?;
    set_no_new_privs(true).map_err(step("no new privileges"))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(step("no core file"))?;
    Ok((is, bounding_set_empty))
}

/// How many threads this process has.
fn threads() -> Result<usize, SandboxError> {
    fs::read_dir("/proc/self/task")
        .map(Iterator::count)
        .map_err(step("counting threads in /proc/self/task"))
}

/// Names the step in which the kernel refused.
fn step<E: Into<io::Error>>(step: &'static str) -> impl FnOnce(E) -> SandboxError {
    move |source| SandboxError::Step {
        step,
        source: source.into(),
    }
}

// === impl Confined ===

impl Confined {
    /// What came into force, for log and status.
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }
}

// === impl Report ===

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "user {}, no capabilities, no new privileges, {}, {}",
            self.user, self.landlock, self.calls
        )
    }
}
