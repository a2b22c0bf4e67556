use super::*;
use crate::intake::forwarded::Header;
use crate::registry::place::HomeLimits;
use crate::registry::window::Cost;

const FILE: &str = "/etc/phonehome/collector.toml";

const LEAST: &str = "identity = 'collector.key'\n[intake]\npublic_address = 'example.net:4317'\n";

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new(FILE))
}

fn refused(text: &str) -> String {
    parse(text).expect_err(text).to_string()
}

#[test]
fn identity_and_address_are_enough() {
    let config = parse(LEAST).expect("valid");
    assert_eq!(config.identity, Path::new("/etc/phonehome/collector.key"));
    assert_eq!(config.purpose, Purpose::Observatory);
    assert_eq!(
        config.database(),
        Path::new("/var/lib/phonehome/data/collector.db")
    );
    let http = HttpConfig {
        listen: "127.0.0.1:8080".parse().expect("an address"),
        certificate: None,
    };
    assert_eq!(config.http, Some(http));
    assert!(config.intake.proxies.is_empty() && config.publish.is_none());
}

#[test]
fn the_sample_says_what_the_defaults_are() {
    let sample = include_str!("../../../deploy/collector.toml");
    let config = parse(sample).expect("the sample is valid");
    let least = parse(LEAST).expect("valid");
    let intake = IntakeConfig {
        public_address: config.intake.public_address.clone(),
        ..least.intake
    };
    assert_eq!(
        config,
        Config {
            intake,
            identity: config.identity.clone(),
            ..least
        }
    );
    // Every key that is only shown as a comment is one the parser knows.
    let shown = sample.replace("\n#= ", "\n");
    let shown = shown.replace("\"observatory\"", "\"exercise\"");
    let shown = shown.replace("tls = true", "tls = false");
    let shown = shown.replace("forwarded_by = []", "forwarded_by = ['192.0.2.1']");
    let why = refused(&shown);
    assert!(
        why.contains("exercise.networks") && why.contains("cannot be read"),
        "{why}"
    );
}

#[test]
fn a_mistake_is_one_sentence_with_file_and_line() {
    let with = |line: &str| refused(&format!("{line}\n{LEAST}"));
    for (line, said) in [
        ("colour = 1", "unknown field `colour`"),
        ("purpose = 'fun'", "'purpose' is either"),
        ("data_dir = 7", "invalid type: integer `7`"),
        ("purpose = ", "string"),
    ] {
        let why = with(line);
        assert!(
            why.starts_with(&format!("{FILE}:1: ")) && why.contains(said),
            "{why}"
        );
        assert_eq!(why.lines().count(), 1);
    }
    for (text, line, said) in [
        (
            "[intake]\npublic_address = 'a:1'",
            1,
            "missing field `identity`",
        ),
        ("identity = 'k'\n", 1, "missing field `intake`"),
        (
            "identity = 'k'\n[intake]\npublic_address = 'example.net'",
            3,
            "not a host with a port",
        ),
        (
            "identity = 'k'\n[intake]\npublic_address = 'a b:1'",
            3,
            "not a host with a port",
        ),
        (
            "identity = 'k'\n[intake]\nlisten = ':4317'\npublic_address = 'a:1'",
            3,
            "'intake.listen'",
        ),
        (
            "identity = 'k'\n[intake]\npublic_address = 'a:1'\nproxies = ['::1',\n 'b']",
            5,
            "IP addresses",
        ),
        (
            "data_dir = 'x'\nkeys_dir = 'x/y'\nidentity = 'k'\n[intake]\npublic_address = 'a:1'",
            2,
            "within",
        ),
        (
            "data_dir = 'x/y'\nkeys_dir = 'z/../x'\nidentity = 'k'\n[intake]\npublic_address = 'a:1'",
            2,
            "within",
        ),
        (
            &format!("{LEAST}forwarded_header = 'forwarded'"),
            4,
            "'intake.forwarded_by' lists no proxy",
        ),
        (
            &format!("{LEAST}forwarded_by = ['192.0.2.1']"),
            4,
            "needs 'intake.forwarded_header'",
        ),
        (
            &format!("{LEAST}forwarded_by = [\n'192.0.2.1']\nforwarded_header = 'forwarded'"),
            5,
            "only for 'intake.tls = false'",
        ),
        (
            &format!("{LEAST}tls = false\nforwarded_by = ['192.0.2.1']\nforwarded_header = 'via'"),
            6,
            "either \"forwarded\" or",
        ),
        (
            &format!("{LEAST}tls = false\nforwarded_header = 'forwarded'\nforwarded_by = ['a']"),
            6,
            "'intake.forwarded_by' takes IP addresses",
        ),
        (
            &format!(
                "{LEAST}tls = false\nproxies = ['192.0.2.1']\nforwarded_header = 'forwarded'\n\
                 forwarded_by = ['::1',\n'::ffff:192.0.2.1']"
            ),
            8,
            "both list this address",
        ),
        (
            &format!("{LEAST}tls = false"),
            4,
            "lists a proxy that ends TLS",
        ),
        (&format!("{LEAST}tls = 'no'"), 4, "invalid type: string"),
        (
            &format!("{LEAST}[enrolment]\nmode = 'closed'"),
            5,
            "'enrolment.mode' is \"invite\", \"approval\" or \"open\"",
        ),
        (
            &format!("{LEAST}[enrolment]\nhomes_per_address = 0"),
            5,
            "'enrolment.homes_per_address' is a whole number, at least 1",
        ),
        (
            &format!("{LEAST}[enrolment]\nhomes_per_network = -1"),
            5,
            "'enrolment.homes_per_network' is a whole number",
        ),
        (
            &format!("{LEAST}[enrolment]\nhomes_per_ipv4_24 = 4294967296"),
            5,
            "'enrolment.homes_per_ipv4_24'",
        ),
        (
            &format!("{LEAST}[enrolment]\nhomes_per_ipv6_48 = 1.5"),
            5,
            "invalid type: floating point",
        ),
        (
            &format!("{LEAST}[enrolment]\nattempts_per_hour = 0"),
            5,
            "'enrolment.attempts_per_hour'",
        ),
        (
            &format!("{LEAST}[quotas]\nbatches_per_day = 63"),
            5,
            "'quotas.batches_per_day' is a whole number, at least 64",
        ),
        (
            &format!("{LEAST}[quotas]\nbytes_per_day = 4194303"),
            5,
            "'quotas.bytes_per_day' is a whole number, at least 4194304",
        ),
        (
            &format!("{LEAST}[exercise]\nnetworks = 'n'"),
            4,
            "only for purpose",
        ),
        (
            &format!("{LEAST}[owners]\nrdap = 'http://rdap.example.net/'"),
            5,
            "is not where RDAP can be asked",
        ),
    ] {
        let why = refused(text);
        assert!(
            why.starts_with(&format!("{FILE}:{line}: ")) && why.contains(said),
            "{why}"
        );
    }
}

