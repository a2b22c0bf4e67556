//! Hellos as clients write them, for tests.

use super::tls::CLIENT_HELLO;

pub(super) const SESSION_ID_BYTES: usize = 32;

/// What a ClientHello holds besides its fixed fields.
#[derive(Clone, Debug, Default)]
pub(super) struct Hello {
    extensions: Vec<(u16, Vec<u8>)>,
}

impl Hello {
    /// A hello as large as those with post-quantum key shares, the name behind the key share as
    /// browsers that shuffle may put it.
    pub(super) fn naming(name: &str) -> Self {
        let mut key_share = vec![0x04, 0xc0];
        key_share.resize(1216, 0x5a);
        Self::default()
            .with(0x2a2a, b"")
            .with(51, &key_share)
            .with_name(name)
            .with(16, b"\0\x03\x02h2")
    }

    pub(super) fn with(mut self, kind: u16, data: &[u8]) -> Self {
        self.extensions.push((kind, data.to_vec()));
        self
    }

    pub(super) fn with_name(self, name: &str) -> Self {
        let mut list = vec![0];
        list.extend(vec16(name.as_bytes()));
        self.with(0, &vec16(&list))
    }

    pub(super) fn with_ech(self) -> Self {
        self.with(0xfe0d, &[0; 180])
    }

    /// From the version to the last extension.
    pub(super) fn body(&self) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([0x11; 32]);
        body.push(u8::try_from(SESSION_ID_BYTES).expect("one byte"));
        body.extend([0x22; SESSION_ID_BYTES]);
        body.extend(vec16(&[0x13, 0x01, 0x13, 0x02]));
        body.extend([1, 0]);
        let extensions: Vec<u8> = self
            .extensions
            .iter()
            .flat_map(|(kind, data)| [kind.to_be_bytes().to_vec(), vec16(data)].concat())
            .collect();
        body.extend(vec16(&extensions));
        body
    }

    /// With the header of a handshake message.
    pub(super) fn message(&self) -> Vec<u8> {
        let body = self.body();
        let length = u32::try_from(body.len()).expect("small").to_be_bytes();
        [&[CLIENT_HELLO], &length[1..], &body].concat()
    }

    /// In one TLS record.
    pub(super) fn record(&self) -> Vec<u8> {
        record(&self.message())
    }

    /// In TLS records of at most so many bytes.
    pub(super) fn records(&self, fragment_bytes: usize) -> Vec<u8> {
        self.message()
            .chunks(fragment_bytes)
            .flat_map(record)
            .collect()
    }
}

/// A handshake record.
pub(super) fn record(fragment: &[u8]) -> Vec<u8> {
    [&[22, 3, 1][..], &vec16(fragment)].concat()
}

/// Bytes behind their length.
pub(super) fn vec16(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len())
        .expect("two bytes of length")
        .to_be_bytes();
    [&length, bytes].concat()
}
