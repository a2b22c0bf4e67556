//! Privileges, given up for good before the first packet is parsed.
