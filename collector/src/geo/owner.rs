//! Owners of endpoints: the third fact, which no address table knows.
//!
//! It is read from the public endpoint list, where every row names its owner and the country of the
//! owner's seat; the list was reviewed by people and is signed with the project, so it needs no
//! second source. Where a name is registered says nothing about where its servers stand.

use super::{AtlasSource, Place};
use phonehome_proto::endpoint::{ENDPOINT_LIST_VERSION, EndpointId};

/// Where the owner of an endpoint has its seat.
#[must_use]
pub fn place(endpoint: EndpointId) -> Place {
    Place::known(endpoint.owner_country())
}

/// What the list is, for the list of sources on every release.
#[must_use]
pub fn about() -> AtlasSource {
    AtlasSource {
        name: "Phonehome endpoint list".to_owned(),
        build: format!("version {ENDPOINT_LIST_VERSION}"),
        licence: "Phonehome's own list of facts, a source per row".to_owned(),
    }
}
