//! DHCP: what a device says of itself when it joins the network.
//!
//! Takes a message the device wrote, gives clues: its name (option 12), its kind of client (option
//! 60), and the options it asks for (option 55), whose order is the system's handwriting.

use super::{Clue, Family, RulesOut, names, pattern, weight};
use crate::packet::dhcp::Message;
use phonehome_proto::vendor::{System, Vendor};

/// The clues in a message.
pub(super) fn clues(message: &Message<'_>, mut learn: impl FnMut(Clue)) {
    if !message.is_from_client() {
        return;
    }
    if let Some(clue) = message.host_name.as_deref().and_then(names::host_name_clue) {
        learn(clue);
    }
    if let Some(clue) = message.vendor_class.as_deref().and_then(class_clue) {
        learn(clue);
    }
    if let Some(system) = message
        .parameters
        .as_deref()
        .and_then(System::of_wanted_options)
    {
        learn(Clue::of_system(system, Family::DhcpOptions));
    }
}

fn class_clue(class: &[u8]) -> Option<Clue> {
    for vendor in Vendor::all() {
        if let Some(what) = pattern::first_fit(vendor.vendor_class_patterns(), class) {
            return Some(Clue {
                nats: weight::DECISIVE,
                decisive: true,
                phone_nats: weight::PHONE_SURE,
                ..Clue::of_row(vendor, Family::DhcpClass, what)
            });
        }
    }
    let (what, phone_nats, rules_out) = *CLIENTS
        .iter()
        .find_map(|(pattern, says)| pattern::fits(pattern, class).then_some(says))?;
    Some(Clue {
        phone_nats,
        rules_out,
        ..Clue::silent(Family::DhcpClass, what)
    })
}

/// Kinds of client that name a system and no vendor. Android's says no more about being a phone than
/// its list of options does, so it says nothing here.
const CLIENTS: [(&str, (&str, f64, RulesOut)); 3] = [
    ("android-dhcp-*", ("android", 0.0, RulesOut::OwnSystems)),
    (
        "msft *",
        ("windows", weight::PHONE_NEVER, RulesOut::Everybody),
    ),
    (
        "udhcp *",
        ("udhcp", weight::PHONE_NEVER, RulesOut::Everybody),
    ),
];
