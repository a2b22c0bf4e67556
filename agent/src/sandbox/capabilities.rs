//! Capabilities: what root is made of, dropped piece by piece (capabilities(7)).
//!
//! Five sets are emptied: bounding, ambient, inheritable, permitted, effective. Afterwards they are
//! read back; what is still there is an error, never a warning.

use super::{SandboxError, step};
use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set,
    clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
};

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// Nothing.
    Nothing,
    /// Asking connection tracking for its entries, which takes `CAP_NET_ADMIN`.
    NetAdmin,
}

/// Empties the bounding set; `false` where the process may not, and the set is not empty anyway.
///
/// # Errors
/// [`SandboxError::Step`].
pub(super) fn empty_bounding_set() -> Result<bool, SandboxError> {
    let mut empty = true;
    for bit in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        match capability_is_in_bounding_set(capability) {
            Ok(false) => continue,
            Ok(true) => {}
            // The kernel knows no capability of this number, nor of a higher one.
            Err(Errno::INVAL) => break,
            Err(error) => return Err(step("reading the bounding set")(error)),
        }
        match remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            Err(Errno::PERM) => empty = false,
            Err(error) => return Err(step("emptying the bounding set")(error)),
        }
    }
    Ok(empty)
}

/// Drops every capability but those kept.
///
/// # Errors
/// [`SandboxError::Step`], [`SandboxError::StillHeld`].
pub(super) fn drop_all_but(keep: Keep) -> Result<(), SandboxError> {
    let kept = match keep {
        Keep::Nothing => CapabilitySet::empty(),
        Keep::NetAdmin => CapabilitySet::NET_ADMIN,
    };
    let sets = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    match clear_ambient_capability_set() {
        // Kernels before 4.3 have no ambient set.
        Ok(()) | Err(Errno::INVAL) => {}
        Err(error) => return Err(step("emptying the ambient set")(error)),
    }
    set_capabilities(None, sets).map_err(step("dropping capabilities"))?;
    let held = capabilities(None).map_err(step("reading capabilities"))?;
    if held == sets {
        Ok(())
    } else {
        Err(SandboxError::StillHeld("capabilities"))
    }
}
