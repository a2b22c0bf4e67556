//! Public suffixes: the names below which registries let anybody register theirs.
//!
//! The table holds hashes of the rules of the Public Suffix List (its registries' part, those of
//! several labels), forty bits of each: one name in a hundred million that is no rule looks like one.
//! `data/README.md` says where it comes from and how it is made.

/// Rows of five bytes, sorted.
static TABLE: &[u8] = include_bytes!("../../data/suffixes.bin");

const ROW_BYTES: usize = 5;

// What a router has to carry.
const _: () = assert!(TABLE.len() <= 32 * 1024 && TABLE.len().is_multiple_of(ROW_BYTES));

/// Whether a name (in either case, no dot at the end) is a public suffix, `com` or `co.uk`. A name of
/// one label always is: either a registry's, or nobody's (publicsuffix.org/list, "if no rules match").
pub(crate) fn is_public(name: &str) -> bool {
    let Some((_, parent)) = name.split_once('.') else {
        return true;
    };
    if has_rule("!", name) {
        return false;
    }
    has_rule("", name) || has_rule("*.", parent)
}

fn has_rule(sign: &str, name: &str) -> bool {
    let hash = sign
        .bytes()
        .chain(name.bytes())
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
        });
    let [a, b, c, d, e, ..] = hash.to_be_bytes();
    let (rows, _) = TABLE.as_chunks::<ROW_BYTES>();
    rows.binary_search(&[a, b, c, d, e]).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_whole() {
        let (rows, rest) = TABLE.as_chunks::<ROW_BYTES>();
        assert!(rest.is_empty() && rows.len() > 5_000, "{} rows", rows.len());
        assert!(rows.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn registries_suffixes_are_told_from_names_below_them() {
        for (name, expected) in [
            ("com", true),
            ("CO.uk", true),
            ("com.cn", true),
            ("tokyo.jp", true),
            ("xn--55qx5d.cn", true),
            // Any name below is one, but for those that are not.
            ("anything.ck", true),
            ("www.ck", false),
            ("city.kawasaki.jp", false),
            ("x.kawasaki.jp", true),
            ("example.com", false),
            ("example.co.uk", false),
            ("a.b.example.com", false),
            // Some firm's, not a registry's.
            ("blogspot.com", false),
            ("localdomain", true),
        ] {
            assert_eq!(is_public(name), expected, "{name}");
        }
    }
}
