//! System calls: a list of those that work, and a list of those nobody but an intruder makes (seccomp(2)).
//!
//! Three kinds of refusal. A call that is on neither list fails with `EPERM`, and the program goes on. A
//! call that would run another program, listen, take another process over or change the system kills
//! the process at once: no mistake of ours makes it. What a C library tries first and can do without
//! fails with `ENOSYS`, which is how it is told to do without.
//!
//! Filters add up, and only ever narrow: a thread may be given a second, shorter list.

#[cfg(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "riscv64"
))]
mod filter;
#[cfg(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "riscv64"
))]
mod list;

#[cfg(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "riscv64"
))]
pub(super) use filter::restrict;

use std::fmt;

/// What the kernel enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// The list.
    Listed,
    /// Nothing: there is no filter for this architecture.
    NoFilter,
    /// Nothing: this kernel takes no filter.
    NoKernel,
}

/// Who is restricted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rules {
    /// The daemon: files, time, threads, and being a client.
    Process,
    /// The thread that reads packets: no new socket, no connection, no thread.
    CaptureThread,
    /// The process that asks the kernel for its counters: what is open already, and nothing else.
    Asker,
}

/// Where no filter can be made, nothing is restricted, and the report says so.
#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "riscv64"
)))]
pub(super) const fn restrict(_: Rules) -> Result<Calls, super::SandboxError> {
    Ok(Calls::NoFilter)
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Listed => "listed system calls only",
            Self::NoFilter => "all system calls: no seccomp filter for this architecture",
            Self::NoKernel => "all system calls: no seccomp in this kernel",
        })
    }
}
