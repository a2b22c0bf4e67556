//! What the build refuses to compile in, and that it says where.

#![allow(
    dead_code,
    reason = "the build's own modules, of which a test calls the readers only"
)]

#[path = "../build/endpoints.rs"]
mod endpoints;
#[path = "../build/rows.rs"]
mod rows;
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
            "or is 0",
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

/// One vendor, whole; a test replaces a line of it.
const VENDOR: &str = r#"not_phone_names = ["*tablet*"]
system = []
[[vendor]]
number = 1
id = "acme"
name = "Acme"
brands = []
country = "US"
domains = ["acme.com"]
prefix_owners = [{ organisation = "acme phones*", kind = "phones" }]
host_names = ["acme #*"]
core = ["push.acme.com"]
"#;

#[test]
fn bad_vendor_rows_are_refused_with_their_line() {
    assert!(vendors::read(VENDOR).is_ok());
    for (good, bad, why) in [
        ("number = 1", "number = 2", "without a gap"),
        ("\"acme\"", "\"Acme\"", "is not one"),
        ("country = \"US\"", "country = \"us\"", "country"),
        ("[\"acme.com\"]", "[\"com\"]", "'com'"),
        ("[\"acme.com\"]", "[\"www.acme.com\"]", "registrable"),
        (
            "[\"acme.com\"]",
            "[\"acme.com\", \"acme.com\"]",
            "two owners",
        ),
        ("push.acme.com", "push.acme.net", "outside"),
        ("\"phones\"", "\"routers\"", "none of phones"),
        ("\"acme #*\"", "\"*\"", "not a pattern"),
        ("\"acme #*\"", "\"Acme*\"", "not a pattern"),
        ("\"acme #*\"", "\"acme*\", \"acme*\"", "stands twice"),
    ] {
        let text = VENDOR.replace(good, bad);
        let refusal = vendors::read(&text).err().expect(bad);
        assert!(
            refusal.starts_with("data/vendors.toml, line 3: "),
            "{refusal}"
        );
        assert!(refusal.contains(why), "{bad}: {refusal}");
    }
}
