//! TLS ClientHellos with the extensions phones send (RFC 8446, section 4.1.2).

use phonehome_proto::chance::Chance;

/// What makes one hello differ from another.
#[derive(Clone, Copy, Debug)]
pub struct Hello<'a> {
    /// The server's name, as SNI.
    pub name: &'a str,
    /// Application protocols offered, such as `h2`.
    pub protocols: &'a [&'a str],
    /// Whether a GREASE Encrypted ClientHello extension goes along (RFC 9849).
    pub grease_ech: bool,
    /// Whether the key share is post-quantum: 1,216 bytes more, which no longer fit one segment.
    pub post_quantum: bool,
    /// Whether it is for QUIC: then it carries transport parameters and no session id.
    pub quic: bool,
}

/// The handshake message, without a record around it.
#[must_use]
pub fn handshake(hello: Hello<'_>, chance: &mut impl Chance) -> Vec<u8> {
    let mut body = vec![0x03, 0x03];
    body.extend(random(chance, 32));
    if hello.quic {
        body.push(0);
    } else {
        body.push(32);
        body.extend(random(chance, 32));
    }
    // A GREASE suite (RFC 8701), then TLS 1.3's three.
    nested(
        &mut body,
        2,
        &[0x8a, 0x8a, 0x13, 0x01, 0x13, 0x02, 0x13, 0x03],
    );
    body.extend([1, 0]);

    let mut extensions = Vec::new();
    extension(&mut extensions, 0x9a9a, &[]);
    let mut server_name = vec![0];
    nested(&mut server_name, 2, hello.name.as_bytes());
    extension(&mut extensions, 0, &nest(2, &server_name));
    extension(&mut extensions, 23, &[]);
    extension(
        &mut extensions,
        10,
        &nest(2, &[0x11, 0xec, 0x00, 0x1d, 0x00, 0x17]),
    );
    let protocols: Vec<u8> = hello
        .protocols
        .iter()
        .flat_map(|name| nest(1, name.as_bytes()))
        .collect();
    extension(&mut extensions, 16, &nest(2, &protocols));
    extension(
        &mut extensions,
        13,
        &nest(2, &[0x04, 0x03, 0x08, 0x04, 0x04, 0x01]),
    );
    let mut shares = Vec::new();
    if hello.post_quantum {
        shares.extend([0x11, 0xec]);
        nested(&mut shares, 2, &random(chance, 1_216));
    }
    shares.extend([0x00, 0x1d]);
    nested(&mut shares, 2, &random(chance, 32));
    extension(&mut extensions, 51, &nest(2, &shares));
    extension(&mut extensions, 43, &nest(1, &[0x03, 0x04]));
    if hello.grease_ech {
        // Outer; HKDF-SHA256 with AES-128-GCM; config 0; a key; a payload of the usual length.
        let mut ech = vec![0, 0, 1, 0, 1, 0];
        nested(&mut ech, 2, &random(chance, 32));
        nested(&mut ech, 2, &random(chance, 208));
        extension(&mut extensions, 0xfe0d, &ech);
    }
    if hello.quic {
        // initial_max_data and an empty source connection id (RFC 9000, section 18.2).
        extension(
            &mut extensions,
            57,
            &[0x04, 0x04, 0x80, 0x10, 0x00, 0x00, 0x0f, 0x00],
        );
    }
    nested(&mut body, 2, &extensions);

    let mut message = vec![1];
    nested(&mut message, 3, &body);
    message
}

/// The same in one TLS record, as TCP carries it.
#[must_use]
pub fn record(hello: Hello<'_>, chance: &mut impl Chance) -> Vec<u8> {
    let mut record = vec![0x16, 0x03, 0x01];
    nested(&mut record, 2, &handshake(hello, chance));
    record
}

/// The beginning of what a server answers: a ServerHello in its record.
#[must_use]
pub fn server_record(chance: &mut impl Chance) -> Vec<u8> {
    let mut body = vec![0x03, 0x03];
    body.extend(random(chance, 32));
    body.extend([0, 0x13, 0x01, 0]);
    let mut extensions = Vec::new();
    extension(&mut extensions, 43, &[0x03, 0x04]);
    let mut share = vec![0x00, 0x1d];
    nested(&mut share, 2, &random(chance, 32));
    extension(&mut extensions, 51, &share);
    nested(&mut body, 2, &extensions);
    let mut message = vec![2];
    nested(&mut message, 3, &body);
    let mut record = vec![0x16, 0x03, 0x03];
    nested(&mut record, 2, &message);
    record
}

fn extension(bytes: &mut Vec<u8>, kind: u16, data: &[u8]) {
    bytes.extend(kind.to_be_bytes());
    nested(bytes, 2, data);
}

/// Appends `data` behind its length in `width` bytes.
fn nested(bytes: &mut Vec<u8>, width: usize, data: &[u8]) {
    let length = u32::try_from(data.len())
        .expect("a hello is short")
        .to_be_bytes();
    bytes.extend(&length[4 - width..]);
    bytes.extend(data);
}

fn nest(width: usize, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(width + data.len());
    nested(&mut bytes, width, data);
    bytes
}

fn random(chance: &mut impl Chance, bytes: usize) -> Vec<u8> {
    let mut random = vec![0; bytes];
    chance.fill(&mut random);
    random
}
