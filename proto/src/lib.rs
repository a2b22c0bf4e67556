//! The nouns Phonehome is made of, and its wire.
//!
//! The modules stand in the order data meets them. The first group are *nouns*: leaf modules with
//! no I/O, no async, no protobuf and no serde. The second group is the *wire*: the only place in
//! the project that knows protobuf. `README.md` beside this crate is the normative text of the wire;
//! whoever reads only that file and the `.proto` files can write a second agent.

// nouns
pub mod chance;
pub mod id;
pub mod time;

pub mod net;
pub mod scale;
pub mod vendor;

pub mod endpoint;

pub mod observation;

pub mod batch;
pub mod census;

pub mod seal;

pub mod release_key;

pub mod consent;
pub mod enrolment;
pub mod manifest;
pub mod receipt;
pub mod rotation;
pub mod withdrawal;

pub mod limits;
pub mod reject;

// wire
pub mod decode;
pub mod encode;
pub mod status;

/// What `protox` and `tonic-prost-build` make of `phonehome/v1/*.proto`.
///
/// Only [`encode`], [`decode`] and [`status`] look inside the messages of homes; others use the generated
/// client and server, and pass messages through. What an `Observatory` says is made where its tables
/// are.
#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::or_fun_call,
    clippy::use_self,
    reason = "generated code"
)]
pub mod v1 {
    tonic::include_proto!("phonehome.v1");

    /// The compiled description of the package, for gRPC reflection.
    pub const FILE_DESCRIPTOR_SET: &[u8] =
        include_bytes!(concat!(env!("OUT_DIR"), "/phonehome.v1.bin"));
}

/// The version every crate of the workspace shares; homes report it in each batch.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
