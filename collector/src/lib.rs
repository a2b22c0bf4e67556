//! The observatory.
//!
//! One module per arrow, in the order the data takes; each makes the type named beside it, and
//! nothing downstream can hold a value that skipped a step. `run` alone sees every stage.
//!
//! ```text
//! intake    SealedBatch    untrusted bytes
//! verify    VerifiedBatch  trust begins here
//! journal   Accepted       sealed, durable, deduplicated; then the acknowledgement
//! fold      HomeWeek       one home at a time, in memory only
//! enrich    Located        place, network, owner; one dated Atlas
//! count     Counters       at most one per home; they add
//! release   Release        gated, rounded, bounded, final
//! format    tables, CSV, JSON
//! api       the same over HTTP
//! publish   maps and files, signed
//! ```

pub mod admin;
pub mod backup;
pub mod config;
pub mod envelope;
pub mod identity;
pub mod metrics;
pub mod packing;
pub mod readiness;
pub mod secret_file;

pub mod intake;
mod line;
pub mod registry;

pub mod verify;

pub mod journal;
pub mod ledger;
pub mod revocation;
pub mod store;
pub mod weeks;
pub mod withdrawal;

pub mod fold;

pub mod enrich;
pub mod geo;
pub mod owners;

pub mod count;
pub mod stats;

pub mod release;

pub mod format;

pub mod api;
pub mod map;
pub mod publish;
pub mod query;
pub mod site;

pub mod run;
