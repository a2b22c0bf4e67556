//! Whom the daemon becomes.
//!
//! Reads `/etc/passwd` itself: a static program has no name service, and a daemon that is about to give
//! up its rights should not load one. The switch concerns the calling thread, which is the only one.

use super::{SandboxError, step};
use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use std::fs;

/// An ordinary user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

const PASSWD: &str = "/etc/passwd";

/// The user with this name.
///
/// # Errors
/// [`SandboxError::NoSuchUser`], [`SandboxError::UserIsRoot`], [`SandboxError::Step`].
pub(super) fn find(name: &str) -> Result<Account, SandboxError> {
    let text = fs::read(PASSWD).map_err(step("reading /etc/passwd"))?;
    let account = accounts(&String::from_utf8_lossy(&text))
        .find(|account| account.name == name)
        .ok_or_else(|| SandboxError::NoSuchUser(name.to_owned()))?;
    if account.uid == 0 || account.gid == 0 {
        return Err(SandboxError::UserIsRoot(account.name));
    }
    Ok(account)
}

/// What the user with this number is called; the number, where nobody says.
pub(super) fn name_of(uid: Uid) -> String {
    let text = fs::read(PASSWD).unwrap_or_default();
    accounts(&String::from_utf8_lossy(&text))
        .find(|account| account.uid == uid.as_raw())
        .map_or_else(|| uid.as_raw().to_string(), |account| account.name)
}

/// Becomes that user, in every sense and without a way back.
///
/// # Errors
/// [`SandboxError::Step`].
pub(super) fn become_one(account: &Account) -> Result<(), SandboxError> {
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    set_thread_groups(&[]).map_err(step("leaving all groups"))?;
    set_thread_res_gid(gid, gid, gid).map_err(step("changing the group"))?;
    set_thread_res_uid(uid, uid, uid).map_err(step("changing the user"))
}

/// The rows of a passwd file (passwd(5)) that have a name and two numbers.
fn accounts(text: &str) -> impl Iterator<Item = Account> {
    text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, _password) = (fields.next()?, fields.next()?);
        Some(Account {
            name: name.to_owned(),
            uid: fields.next()?.parse().ok()?,
            gid: fields.next()?.parse().ok()?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passwd_file_is_read_as_it_is_written() {
        let text = "root:x:0:0:root:/root:/bin/ash\n\n# nothing\nhalf:x:1\n\
                    phonehome:*:881:882::/var:/bin/false\n";
        let read: Vec<_> = accounts(text).collect();
        assert_eq!(read.len(), 2);
        assert_eq!((read[1].uid, read[1].gid), (881, 882));
        assert_eq!(read[1].name, "phonehome");
    }

    #[test]
    fn nobody_becomes_root_or_an_unknown() {
        assert!(matches!(find("root"), Err(SandboxError::UserIsRoot(_))));
        let unknown = find("no such user");
        assert!(matches!(unknown, Err(SandboxError::NoSuchUser(_))));
        assert_eq!(name_of(Uid::from_raw(0)), "root");
    }
}
