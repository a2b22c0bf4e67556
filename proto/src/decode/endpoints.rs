//! The payload of a later endpoint list.

use crate::encode;
use crate::endpoint::Class;
use crate::endpoint::later::{LaterList, LaterRow, NotAList};
use crate::limits;
use crate::net::Country;
use crate::time::Day;
use crate::v1;
use prost::Message;
use thiserror::Error;

/// Why a payload is no endpoint list.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ListRefused {
    /// It is longer than a list may be.
    #[error("it has more than {} bytes", limits::ENDPOINT_LIST_BYTES_MAX)]
    TooLarge,
    /// It is no message of this kind, or not in its one canonical form.
    #[error("it cannot be read; a newer agent may be able to")]
    Unreadable,
    /// It breaks a rule that the build would have kept.
    #[error(transparent)]
    NotAList(#[from] NotAList),
}

/// The endpoint list in a payload; as canonical as homes' payloads are. `is_public_suffix` as in
/// [`LaterList::new`].
///
/// # Errors
/// [`ListRefused`].
pub fn endpoint_list(
    payload: &[u8],
    is_public_suffix: &dyn Fn(&str) -> bool,
) -> Result<LaterList, ListRefused> {
    if payload.len() > limits::ENDPOINT_LIST_BYTES_MAX {
        return Err(ListRefused::TooLarge);
    }
    let message = v1::EndpointList::decode(payload).map_err(|_| ListRefused::Unreadable)?;
    let version = message.version;
    let made = Day::new(message.made_day).ok_or(ListRefused::Unreadable)?;
    // A row takes two bytes at least, so that what the bytes allow is bounded before it is looked at.
    let rows = message.endpoints.into_iter().map(row);
    let rows = rows.collect::<Option<Vec<_>>>();
    let rows = rows.ok_or(ListRefused::Unreadable)?;
    let list = LaterList::new(version, made, rows, is_public_suffix)?;
    if encode::endpoint_list(&list) == payload {
        Ok(list)
    } else {
        Err(ListRefused::Unreadable)
    }
}

fn row(endpoint: v1::Endpoint) -> Option<LaterRow> {
    let class = match endpoint.class() {
        v1::EndpointClass::Core => Class::Core,
        v1::EndpointClass::Telemetry => Class::Telemetry,
        v1::EndpointClass::Platform => Class::Platform,
        v1::EndpointClass::Analytics => Class::Analytics,
        v1::EndpointClass::Advertising => Class::Advertising,
        v1::EndpointClass::Unspecified => return None,
    };
    let region = match endpoint.region.as_str() {
        "" => None,
        code => Some(Country::parse(code)?),
    };
    Some(LaterRow {
        id: endpoint.id,
        pattern: endpoint.pattern,
        owner: endpoint.owner,
        class,
        edge: Some(endpoint.edge).filter(|edge| !edge.is_empty()),
        region,
    })
}
