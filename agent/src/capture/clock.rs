//! The kernel's clocks: wall time, time since boot, and whether somebody has set the wall clock.
