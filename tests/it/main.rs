//! The integration tests, one binary.

mod adversary;
mod bad_input;
mod conservation;
mod demo;
mod devices;
mod fuzz;
mod lists;
mod names;
mod pipeline;
mod privacy;
mod publishing;
mod revision;
mod rotation;
mod simulation;
mod store_contract;
mod tidy;
mod traffic;
mod weeks;
mod wire;
mod withdrawal;
