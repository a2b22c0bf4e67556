//! HTTP/1 requests: the host they are for.
//!
//! Takes the bytes of a stream from where a request may begin, gives a [`Reading`]. The host is that
//! of an absolute target, else of the first `Host` line (RFC 9112, sections 3.2 and 5; folded lines
//! too); its port is not part of a name. A `CONNECT` names the far end of a tunnel, which is the
//! flow's name only while nothing inside the tunnel says better.

use super::{Findings, Reading, ServerName};

/// Reads a request from its first byte.
#[must_use]
pub fn read(stream: &[u8]) -> Reading {
    let Some(method) = method(stream) else {
        let may_become_one = METHODS.iter().any(|method| method.starts_with(stream));
        return if may_become_one {
            Reading::Partial(Findings::default())
        } else {
            Reading::Foreign
        };
    };
    let Some((line, headers)) = split_line(stream) else {
        let text = stream.strip_suffix(b"\r").unwrap_or(stream);
        return if is_text(text) {
            Reading::Partial(Findings::default())
        } else {
            Reading::Foreign
        };
    };
    let Some(target) = target(&line[method.len()..]) else {
        return Reading::Foreign;
    };
    if method == b"CONNECT " {
        return Reading::Whole(Findings {
            tunnel: true,
            ..host(target)
        });
    }
    if let Some(authority) = authority(target) {
        return Reading::Whole(host(authority));
    }
    read_headers(headers)
}

/// Looks for the `Host` line.
fn read_headers(mut rest: &[u8]) -> Reading {
    loop {
        let Some((line, mut after)) = split_line(rest) else {
            return Reading::Partial(Findings::default());
        };
        if line.is_empty() {
            return Reading::Whole(Findings::default());
        }
        let Some(value) = host_value(line) else {
            rest = after;
            continue;
        };
        let mut value = value.trim_ascii();
        // A line that begins with white space continues the one before it; nothing of a host name
        // can stand on two lines, so the first text is the value.
        loop {
            match after {
                [] => return Reading::Partial(host(value)),
                [b' ' | b'\t', ..] => {}
                _ => return Reading::Whole(host(value)),
            }
            let Some((folded, next)) = split_line(after) else {
                return Reading::Partial(host(value));
            };
            let folded = folded.trim_ascii();
            if value.is_empty() {
                value = folded;
            } else if !folded.is_empty() {
                return Reading::Whole(Findings {
                    name_refused: true,
                    ..Findings::default()
                });
            }
            after = next;
        }
    }
}

/// The value of a line, if it is a `Host` line.
fn host_value(line: &[u8]) -> Option<&[u8]> {
    let (name, value) = line.split_at_checked(5)?;
    name.eq_ignore_ascii_case(b"host:").then_some(value)
}

/// The findings an authority comes to: `user@host:port`, of which only the host counts.
fn host(authority: &[u8]) -> Findings {
    let at = authority.iter().rposition(|byte| *byte == b'@');
    let host_and_port = &authority[at.map_or(0, |at| at + 1)..];
    let colon = host_and_port.iter().rposition(|byte| *byte == b':');
    let host = match colon {
        Some(colon) if host_and_port[colon + 1..].iter().all(u8::is_ascii_digit) => {
            &host_and_port[..colon]
        }
        _ => host_and_port,
    };
    let name = ServerName::parse(host);
    Findings {
        name_refused: name.is_none() && !host.is_empty(),
        name,
        ..Findings::default()
    }
}

/// The authority of an absolute target, `http://AUTHORITY/path`.
fn authority(target: &[u8]) -> Option<&[u8]> {
    let scheme = target
        .iter()
        .take_while(|byte| byte.is_ascii_alphabetic())
        .count();
    let rest = target[scheme..].strip_prefix(b"://")?;
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#'));
    (scheme > 0).then(|| &rest[..end.unwrap_or(rest.len())])
}

/// The target on a request line whose method is cut off. Spaces inside it are wrong and common.
fn target(line: &[u8]) -> Option<&[u8]> {
    let (target, version) = line.split_at_checked(line.len().checked_sub(VERSION_BYTES)?)?;
    let right = matches!(
        version,
        [b' ', b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9']
    );
    (right && !target.is_empty() && is_text(target)).then_some(target)
}

/// The method and the space behind it.
fn method(stream: &[u8]) -> Option<&'static [u8]> {
    METHODS
        .iter()
        .copied()
        .find(|method| stream.starts_with(method))
}

/// The first line without its end, and what follows it.
fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let line = &bytes[..end];
    Some((line.strip_suffix(b"\r").unwrap_or(line), &bytes[end + 1..]))
}

fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte >= b' ' && *byte != 0x7f)
}

/// ` HTTP/1.1`.
const VERSION_BYTES: usize = 9;

/// The methods of the IANA registry that clients use, those of UPnP events and of RPC over HTTP,
/// each with the space that ends it.
const METHODS: [&[u8]; 36] = [
    b"GET ",
    b"POST ",
    b"HEAD ",
    b"PUT ",
    b"DELETE ",
    b"CONNECT ",
    b"OPTIONS ",
    b"PATCH ",
    b"TRACE ",
    b"ACL ",
    b"BIND ",
    b"CHECKIN ",
    b"CHECKOUT ",
    b"COPY ",
    b"LABEL ",
    b"LINK ",
    b"LOCK ",
    b"MERGE ",
    b"MKACTIVITY ",
    b"MKCALENDAR ",
    b"MKCOL ",
    b"MOVE ",
    b"NOTIFY ",
    b"PROPFIND ",
    b"PROPPATCH ",
    b"QUERY ",
    b"REPORT ",
    b"RPC_IN_DATA ",
    b"RPC_OUT_DATA ",
    b"SEARCH ",
    b"SUBSCRIBE ",
    b"UNCHECKOUT ",
    b"UNLINK ",
    b"UNLOCK ",
    b"UNSUBSCRIBE ",
    b"VERSION-CONTROL ",
];

#[cfg(test)]
mod tests;
