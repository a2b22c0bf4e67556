//! Collectors on a database that several of them share, and what of it may break: real servers, real
//! processes, real gRPC.

mod failover;
mod homes;
mod migration;

mod process;
