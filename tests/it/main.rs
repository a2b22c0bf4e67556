//! The integration tests, one binary.

mod adversary;
mod bad_input;
mod conservation;
mod demo;
mod devices;
mod fuzz;
mod names;
mod pipeline;
mod privacy;
mod publishing;
mod rotation;
mod store_contract;
mod tidy;
mod traffic;
mod weeks;
mod wire;
mod withdrawal;
