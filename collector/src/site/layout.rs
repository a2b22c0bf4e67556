//! What every page shares: head, policy, style, banner, navigation, foot.

use super::Links;
use crate::map::svg::text::escape;
use crate::map::words;
use crate::release::Release;
use phonehome_proto::id::Hash;
use phonehome_proto::vendor::Vendor;

const STYLE: &str = include_str!("style.css");

/// A whole page. `body` is markup, `title` is text.
pub(super) fn page(release: Option<&Release>, links: Links, title: &str, body: &str) -> String {
    let banner = release
        .and_then(words::of_exercise)
        .map_or_else(String::new, |words| {
            format!(
                "<p class=\"exercise\" role=\"note\">{}</p>\n",
                escape(words)
            )
        });
    let purpose = release.map_or("", |release| release.purpose.as_str());
    let mark = release
        .and_then(words::of_exercise)
        .map_or("", |_| "[Exercise, synthetic homes] ");
    format!(
        "<!doctype html>\n<html lang=\"en\" data-purpose=\"{purpose}\">\n<head>\n\
         <meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{mark}{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         {banner}{}<main>\n{body}</main>\n{banner}</body>\n</html>\n",
        policy(),
        escape(title),
        navigation(links)
    )
}

/// Nothing is loaded but the style sheet in the page, known by its hash.
fn policy() -> String {
    format!(
        "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        base64(Hash::of(STYLE.as_bytes()).as_bytes())
    )
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            if digit <= chunk.len() {
                let index = (group >> (18 - 6 * digit)) & 63;
                text.push(char::from(
                    DIGITS[usize::try_from(index).expect("six bits")],
                ));
            } else {
                text.push('=');
            }
        }
    }
    text
}

fn navigation(links: Links) -> String {
    match links {
        Links::Folder => String::new(),
        Links::Served => {
            let vendors: String = Vendor::all()
                .map(|vendor| {
                    format!(
                        " <a href=\"/vendors/{}\">{}</a>",
                        vendor.id(),
                        escape(vendor.name())
                    )
                })
                .collect();
            format!(
                "<nav aria-label=\"Pages\"><a href=\"/\"><b>Phonehome</b></a> \
                 <a href=\"/releases\">Releases</a> <a href=\"/openapi.json\">API</a>\
                 <span class=\"vendors\">{vendors}</span></nav>\n"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (text, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text.as_bytes()), coded);
        }
    }
}
