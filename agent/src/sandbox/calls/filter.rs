//! The lists, compiled and put into force.
//!
//! Two conditions cannot be written as numbers beforehand: a process may signal itself, so its own
//! number stands in the filter; and a thread is told from a process by a flag.

use super::list::{ABSENT, CAPTURE, ENEMY, NARROW, PLAIN};
use super::{Calls, Rules};
use crate::sandbox::{SandboxError, step};
use libc::c_long;
use rustix::process::getpid;
use rustix::thread::secure_computing_mode;
use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, apply_filter,
};
use std::collections::BTreeMap;
use std::io;

/// Which calls a filter concerns; no rule means whatever the arguments.
type Concerned = BTreeMap<i64, Vec<SeccompRule>>;

/// Restricts the calling thread, and all it will start.
///
/// # Errors
/// [`SandboxError::Step`] where the kernel has filters and refuses this one.
pub(in crate::sandbox) fn restrict(rules: Rules) -> Result<Calls, SandboxError> {
    let mut listed = match rules {
        Rules::Process => process(),
        Rules::CaptureThread => unconditional(&[PLAIN, CAPTURE])
            .into_iter()
            .chain(memory())
            .collect(),
        Rules::Asker => unconditional(&[NARROW]),
    };
    // Of two refusals with a number the later filter's counts; so this one leaves it to the other.
    listed.extend(unconditional(&[ABSENT]));
    let refuse = |errno: i32| SeccompAction::Errno(errno.unsigned_abs());
    let mut filters = Vec::new();
    // A thread has these of its process.
    if rules != Rules::CaptureThread {
        // A kernel built without filters does not know the question (prctl(2)).
        if secure_computing_mode().is_err() {
            return Ok(Calls::NoKernel);
        }
        let (enemy, absent) = (unconditional(&[ENEMY]), unconditional(&[ABSENT]));
        filters.push(compile(
            enemy,
            SeccompAction::KillProcess,
            SeccompAction::Allow,
        ));
        filters.push(compile(absent, refuse(libc::ENOSYS), SeccompAction::Allow));
    }
    // Last, since it may forbid to add a filter.
    filters.push(compile(listed, SeccompAction::Allow, refuse(libc::EPERM)));
    for filter in &filters {
        match apply_filter(filter) {
            Ok(()) => {}
            Err(Error::Seccomp(error) | Error::Prctl(error)) => {
                return Err(step("restricting system calls")(error));
            }
            Err(error) => return Err(step("restricting system calls")(io::Error::other(error))),
        }
    }
    Ok(Calls::Listed)
}

fn compile(concerned: Concerned, action: SeccompAction, otherwise: SeccompAction) -> BpfProgram {
    let architecture = std::env::consts::ARCH
        .try_into()
        .expect("this module exists only where the architecture is known");
    let filter = SeccompFilter::new(concerned, otherwise, action, architecture);
    filter
        .and_then(BpfProgram::try_from)
        .expect("the lists are constant and short enough, as a test shows")
}

/// All the daemon needs.
fn process() -> Concerned {
    let mut concerned = unconditional(&[PLAIN, CAPTURE, super::list::CLIENT]);
    concerned.extend(memory());
    concerned.insert(libc::SYS_socket, sockets());
    // A thread, never a process.
    let thread = i64::from(libc::CLONE_THREAD).unsigned_abs();
    concerned.insert(
        libc::SYS_clone,
        vec![rule([masked(0, SeccompCmpArgLen::Qword, thread, thread)])],
    );
    // To itself: a panic ends in SIGABRT.
    let own = u64::from(getpid().as_raw_nonzero().get().unsigned_abs());
    concerned.insert(libc::SYS_tgkill, vec![rule([equal(0, own)])]);
    // A thread's and a mapping's name, and what a second, narrower list takes.
    let names = [
        libc::PR_SET_NAME,
        libc::PR_SET_VMA,
        libc::PR_SET_NO_NEW_PRIVS,
    ];
    let named = names.map(|name| rule([equal(0, u64::from(name.unsigned_abs()))]));
    concerned.insert(libc::SYS_prctl, named.into());
    let add = rule([equal(0, u64::from(libc::SECCOMP_SET_MODE_FILTER))]);
    concerned.insert(libc::SYS_seccomp, vec![add]);
    // To ask for a limit, not to set one.
    concerned.insert(
        libc::SYS_prlimit64,
        vec![rule([masked(2, SeccompCmpArgLen::Qword, u64::MAX, 0)])],
    );
    concerned
}

/// Clients of the Internet: streams and datagrams; and the C library's question which families of
/// addresses this machine has.
fn sockets() -> Vec<SeccompRule> {
    let kind_of = |kind: i32| {
        let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        let mask = u64::from(!flags.unsigned_abs());
        masked(
            1,
            SeccompCmpArgLen::Dword,
            mask,
            u64::from(kind.unsigned_abs()),
        )
    };
    let of = |number: i32| u64::from(number.unsigned_abs());
    let mut rules = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        for kind in [libc::SOCK_STREAM, libc::SOCK_DGRAM] {
            rules.push(rule([equal(0, of(family)), kind_of(kind)]));
        }
    }
    rules.push(rule([
        equal(0, of(libc::AF_NETLINK)),
        equal(2, of(libc::NETLINK_ROUTE)),
    ]));
    rules
}

/// Memory is never made executable.
fn memory() -> impl Iterator<Item = (i64, Vec<SeccompRule>)> {
    let executable = u64::from(libc::PROT_EXEC.unsigned_abs());
    [libc::SYS_mmap, libc::SYS_mprotect]
        .into_iter()
        .map(move |call| {
            (
                call,
                vec![rule([masked(2, SeccompCmpArgLen::Dword, executable, 0)])],
            )
        })
}

fn unconditional(lists: &[&[c_long]]) -> Concerned {
    let calls = lists.iter().copied().flatten();
    calls.map(|call| (*call, Vec::new())).collect()
}

fn rule<const N: usize>(conditions: [SeccompCondition; N]) -> SeccompRule {
    SeccompRule::new(conditions.into()).expect("a rule has conditions")
}

fn equal(argument: u8, value: u64) -> SeccompCondition {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
        .expect("a call has six arguments")
}

/// That the bits of `mask` in an argument are those of `value`.
fn masked(argument: u8, length: SeccompCmpArgLen, mask: u64, value: u64) -> SeccompCondition {
    SeccompCondition::new(argument, length, SeccompCmpOp::MaskedEq(mask), value)
        .expect("a call has six arguments")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_compile_and_do_not_contradict_each_other() {
        let listed = process();
        for call in ENEMY.iter().chain(ABSENT) {
            assert!(!listed.contains_key(call), "{call} works and does not");
        }
        for call in NARROW {
            assert!(listed.contains_key(call), "{call}: the asker may do more");
        }
        for concerned in [listed, unconditional(&[ENEMY])] {
            let program = compile(concerned, SeccompAction::Allow, SeccompAction::KillProcess);
            assert!(program.len() > 40);
        }
    }
}
