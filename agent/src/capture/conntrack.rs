//! The kernel's connection table over netlink: read whole, then followed by events.
