//! The agent, empty yet.
fn main() {}
