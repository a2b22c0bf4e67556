//! Landlock: which files and ports are left (landlock(7)).
//!
//! Best effort: each kernel enforces what it knows. From ABI 1 files, from 4 TCP ports, from 6 signals
//! and abstract sockets. No right to execute is ever given.

use super::{Confinement, SandboxError};
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, NetPort, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// What the kernel enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landlock {
    /// Nothing: this kernel has no Landlock, or does not switch it on.
    None,
    /// What this version of its interface knows.
    Abi(u8),
}

/// The newest interface whose rights are asked for; all of them were tried.
const RIGHTS: ABI = ABI::V6;

/// Where the C library looks when it resolves the collector's name.
///
/// The folder, because a rule holds to a file and not to a name, and DHCP clients put a new
/// `resolv.conf` in the old one's place. What only root may read there stays so.
const ETC: &str = "/etc";
const RESOLVER: &str = "/etc/resolv.conf";

/// DNS: an answer that is too long for a datagram is asked for again over TCP, at any resolver.
const DNS: u16 = 53;

/// Leaves the folders, what is read, and the collector's port with the one that its name is asked at.
///
/// # Errors
/// [`SandboxError::Landlock`] where the kernel has Landlock and refuses.
pub(super) fn restrict(confinement: &Confinement) -> Result<Landlock, SandboxError> {
    let mut reads = confinement.reads.clone();
    reads.push(ETC.into());
    reads.extend(beyond_etc(Path::new(RESOLVER)));
    let ruleset = everything()?
        .add_rules(path_beneath_rules(&confinement.folders, to_write()))?
        .add_rules(path_beneath_rules(&reads, to_read()))?;
    let ruleset = match confinement.collector_port {
        Some(port) => ruleset
            .add_rule(NetPort::new(port, AccessNet::ConnectTcp))?
            .add_rule(NetPort::new(DNS, AccessNet::ConnectTcp))?,
        None => ruleset,
    };
    enforce(ruleset)
}

/// Leaves nothing.
///
/// # Errors
/// [`SandboxError::Landlock`].
pub(super) fn forbid() -> Result<Landlock, SandboxError> {
    enforce(everything()?)
}

/// A set of rules that covers all there is, and allows nothing yet.
fn everything() -> Result<RulesetCreated, RulesetError> {
    Ruleset::default()
        .handle_access(AccessFs::from_all(RIGHTS))?
        .handle_access(AccessNet::from_all(RIGHTS))?
        .scope(Scope::from_all(RIGHTS))?
        .create()
}

fn to_read() -> BitFlags<AccessFs> {
    AccessFs::ReadFile | AccessFs::ReadDir
}

/// Regular files and folders: made, read, replaced, removed. No devices, sockets or links.
fn to_write() -> BitFlags<AccessFs> {
    to_read()
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
}

fn enforce(ruleset: RulesetCreated) -> Result<Landlock, SandboxError> {
    let status = ruleset.restrict_self()?;
    Ok(match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => Landlock::None,
        (_, LandlockStatus::Available { effective_abi, .. }) => {
            Landlock::Abi(u8::try_from(effective_abi as i32).unwrap_or(u8::MAX))
        }
        (_, _) => Landlock::None,
    })
}

/// Where `resolv.conf` really is, if it is a link out of `/etc`: its folder if that holds nothing but
/// such files, else the file alone. Lost when the file is replaced, it is as if it were missing: the C
/// library then asks 127.0.0.1, which on routers is who answers.
fn beyond_etc(link: &Path) -> Option<PathBuf> {
    let file = fs::canonicalize(link).ok()?;
    let folder = file.parent()?;
    if folder.starts_with(ETC) {
        return None;
    }
    let shared = ["/tmp", "/run", "/var", "/var/run", "/var/tmp"];
    let is_shared = shared.iter().any(|shared| folder == Path::new(shared));
    Some(if is_shared { file } else { folder.to_owned() })
}

impl fmt::Display for Landlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("no Landlock in this kernel"),
            Self::Abi(version) => write!(f, "Landlock {version}"),
        }
    }
}
