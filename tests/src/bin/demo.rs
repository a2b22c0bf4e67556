//! The demo, empty yet.
fn main() {}