#[test]
fn a_proxy_that_ends_tls_is_named_with_its_header() {
    let forwarding =
        "tls = false\nforwarded_by = ['::ffff:192.0.2.1']\nforwarded_header = 'forwarded'";
    let config = parse(&format!("{LEAST}{forwarding}")).expect("valid");
    let forwarders = config.intake.forwarders.expect("one");
    assert_eq!(forwarders.header, Header::Forwarded);
    let proxy = "192.0.2.1".parse().expect("an address");
    assert_eq!(forwarders.proxies, BTreeSet::from([proxy]));
    // Whoever listens on loopback only, or behind a proxy of the other kind, needs no header.
    for reach in ["listen = '127.0.0.1:4317'", "proxies = ['192.0.2.1']"] {
        let config = parse(&format!("{LEAST}tls = false\n{reach}")).expect(reach);
        assert!(!config.intake.tls && config.intake.forwarders.is_none());
    }
}

#[test]
fn modes_limits_and_quotas_are_as_written() {
    let text = format!(
        "{LEAST}[enrolment]\nmode = 'open'\nhomes_per_address = 3\nhomes_per_ipv4_24 = 4\n\
         homes_per_ipv6_48 = 5\nhomes_per_network = 6\nattempts_per_hour = 7\n\
         [quotas]\nbatches_per_day = 64\nbytes_per_day = 4194304"
    );
    let config = parse(&text).expect("valid");
    assert_eq!(config.enrolment, EnrolmentMode::Open);
    let homes = HomeLimits {
        per_address: 3,
        per_ipv4_24: 4,
        per_ipv6_48: 5,
        per_network: 6,
    };
    let home_day = Cost {
        items: 64,
        bytes: 4_194_304,
    };
    let expected = Limits {
        homes,
        attempts_per_hour: 7,
        home_day,
    };
    assert_eq!(config.limits, expected);
    let approval = parse(&format!("{LEAST}[enrolment]\nmode = 'approval'"));
    assert_eq!(approval.map(|c| c.enrolment), Ok(EnrolmentMode::Approval));
}

#[test]
fn an_empty_http_address_serves_nothing() {
    let config = parse(&format!("{LEAST}[http]\nlisten = ''")).expect("valid");
    assert_eq!(config.http, None);
}

#[test]
fn a_certificate_and_its_key_are_named_together() {
    let both = "certificate = 'tls/chain.pem'\nkey = '/run/tls/key.pem'";
    let config = parse(&format!("{LEAST}[http]\n{both}")).expect("valid");
    let files = CertificateFiles {
        chain: "/etc/phonehome/tls/chain.pem".into(),
        key: "/run/tls/key.pem".into(),
    };
    assert_eq!(config.http.and_then(|http| http.certificate), Some(files));
    for alone in both.lines() {
        let why = refused(&format!("{LEAST}[http]\n{alone}"));
        assert!(
            why.contains(":5: ") && why.contains("need each other"),
            "{why}"
        );
    }
}

#[test]
fn an_exercise_reads_its_networks() {
    let folder = tempfile::tempdir().expect("a folder");
    let row = "[[network]]\nprefix = '2001:db8:7::/48'\ncountry = 'DE'\nasn = 64500\n";
    std::fs::write(folder.path().join("n.toml"), row).expect("writes");
    let text = format!("purpose = 'exercise'\n{LEAST}[exercise]\nnetworks = 'n.toml'");
    let config = Config::parse(&text, &folder.path().join("c.toml")).expect("valid");
    assert!(
        config
            .exercise
            .origin("2001:db8:7::9".parse().expect("an address"))
            .is_some()
    );
}

#[test]
fn counters_are_for_this_machine_alone() {
    let with = |listen: &str| format!("{LEAST}\n[admin]\nlisten = '{listen}'\n");
    assert_eq!(parse(LEAST).expect("valid").admin, None);
    assert_eq!(parse(&with("")).expect("valid").admin, None);
    for near in ["127.0.0.1:9464", "[::1]:0"] {
        assert_eq!(parse(&with(near)).expect("valid").admin, near.parse().ok());
    }
    for far in ["0.0.0.0:9464", "[::]:9464", "192.0.2.1:80", "here"] {
        let why = refused(&with(far));
        assert!(why.contains("'admin.listen' is not an address"), "{why}");
    }
}
