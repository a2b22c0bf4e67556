//! The integration tests, one binary.

mod bad_input;
mod conservation;
mod fuzz;
mod names;
mod pipeline;
mod tidy;
mod traffic;
mod wire;
