//! DHCP messages as phones and home routers exchange them (RFC 2131, RFC 2132).

use super::frame::{self, Frame, Link, Mac};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// What a phone says about itself when it asks for an address.
#[derive(Clone, Copy, Debug)]
pub struct Manners<'a> {
    /// Option 12, its host name.
    pub host_name: Option<&'a str>,
    /// Option 60, its vendor class.
    pub vendor_class: Option<&'a str>,
    /// Option 55, what it wishes to know, in its own order.
    pub wishes: &'a [u8],
}

/// The four steps to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Is there anybody?
    Discover,
    /// Here is an address.
    Offer,
    /// I take this one.
    Request,
    /// It is yours.
    Acknowledge,
}

/// One message between the phone and the router.
#[must_use]
pub fn message(
    step: Step,
    phone: Mac,
    router: (Mac, Ipv4Addr),
    address: Ipv4Addr,
    transaction: u32,
    manners: Manners<'_>,
) -> Frame {
    let (router_mac, router_address) = router;
    let from_phone = matches!(step, Step::Discover | Step::Request);
    let mut bytes = vec![if from_phone { 1 } else { 2 }, 1, 6, 0];
    bytes.extend(transaction.to_be_bytes());
    bytes.extend([0; 8]);
    bytes.extend(
        if from_phone {
            Ipv4Addr::UNSPECIFIED
        } else {
            address
        }
        .octets(),
    );
    bytes.extend(
        if from_phone {
            Ipv4Addr::UNSPECIFIED
        } else {
            router_address
        }
        .octets(),
    );
    bytes.extend([0; 4]);
    bytes.extend(phone);
    bytes.resize(236, 0);
    bytes.extend([0x63, 0x82, 0x53, 0x63]);
    let kind = match step {
        Step::Discover => 1,
        Step::Offer => 2,
        Step::Request => 3,
        Step::Acknowledge => 5,
    };
    option(&mut bytes, 53, &[kind]);
    if from_phone {
        option(&mut bytes, 61, &[&[1], &phone[..]].concat());
        if step == Step::Request {
            option(&mut bytes, 50, &address.octets());
        }
        option(&mut bytes, 57, &1_500u16.to_be_bytes());
        if let Some(class) = manners.vendor_class {
            option(&mut bytes, 60, class.as_bytes());
        }
        if let Some(name) = manners.host_name {
            option(&mut bytes, 12, name.as_bytes());
        }
        option(&mut bytes, 55, manners.wishes);
    } else {
        option(&mut bytes, 54, &router_address.octets());
        option(&mut bytes, 51, &86_400u32.to_be_bytes());
        option(&mut bytes, 1, &[255, 255, 255, 0]);
        option(&mut bytes, 3, &router_address.octets());
        option(&mut bytes, 6, &router_address.octets());
    }
    bytes.push(255);

    let client = |ip: Ipv4Addr| SocketAddr::new(IpAddr::V4(ip), 68);
    let server = |ip: Ipv4Addr| SocketAddr::new(IpAddr::V4(ip), 67);
    if from_phone {
        let link = Link {
            from: phone,
            to: [0xff; 6],
        };
        frame::udp(
            link,
            client(Ipv4Addr::UNSPECIFIED),
            server(Ipv4Addr::BROADCAST),
            &bytes,
        )
    } else {
        let link = Link {
            from: router_mac,
            to: phone,
        };
        frame::udp(link, server(router_address), client(address), &bytes)
    }
}

fn option(bytes: &mut Vec<u8>, code: u8, value: &[u8]) {
    bytes.push(code);
    bytes.push(u8::try_from(value.len()).expect("an option of ours is below 256 bytes"));
    bytes.extend(value);
}
