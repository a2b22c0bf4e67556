//! The asker: a process that asks the kernel what an unprivileged one may not ask.
//!
//! Netfilter looks at the privilege of whoever sends a request, each time, but lets anybody who holds
//! the socket read the answer. So before privileges are dropped a child is forked that keeps
//! CAP_NET_ADMIN and the sockets, and does one thing: for each byte that comes through a pair of
//! sockets it sends one of two constant requests. It reads nothing from the network, nor the answers,
//! and ends when its parent does.
//!
//! Promises: without [`Asker::start`] having seen the child confined there is no asker; asking never
//! blocks; a child that died is an error, not a wait.

use super::message::Request;
use super::socket::{Protocol, Received, Socket};
use rustix::process::{Pid, WaitOptions, waitpid};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use thiserror::Error;

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Every connection, IPv4 and IPv6: `IPCTNL_MSG_CT_GET`, which leaves all counters as they are.
    Connections,
    /// Every flow table: `NFT_MSG_GETFLOWTABLE`.
    FlowTables,
}

/// Asks, and hears the answers.
#[derive(Debug)]
pub struct Asker {
    connections: Line,
    flow_tables: Line,
    voice: Voice,
}

/// Why there is no asker.
#[derive(Debug, Error)]
pub enum AskerError {
    /// The kernel does not speak of connections.
    #[error("the kernel has no netfilter netlink socket: {0}")]
    NoNetfilter(io::Error),
    /// No child process could be made.
    #[error("the process that reads the connection table could not be started: {0}")]
    NotStarted(io::Error),
    /// The child could not give up what it must not keep.
    #[error("the process that reads the connection table could not give up its privileges")]
    NotConfined,
}

/// The asker is gone: nothing can be asked any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the process that reads the connection table is gone")]
pub struct Gone;

/// One question's socket, and how often it was asked.
#[derive(Debug)]
struct Line {
    socket: Socket,
    asked: AtomicU32,
}

/// In whose name requests are sent.
#[derive(Debug)]
enum Voice {
    /// A child's.
    Child {
        /// `None` only while it is being dropped.
        channel: Option<UnixStream>,
        child: Pid,
    },
    /// This process's own, which keeps CAP_NET_ADMIN.
    Own,
}

/// `struct nfgenmsg`: any family, version 0, no resource.
const ANY_FAMILY: [u8; 4] = [0; 4];

// === impl Question ===

impl Question {
    const fn byte(self) -> u8 {
        match self {
            Self::Connections => b'c',
            Self::FlowTables => b'f',
        }
    }

    const fn read(byte: u8) -> Option<Self> {
        match byte {
            b'c' => Some(Self::Connections),
            b'f' => Some(Self::FlowTables),
            _ => None,
        }
    }

    /// `subsystem << 8 | message` (linux/netfilter/nfnetlink.h).
    const fn kind(self) -> u16 {
        match self {
            Self::Connections => 1 << 8 | 1,
            Self::FlowTables => 10 << 8 | 23,
        }
    }
}

// === impl Asker ===

impl Asker {
    /// Opens the sockets and forks the child that asks. Needs CAP_NET_ADMIN, and a process of a single
    /// thread that holds no file yet which a child should not hold.
    ///
    /// `confine` runs in the child before it does anything: it gives up every privilege but
    /// CAP_NET_ADMIN, and whatever else it can. Afterwards the child only receives and sends on
    /// sockets (`read`, `recvfrom`, `write`, `sendto`) and exits. If `confine` fails the child ends.
    ///
    /// # Errors
    ///
    /// If the kernel has no such sockets, or the child could not be started or confined.
    ///
    /// # Panics
    ///
    /// If this process has more than one thread: a lock that another holds would stay locked in the
    /// child for ever.
    pub fn start(confine: impl FnOnce() -> io::Result<()>) -> Result<Self, AskerError> {
        let (connections, flow_tables) = (Line::open()?, Line::open()?);
        let (mut channel, childs) = UnixStream::pair().map_err(AskerError::NotStarted)?;
        let Some(child) = fork().map_err(AskerError::NotStarted)? else {
            // Else the channel would never end.
            drop(channel);
            let served = panic::catch_unwind(AssertUnwindSafe(|| {
                serve(&childs, confine, &connections, &flow_tables)
            }));
            exit(served.is_ok_and(|served| served.is_ok()));
        };
        drop(childs);
        let mut word = [0];
        let is_ready = matches!(channel.read(&mut word), Ok(1)) && word[0] == READY;
        let asker = Self {
            connections,
            flow_tables,
            voice: Voice::Child {
                channel: Some(channel),
                child,
            },
        };
        if !is_ready {
            return Err(AskerError::NotConfined);
        }
        if let Voice::Child {
            channel: Some(channel),
            ..
        } = &asker.voice
        {
            channel
                .set_nonblocking(true)
                .map_err(AskerError::NotStarted)?;
        }
        Ok(asker)
    }

