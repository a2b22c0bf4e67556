//! The suites, none yet.
fn main() {}
