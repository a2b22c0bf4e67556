//! Every bound that both sides share, and what must hold between them.
//!
//! Each is stated once, here; the assertions below are checked by the compiler.

/// Bytes of one payload. A larger one is refused, `too_large`.
pub const PAYLOAD_BYTES_MAX: usize = 256 * 1024;

/// Observations in one batch. An agent starts another batch of the same day.
pub const BATCH_OBSERVATIONS_MAX: usize = 1_024;

/// Bytes of one encoded observation, at most: twelve fields, none over 11 bytes but the destination.
pub const OBSERVATION_BYTES_MAX: usize = 96;

/// Batches in one Submit request. Further ones are refused, `too_many`.
pub const REQUEST_BATCHES_MAX: usize = 64;

/// Bytes of one request after decompression. gRPC refuses a larger one.
pub const REQUEST_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes an envelope adds to its payload: type, key, signature and their frames.
pub const ENVELOPE_BYTES_MAX: usize = 256;

/// How far ahead a home's clock may run before its day is `too_early`.
pub const SKEW_SECONDS_MAX: i64 = 300;

/// A week's batches are accepted until so long after its end.
pub const WEEK_ACCEPT_SECONDS: i64 = 4 * DAY_SECONDS;

/// A week's key, journal and dedupe rows are destroyed so long after its end.
pub const WEEK_DESTROY_SECONDS: i64 = 7 * DAY_SECONDS;

/// No batch lives longer, from the first moment of the week it speaks of.
pub const BATCH_LIFE_SECONDS_MAX: i64 = 14 * DAY_SECONDS;

/// A manifest is valid at most so long.
pub const MANIFEST_VALID_SECONDS_MAX: i64 = 14 * DAY_SECONDS;

/// Bytes of a manifest's privacy label.
pub const PRIVACY_LABEL_BYTES_MAX: usize = 4 * 1024;

/// Endpoint-list versions a manifest can count.
pub const ENDPOINT_LIST_VERSIONS_MAX: usize = 64;

/// Bytes of an endpoint list's payload. Memory on a router bounds it, not the wire.
pub const ENDPOINT_LIST_BYTES_MAX: usize = 128 * 1024;

/// Endpoints of a list that is loaded.
pub const ENDPOINT_LIST_ROWS_MAX: usize = 2_048;

/// Keys a home has replaced that still verify batches of its past; a further rotation waits,
/// `too_many`, until the oldest is forgotten with its week.
pub const RETIRED_KEYS_MAX: u32 = 8;

/// Days, from the day it enrolled, of which nothing counts that a home reports which came without an
/// invite to a collector that is open to all.
pub const PROBATION_DAYS: u32 = 7;

/// A home that waits for approval is forgotten after so long.
pub const PENDING_SECONDS: i64 = 60 * DAY_SECONDS;

/// A collector can repeat the receipt of a withdrawal for so long.
pub const ERASURE_KEPT_SECONDS: i64 = 90 * DAY_SECONDS;

/// The gate's k: homes behind a shown cell, each network's counted up to [`NETWORK_HOMES_MAX`].
pub const GATE_HOMES_MIN: u32 = 10;

/// Homes of one network that weigh in the gate.
pub const NETWORK_HOMES_MAX: u32 = 4;

/// Counts are rounded to multiples of this.
pub const ROUNDING: u32 = 5;

/// Homes a home country needs before it gets a column of its own.
pub const HOME_COUNTRY_HOMES_MIN: u32 = 50;

/// Days of a week on which a vendor's phone must have been present for its home to count.
pub const PRESENT_DAYS_MIN: u32 = 4;

const DAY_SECONDS: i64 = 86_400;

// A full batch fits its payload; a full payload and its envelope fit a request.
const _: () =
    assert!(BATCH_OBSERVATIONS_MAX * OBSERVATION_BYTES_MAX + 16 * 1024 <= PAYLOAD_BYTES_MAX);
const _: () = assert!(PAYLOAD_BYTES_MAX + ENVELOPE_BYTES_MAX <= REQUEST_BYTES_MAX);
// A list goes in an envelope like everything else.
const _: () = assert!(ENDPOINT_LIST_BYTES_MAX <= PAYLOAD_BYTES_MAX);
// Dedupe rows outlive the age at which a batch is refused, or a late repetition would count again.
const _: () = assert!(WEEK_DESTROY_SECONDS >= WEEK_ACCEPT_SECONDS + SKEW_SECONDS_MAX);
// A batch of a Monday is gone 14 days later.
const _: () = assert!(7 * DAY_SECONDS + WEEK_DESTROY_SECONDS <= BATCH_LIFE_SECONDS_MAX);
// The gate cannot be passed by two networks.
const _: () = assert!(2 * NETWORK_HOMES_MAX < GATE_HOMES_MIN);