    /// Opens the sockets and asks in this process's own name, for one that keeps CAP_NET_ADMIN.
    ///
    /// # Errors
    ///
    /// If the kernel has no such sockets.
    pub fn without_child() -> Result<Self, AskerError> {
        Ok(Self {
            connections: Line::open()?,
            flow_tables: Line::open()?,
            voice: Voice::Own,
        })
    }

    /// Asks, and gives the sequence number that the answers will carry.
    ///
    /// # Errors
    ///
    /// If there is nobody left who could ask.
    pub fn ask(&self, question: Question) -> Result<u32, Gone> {
        let line = self.line(question);
        match &self.voice {
            Voice::Child { channel, .. } => {
                let mut channel = channel.as_ref().ok_or(Gone)?;
                channel.write_all(&[question.byte()]).map_err(|_| Gone)?;
                Ok(line.next())
            }
            Voice::Own => line.send(question).map_err(|_| Gone),
        }
    }

    /// Receives from the answers to this question.
    ///
    /// # Errors
    ///
    /// If the socket is broken.
    pub fn receive(&self, question: Question, buffer: &mut [u8]) -> io::Result<Received> {
        self.line(question).socket.receive(buffer)
    }

    /// What becomes readable when there is an answer to this question.
    #[must_use]
    pub fn answers(&self, question: Question) -> BorrowedFd<'_> {
        self.line(question).socket.as_fd()
    }

    /// Waits until there is an answer to this question, `patience` at most: whether there is one.
    ///
    /// # Errors
    ///
    /// If the wait is interrupted or cannot be.
    pub fn wait(&self, question: Question, patience: Duration) -> io::Result<bool> {
        self.line(question).socket.wait(patience)
    }

    const fn line(&self, question: Question) -> &Line {
        match question {
            Question::Connections => &self.connections,
            Question::FlowTables => &self.flow_tables,
        }
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        if let Voice::Child { channel, child } = &mut self.voice {
            // The child sees the end of the channel, and ends; nothing is left of it then.
            drop(channel.take());
            let _reaped = waitpid(Some(*child), WaitOptions::empty());
        }
    }
}

// === impl Line ===

impl Line {
    fn open() -> Result<Self, AskerError> {
        Ok(Self {
            socket: Socket::open(Protocol::Netfilter, 0).map_err(AskerError::NoNetfilter)?,
            asked: AtomicU32::new(0),
        })
    }

    /// Counts on both sides of the fork alike, so that no number has to be told.
    fn next(&self) -> u32 {
        self.asked.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    fn send(&self, question: Question) -> io::Result<u32> {
        let sequence = self.next();
        let request = Request::dump(question.kind(), sequence, &ANY_FAMILY);
        self.socket.send(&request)?;
        Ok(sequence)
    }
}

/// The child's whole life.
fn serve(
    mut channel: &UnixStream,
    confine: impl FnOnce() -> io::Result<()>,
    connections: &Line,
    flow_tables: &Line,
) -> io::Result<()> {
    confine()?;
    channel.write_all(&[READY])?;
    loop {
        let mut word = [0];
        match channel.read(&mut word) {
            Ok(1) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            _ => return Ok(()),
        }
        let Some(question) = Question::read(word[0]) else {
            continue;
        };
        let line = match question {
            Question::Connections => connections,
            Question::FlowTables => flow_tables,
        };
        // The parent sees that no answer comes, and asks again.
        let _sent = line.send(question);
    }
}

/// Two of this process: `None` in the child.
#[allow(
    unsafe_code,
    reason = "no crate at hand forks; the proof is in the one thread"
)]
fn fork() -> io::Result<Option<Pid>> {
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    assert_eq!(threads, 1, "a process of several threads is never forked");
    // SAFETY: there is no other thread, so no lock is held that nobody would release, and the child
    // may do whatever the parent may.
    let child = unsafe { libc::fork() };
    if child < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Pid::from_raw(child))
}

/// Ends the child without running what the parent has registered for its own end.
#[allow(unsafe_code, reason = "the safe exit runs the parent's exit handlers")]
fn exit(is_well: bool) -> ! {
    // SAFETY: it takes no pointer and does not return.
    unsafe { libc::_exit(i32::from(!is_well)) }
}

/// What the child says when it is confined.
const READY: u8 = b'r';
