//! The kernel's clocks: wall time, time since boot, and whether somebody has set the wall clock.
//!
//! Gives one [`Reading`] of all three. Wall time dates; time since boot expires: it goes on while the
//! machine sleeps and never jumps. A router without a battery boots at the time its firmware was
//! built, or at that of its last shutdown: [`Reading::is_synchronised`] says whether the kernel has
//! since been told the time, as NTP clients do. Times since boot of two starts of the machine have
//! nothing to do with each other: [`BootId`] tells them apart.

use phonehome_proto::id::{from_hex, to_hex};
use phonehome_proto::time::Timestamp;
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::fmt;
use std::fs;

/// The clocks of the running kernel: the one place of the agent that reads them.
#[derive(Clone, Copy, Debug, Default)]
pub struct KernelClock;

/// What the clocks say at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// `CLOCK_REALTIME`. May jump either way when it is set.
    pub wall: Timestamp,
    /// `CLOCK_BOOTTIME`, in nanoseconds: never goes back.
    pub since_boot_nanos: u64,
    /// Whether the kernel holds its wall clock to be right: `adjtimex(2)` reports neither
    /// `TIME_ERROR` nor `STA_UNSYNC`. Whoever sets the clock without saying so, as `date` does,
    /// leaves this `false`.
    pub is_synchronised: bool,
}

/// One start of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootId([u8; 16]);

/// Where the kernel says which; drawn by chance at every start.
pub const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

// === impl KernelClock ===

impl KernelClock {
    /// Reads all clocks.
    #[must_use]
    pub fn read() -> Reading {
        Reading {
            wall: Self::wall(),
            since_boot_nanos: Self::since_boot_nanos(),
            is_synchronised: is_synchronised(),
        }
    }

    /// Which start of the machine time since boot counts from; `None` where the kernel does not say.
    #[must_use]
    pub fn boot_id() -> Option<BootId> {
        let text = fs::read_to_string(BOOT_ID).ok()?;
        let digits: String = text.trim().split('-').collect();
        <[u8; 16]>::try_from(from_hex(&digits)?).ok().map(BootId)
    }

    /// [`Reading::wall`] alone.
    #[must_use]
    pub fn wall() -> Timestamp {
        Timestamp::from_nanos(nanos(clock_gettime(ClockId::Realtime)))
    }

    /// [`Reading::since_boot_nanos`] alone.
    #[must_use]
    pub fn since_boot_nanos() -> u64 {
        let since_boot = nanos(clock_gettime(ClockId::Boottime));
        u64::try_from(since_boot).expect("boot lies in the past")
    }
}

// === impl BootId ===

impl BootId {
    /// The one with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

/// Nanoseconds on a clock; saturates, in the year 2262.
fn nanos(time: Timespec) -> i64 {
    // Some architectures have 32 bits for them.
    #[allow(clippy::useless_conversion, reason = "others have 64")]
    let part = i64::from(time.tv_nsec);
    time.tv_sec
        .saturating_mul(1_000_000_000)
        .saturating_add(part)
}

#[allow(unsafe_code, reason = "no safe crate here wraps adjtimex(2)")]
fn is_synchronised() -> bool {
    // SAFETY: `timex` is a structure of integers, for which zeros are a value; no `modes` are set, so
    // the kernel changes nothing and only fills the structure, which is ours and lives long enough.
    let (state, status) = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        let state = libc::adjtimex(&raw mut timex);
        (state, timex.status)
    };
    state >= 0 && state != libc::TIME_ERROR && status & libc::STA_UNSYNC == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clocks_are_the_kernels() {
        let uptime = fs::read_to_string("/proc/uptime").expect("Linux");
        let seconds: f64 = uptime
            .split(' ')
            .next()
            .and_then(|seconds| seconds.parse().ok())
            .expect("seconds since boot");
        let (first, second) = (KernelClock::read(), KernelClock::read());
        assert!(first.since_boot_nanos as f64 / 1e9 >= seconds - 0.01);
        assert!(second.since_boot_nanos >= first.since_boot_nanos);
        assert!(KernelClock::boot_id().is_some());
        assert_eq!(KernelClock::boot_id(), KernelClock::boot_id());
        let year_2020 = Timestamp::from_seconds(1_577_836_800);
        assert!(first.wall > year_2020, "{}", first.wall);
    }
}
