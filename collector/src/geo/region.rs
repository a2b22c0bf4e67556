//! Region tokens: where the owner of a host name itself says that it serves from, `drru` or `-eu`.
//!
//! The public endpoint list knows which of its names carry one, and for which country. A token owes
//! nothing to address databases, so it is an opinion of its own beside theirs; it is wrong when a
//! service moved and kept its name. Light can refute it like any other.

use super::AtlasSource;
use phonehome_proto::endpoint::ENDPOINT_LIST_VERSION;
use std::sync::LazyLock;

/// What they are, for the list of sources on every release.
#[must_use]
pub fn about() -> &'static AtlasSource {
    static ABOUT: LazyLock<AtlasSource> = LazyLock::new(|| AtlasSource {
        name: "region tokens in host names".to_owned(),
        build: format!("endpoint list version {ENDPOINT_LIST_VERSION}"),
        licence: "Phonehome's own list of facts, a source per row".to_owned(),
    });
    &ABOUT
}
