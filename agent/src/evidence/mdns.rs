//! mDNS: what a device announces to its neighbours.
//!
//! Takes a message, gives clues from what the sender says of itself: the services it offers and its
//! model. What it looks for is no clue, because anything looks for anything.

use super::{Clue, Family, weight};
use crate::packet::mdns::Message;
use phonehome_proto::vendor::Vendor;

/// The clues in a message.
pub(super) fn clues(message: &Message, mut learn: impl FnMut(Clue)) {
    for model in &message.models {
        if let Some(&(_, vendor, what, phone_nats)) =
            MODELS.iter().find(|(begins, ..)| model.starts_with(begins))
        {
            let nats = weight::MODEL;
            learn(Clue {
                what,
                nats,
                phone_nats,
                ..Clue::toward(known(vendor), Family::Mdns)
            });
        }
    }
    for service in &message.offers {
        if let Some(&(what, vendor, phone_nats)) =
            SERVICES.iter().find(|(name, ..)| service.as_str() == *name)
        {
            let nats = weight::OWN_SERVICE;
            learn(Clue {
                what,
                nats,
                phone_nats,
                ..Clue::toward(known(vendor), Family::Mdns)
            });
        }
    }
}

/// How models begin in TXT records, and what they are.
const MODELS: [(&str, &str, &str, f64); 8] = [
    ("iPhone", "apple", "model iPhone", weight::PHONE_SURE),
    ("iPad", "apple", "model iPad", weight::PHONE_NEVER),
    ("iPod", "apple", "model iPod", weight::PHONE_NEVER),
    ("Mac", "apple", "model Mac", weight::PHONE_NEVER),
    ("iMac", "apple", "model iMac", weight::PHONE_NEVER),
    ("AppleTV", "apple", "model AppleTV", weight::PHONE_NEVER),
    ("Watch", "apple", "model Watch", weight::PHONE_NEVER),
    (
        "AudioAccessory",
        "apple",
        "model HomePod",
        weight::PHONE_NEVER,
    ),
];

/// Services only one vendor's devices offer.
const SERVICES: [(&str, &str, f64); 3] = [
    ("_apple-mobdev2._tcp", "apple", weight::PHONE_LIKELY),
    ("_companion-link._tcp", "apple", 0.0),
    ("_rdlink._tcp", "apple", 0.0),
];

fn known(id: &str) -> Vendor {
    Vendor::from_id(id).expect("a test looks every id up")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vendor_of_the_tables_exists() {
        let ids = MODELS
            .iter()
            .map(|row| row.1)
            .chain(SERVICES.iter().map(|row| row.1));
        for id in ids {
            assert!(Vendor::from_id(id).is_some(), "{id}");
        }
    }
}
