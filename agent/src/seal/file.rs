//! A sealed payload as a file.
//!
//! Four lines of text, then the payload's bytes as they are, so that what was signed can be looked
//! at with a pager and cut out with `tail`:
//!
//! ```text
//! phonehome sealed 1
//! application/vnd.phonehome.batch.v1+protobuf
//! <public key, 64 hexadecimal digits>
//! <signature, 128 hexadecimal digits>
//! <payload, to the end of the file>
//! ```
//!
//! The form checks nothing but itself; who reads one opens it with the key it should be signed with.

use phonehome_proto::id::{from_hex, to_hex};
use phonehome_proto::limits;
use phonehome_proto::seal::SealedBatch;
use thiserror::Error;

/// Bytes of the largest such file: a full payload and its four lines.
pub const FILE_BYTES_MAX: usize = limits::PAYLOAD_BYTES_MAX + 512;

const FIRST_LINE: &str = "phonehome sealed 1";

/// Bytes that are no sealed payload.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("line {line} is not {expected}")]
pub struct NotSealed {
    /// Counted from 1.
    pub line: u32,
    /// What stands there in a sound file.
    pub expected: &'static str,
}

/// The file that holds `sealed`.
#[must_use]
pub fn to_bytes(sealed: &SealedBatch) -> Vec<u8> {
    let (key, signature) = (to_hex(&sealed.public_key), to_hex(&sealed.signature));
    let mut bytes = format!(
        "{FIRST_LINE}\n{}\n{key}\n{signature}\n",
        sealed.payload_type
    )
    .into_bytes();
    bytes.extend_from_slice(&sealed.payload);
    bytes
}

/// The sealed payload a file holds, not yet verified.
///
/// # Errors
/// [`NotSealed`] names the first line that is not as it should be.
pub fn from_bytes(bytes: &[u8]) -> Result<SealedBatch, NotSealed> {
    let mut parts = bytes.splitn(5, |&byte| byte == b'\n');
    let mut line = |line, expected| {
        let text = parts.next().and_then(|part| std::str::from_utf8(part).ok());
        text.ok_or(NotSealed { line, expected })
    };
    let hex = |text: &str, line, expected, len| {
        from_hex(text)
            .filter(|bytes| bytes.len() == len)
            .ok_or(NotSealed { line, expected })
    };

    let expected = "'phonehome sealed 1'";
    if line(1, expected)? != FIRST_LINE {
        return Err(NotSealed { line: 1, expected });
    }
    let payload_type = line(2, "a payload type")?.to_owned();
    let expected = "a public key of 64 hexadecimal digits";
    let public_key = hex(line(3, expected)?, 3, expected, 32)?;
    let expected = "a signature of 128 hexadecimal digits";
    let signature = hex(line(4, expected)?, 4, expected, 64)?;
    let payload = parts
        .next()
        .ok_or(NotSealed {
            line: 5,
            expected: "a payload",
        })?
        .to_vec();
    Ok(SealedBatch {
        payload_type,
        payload,
        public_key,
        signature,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use phonehome_proto::seal::{PayloadType, SigningKey};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(payload: Vec<u8>, seed: [u8; 32]) {
            let key = SigningKey::from_seed(&seed);
            let sealed = SealedBatch::seal(PayloadType::Batch, payload, &key);
            prop_assert_eq!(from_bytes(&to_bytes(&sealed)), Ok(sealed));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            if let Ok(sealed) = from_bytes(&bytes) {
                prop_assert_eq!(to_bytes(&sealed).to_ascii_lowercase(), bytes.to_ascii_lowercase());
            }
        }
    }

    #[test]
    fn a_full_payload_fits() {
        let key = SigningKey::from_seed(&[1; 32]);
        let full = vec![0xff; limits::PAYLOAD_BYTES_MAX];
        for payload_type in PayloadType::ALL {
            let sealed = SealedBatch::seal(payload_type, full.clone(), &key);
            assert!(to_bytes(&sealed).len() <= FILE_BYTES_MAX);
        }
    }

    #[test]
    fn a_refusal_names_the_line() {
        let key = SigningKey::from_seed(&[1; 32]);
        let sound = to_bytes(&SealedBatch::seal(PayloadType::Batch, vec![10, 10], &key));
        for cut in 0..sound.len() - 2 {
            assert!(from_bytes(&sound[..cut]).is_err(), "cut at {cut}");
        }
        let lines = |text: &str| from_bytes(text.as_bytes()).map_err(|e| e.line);
        assert_eq!(lines("something else\n"), Err(1));
        assert_eq!(lines("phonehome sealed 1\na/b\nzz\n"), Err(3));
        assert_eq!(
            lines(&format!(
                "phonehome sealed 1\na/b\n{}\n00\n",
                "0".repeat(64)
            )),
            Err(4)
        );
    }
}
