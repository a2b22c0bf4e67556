use super::*;

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
    assert_eq!(
        config.http,
        Some("127.0.0.1:8080".parse().expect("an address"))
    );
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
fn an_empty_http_address_serves_nothing() {
    let config = parse(&format!("{LEAST}[http]\nlisten = ''")).expect("valid");
    assert_eq!(config.http, None);
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
