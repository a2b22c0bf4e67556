//! The collector, empty yet.
fn main() {}
