//! What the build refuses to compile in, and that it says where.

#![allow(
    dead_code,
    reason = "the build's own modules, of which a test calls the readers only"
)]

#[path = "../build/claims.rs"]
mod claims;
#[path = "../build/endpoints.rs"]
mod endpoints;
#[path = "../build/release_keys.rs"]
mod release_keys;
#[path = "../build/rows.rs"]
mod rows;
#[path = "../src/endpoint/rules.rs"]
#[allow(unreachable_pub, reason = "a module of the library, compiled here too")]
mod rules;
#[path = "../build/vendors.rs"]
mod vendors;

const VENDORS: &str = include_str!("../data/vendors.toml");
const ENDPOINTS: &str = include_str!("../data/endpoints.toml");

/// Lines before a test's own row: these and the row make a whole file.
const HEAD: &str = r#"version = 1
owner = [{ id = "meta", name = "Meta", country = "US", domains = ["facebook.com"] }]
edge = [{ id = "akamai", name = "Akamai" }]
endpoint = [
  { id = 1, pattern = "sa.api.intl.miui.com", owner = "xiaomi", class = "telemetry" },
"#;

fn read_endpoints(row: &str) -> Result<(), String> {
    let vendors = vendors::read(VENDORS).expect("the vendors compile");
    endpoints::read(&format!("{HEAD}  {row},\n]\n"), &vendors).map(|_| ())
}

#[test]
fn the_real_tables_are_whole() {
    let vendors = vendors::read(VENDORS).expect("the vendors compile");
    endpoints::read(ENDPOINTS, &vendors).expect("the endpoints compile");
}

#[test]
fn good_rows_are_taken() {
    for row in [
        r#"{ id = 2, pattern = "*.hicloud.com", owner = "huawei", class = "core" }"#,
        r#"{ id = 2, pattern = "graph.facebook.com", owner = "meta", class = "analytics" }"#,
        r#"{ id = 2, pattern = "x.ospserver.net", owner = "samsung", class = "core", edge = "akamai" }"#,
        // A suffix of the list's private part can be somebody's; what lies below it, too.
        r#"{ id = 2, pattern = "play.googleapis.com", owner = "google", class = "platform" }"#,
        // Words inside words are no reason.
        r#"{ id = 2, pattern = "*.dbankcloud.com", owner = "huawei", class = "core" }"#,
    ] {
        assert_eq!(read_endpoints(row), Ok(()), "{row}");
    }
}

#[test]
fn bad_endpoint_rows_are_refused_with_their_line() {
    for (row, why) in [
        (
            r#"{ id = 1, pattern = "*.miui.com", owner = "xiaomi", class = "core" }"#,
            "id stands twice",
        ),
        (
            r#"{ id = 0, pattern = "*.miui.com", owner = "xiaomi", class = "core" }"#,
            "between 1 and",
        ),
        (
            r#"{ id = 2, pattern = "sa.api.intl.miui.com", owner = "xiaomi", class = "core" }"#,
            "pattern stands twice",
        ),
        (
            r#"{ id = 2, pattern = "*.com", owner = "xiaomi", class = "core" }"#,
            "not a host name",
        ),
        (
            r#"{ id = 2, pattern = "*.com.cn", owner = "vivo", class = "core" }"#,
            "public suffix",
        ),
        (
            r#"{ id = 2, pattern = "*.googleapis.com", owner = "google", class = "platform" }"#,
            "public suffix",
        ),
        (
            r#"{ id = 2, pattern = "*.mi.com", owner = "nobody", class = "core" }"#,
            "neither a vendor",
        ),
        (
            r#"{ id = 2, pattern = "*.hicloud.com", owner = "xiaomi", class = "core" }"#,
            "outside",
        ),
        (
            r#"{ id = 2, pattern = "notmiui.com", owner = "xiaomi", class = "core" }"#,
            "outside",
        ),
        (
            r#"{ id = 2, pattern = "a.miui.com", owner = "xiaomi", class = "other" }"#,
            "class is none",
        ),
        (
            r#"{ id = 2, pattern = "a.facebook.com", owner = "meta", class = "core" }"#,
            "belong to a vendor",
        ),
        (
            r#"{ id = 2, pattern = "A.miui.com", owner = "xiaomi", class = "core" }"#,
            "lower case",
        ),
        (
            r#"{ id = 2, pattern = "a.miui.com.", owner = "xiaomi", class = "core" }"#,
            "dot at the end",
        ),
        (
            r#"{ id = 2, pattern = "a.*.miui.com", owner = "xiaomi", class = "core" }"#,
            "not a host name",
        ),
        (
            r#"{ id = 2, pattern = "a-{b,c}.miui.com", owner = "xiaomi", class = "core" }"#,
            "not a host name",
        ),
        (
            r#"{ id = 2, pattern = "*", owner = "xiaomi", class = "core" }"#,
            "not a host name",
        ),
        (
            r#"{ id = 2, pattern = "a.miui.com", owner = "xiaomi", class = "core", edge = "x" }"#,
            "edge",
        ),
        (
            r#"{ id = 2, pattern = "health.hicloud.com", owner = "huawei", class = "core" }"#,
            "sensitive",
        ),
        (
            r#"{ id = 2, pattern = "pay.samsung.com", owner = "samsung", class = "core" }"#,
            "sensitive",
        ),
        (
            r#"{ id = 2, pattern = "eu-wallet.mi.com", owner = "xiaomi", class = "core" }"#,
            "sensitive",
        ),
        (
            r#"{ id = 2, pattern = "storesearch.mi.com", owner = "xiaomi", class = "core" }"#,
            "sensitive",
        ),
    ] {
        let refusal = read_endpoints(row).expect_err(row);
        assert!(
            refusal.starts_with("data/endpoints.toml, line 6: "),
            "{refusal}"
        );
        assert!(refusal.contains(why), "{row}: {refusal}");
    }
    // What TOML itself refuses keeps TOML's line.
    let refusal =
        read_endpoints(r#"{ id = 2, pattern = "a.miui.com", kind = 1 }"#).expect_err("unknown");
    assert!(refusal.contains("line 6"), "{refusal}");
}

#[test]
fn owners_are_checked_like_vendors() {
    let vendors = vendors::read(VENDORS).expect("the vendors compile");
    for (owner, why) in [
        (
            r#"{ id = "xiaomi", name = "X", country = "CN", domains = [] }"#,
            "stands twice",
        ),
        (
            r#"{ id = "Meta", name = "M", country = "US", domains = [] }"#,
            "is not one",
        ),
        (
            r#"{ id = "meta", name = "M", country = "usa", domains = [] }"#,
            "country",
        ),
        (
            r#"{ id = "meta", name = "M", country = "US", domains = ["co.uk"] }"#,
            "registrable",
        ),
        (
            r#"{ id = "meta", name = "M", country = "US", domains = ["a.facebook.com"] }"#,
            "registrable",
        ),
        (
            r#"{ id = "meta", name = "M", country = "US", domains = ["miui.com"] }"#,
            "two owners",
        ),
        // Below a suffix of the list's private part a name can be somebody's; not below Google's own.
        (
            r#"{ id = "meta", name = "M", country = "US", domains = ["play.googleapis.com"] }"#,
            "lies below another one's",
        ),
    ] {
        let text = format!("version = 1\nowner = [\n{owner}\n]\nedge = []\nendpoint = []\n");
        let refusal = endpoints::read(&text, &vendors).err().expect(owner);
        assert!(
            refusal.starts_with("data/endpoints.toml, line 3: "),
            "{refusal}"
        );
        assert!(refusal.contains(why), "{owner}: {refusal}");
    }
}

/// Two vendors, whole; a test replaces a word.
const VENDOR: &str = r#"not_phone_names = ["*tablet*"]
strange_prefixes = ["00:1a:11"]
[[system]]
id = "acme"
vendor = "acme"
wanted = ["1,3,6"]
[[vendor]]
number = 1
id = "acme"
name = "Acme"
brands = ["Zip"]
country = "US"
domains = ["acme.com", "acme.blogspot.com"]
prefix_owners = [{ organisation = "acme phones*", kind = "phones", brand = "Zip" }]
host_names = ["acme #*"]
core = ["push.acme.com"]
not_phones = ["acme.tv"]
brand_rows = { Zip = ["acme #*"] }
[[vendor]]
number = 2
id = "best"
name = "Best"
brands = []
country = "DE"
domains = ["best.example"]
prefix_owners = []
host_names = ["best *"]
"#;

#[test]
fn bad_vendor_rows_are_refused_with_their_line() {
    assert_eq!(vendors::read(VENDOR).err(), None);
    for (line, good, bad, why) in [
        (1, "*tablet*", "*", "not a pattern"),
        (2, "00:1a:11", "00:1a", "not a prefix"),
        (2, "00:1a:11", "0:01a:11", "not a prefix"),
        (
            5,
            "vendor = \"acme\"",
            "vendor = \"none\"",
            "not one of this file",
        ),
        (6, "1,3,6", "1,3,600", "not a list of options"),
        (6, "\"1,3,6\"", "\"1,3,6\", \"1,3,6\"", "stands twice"),
        (7, "number = 1", "number = 2", "without a gap"),
        (
            7,
            "id = \"acme\"\nname",
            "id = \"Acme\"\nname",
            "is not one",
        ),
        (7, "country = \"US\"", "country = \"us\"", "country"),
        (
            7,
            "country = \"US\"",
            "country = \"US\"\nshipments_2020q1_percent = 101.0",
            "a share",
        ),
        (13, "\"acme.com\"", "\"com\"", "'com'"),
        (13, "\"acme.com\"", "\"www.acme.com\"", "registrable"),
        (
            13,
            "\"acme.com\"",
            "\"acme.com\", \"acme.com\"",
            "two owners",
        ),
        (
            13,
            "acme.blogspot.com",
            "blogspot.com\", \"acme.blogspot.com",
            "lies below another",
        ),
        (
            13,
            "acme.blogspot.com",
            "acme.blogspot.com\", \"blogspot.com",
            "lies below this",
        ),
        (14, "\"phones\"", "\"routers\"", "none of phones"),
        (14, "\"Zip\" }]", "\"Zap\" }]", "no brand"),
        (15, "[\"acme #*\"]\ncore", "[\"*\"]\ncore", "not a pattern"),
        (
            15,
            "[\"acme #*\"]\ncore",
            "[\"Acme*\"]\ncore",
            "not a pattern",
        ),
        (
            15,
            "\"acme #*\"]\ncore",
            "\"acme #*\", \"acme #*\"]\ncore",
            "stands twice",
        ),
        (16, "push.acme.com", "push.acme.net", "outside"),
        (16, "push.acme.com", "*.acme.com", "not a host name"),
        (17, "acme.tv", "*.com", "not a host name"),
        (17, "acme.tv", "com.cn", "public suffix"),
        (
            18,
            "{ Zip = [\"acme #*\"]",
            "{ Zap = [\"acme #*\"]",
            "no brand",
        ),
        (18, "{ Zip = [\"acme #*\"]", "{ Zip = [\"acme\"]", "no row"),
        (18, "{ Zip = [", "{ Zip = [\"acme #*\", ", "stands twice"),
        (25, "best.example", "acme.com", "two owners"),
        (27, "best *", "acme #*", "stands twice"),
    ] {
        assert_eq!(VENDOR.matches(good).count(), 1, "{good}");
        let text = VENDOR.replace(good, bad);
        let refusal = vendors::read(&text).err().expect(bad);
        let place = format!("data/vendors.toml, line {line}: ");
        assert!(refusal.starts_with(&place), "{bad}: {refusal}");
        assert!(refusal.contains(why), "{bad}: {refusal}");
    }
    // What TOML itself refuses keeps TOML's line.
    let text = VENDOR.replace("host_names = [\"best", "hostnames = [\"best");
    let refusal = vendors::read(&text).err().expect("an unknown key");
    assert!(
        refusal.contains("line 27") && refusal.contains("hostnames"),
        "{refusal}"
    );
}

#[test]
fn a_region_token_stands_for_one_country() {
    let read = |regions: &str| {
        let text = VENDOR.replace(
            "not_phones = [\"acme.tv\"]",
            &format!("regions = {regions}"),
        );
        vendors::read(&text).map(|file| {
            let acme = &file.vendors[0];
            [
                "a.sg.acme.com",
                "x-ru1.acme.com",
                "x-ru.sg.acme.com",
                "x-sg.sg.acme.com",
                "sg.com",
                "acme.com",
            ]
            .map(|host| acme.region_of(host).map(ToOwned::to_owned))
        })
    };
    let country = |code: &str| Some(code.to_owned());
    assert_eq!(
        read(r#"{ sg = "SG", ru1 = "RU", ru = "RU", com = "US" }"#),
        // Where tokens disagree nothing is said, and the domain itself is no token.
        Ok([
            country("SG"),
            country("RU"),
            None,
            country("SG"),
            None,
            None
        ])
    );
    for (regions, why) in [
        (r#"{ eu = "Europe" }"#, "one country's code"),
        (r#"{ dra = "SG/CN" }"#, "one country's code"),
        (r#"{ ru = "ru" }"#, "one country's code"),
        (r#"{ RU = "RU" }"#, "lower-case"),
        (r#"{ ap-southeast = "SG" }"#, "lower-case"),
        (r#"{ "" = "SG" }"#, "lower-case"),
    ] {
        let refusal = read(regions).expect_err(regions);
        assert!(
            refusal.starts_with("data/vendors.toml, line 17: "),
            "{refusal}"
        );
        assert!(refusal.contains(why), "{regions}: {refusal}");
    }
}

#[test]
fn bad_release_keys_are_refused_with_their_line() {
    let read = |rows: &str| release_keys::read(&format!("keys = [\n{rows}\n]\n"));
    let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let bytes = read(&format!("'{key}'")).expect("a key");
    assert_eq!((bytes.len(), bytes[0][..2].to_vec()), (1, vec![0xd7, 0x5a]));
    let refused = |rows: &str, place: &str| {
        let refusal = read(rows).expect_err(rows);
        assert!(refusal.starts_with("data/release-keys.toml"), "{refusal}");
        assert!(refusal.contains(place), "{refusal}");
    };
    refused("'no key'", "line 2: a key is 64");
    refused(&format!("'{}'", key.to_uppercase()), "line 2: a key is 64");
    refused(&format!("'{}'", &key[2..]), "line 2: a key is 64");
    refused(
        &format!("'{key}',\n'{key}'"),
        "line 3: this key stands twice",
    );
    // What TOML itself refuses keeps TOML's line.
    refused("7", "line 2");
}

/// The file that is compiled in is read as the build reads it.
#[test]
fn the_real_release_keys_are_keys() {
    let file = include_str!("../data/release-keys.toml");
    release_keys::read(file).expect("the keys compile");
}
