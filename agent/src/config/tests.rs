use super::*;

const FILE: &str = "/etc/phonehome/agent.toml";

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new(FILE))
}

fn refused(text: &str) -> String {
    parse(text).expect_err(text).to_string()
}

#[test]
fn an_empty_file_is_a_configuration() {
    let config = parse("").expect("valid");
    assert_eq!(config.state_dir, Path::new("/var/lib/phonehome-agent"));
    assert_eq!(config.run_dir, Path::new("/var/run/phonehome"));
    assert_eq!(
        (config.user, config.source, config.log),
        (User::Found, SourceChoice::Auto, LevelFilter::WARN)
    );
    assert!(config.interfaces.is_empty() && !config.spool.is_on_disk);
    assert_eq!(config.spool.limits, SpoolLimits::default());
    assert_eq!(config.spread, Duration::from_secs(6 * 3_600));
}

#[test]
fn the_sample_says_what_the_defaults_are() {
    let sample = include_str!("../../../deploy/agent.toml");
    assert_eq!(parse(sample), parse(""));
    // Every key that is only shown as a comment is one the parser knows.
    let shown = parse(&sample.replace("\n#= ", "\n")).expect("valid");
    assert_ne!(shown, parse("").expect("valid"));
    for key in [
        "state_dir",
        "run_dir",
        "user",
        "source",
        "interfaces",
        "log",
        "disk",
        "batches_max",
        "bytes_max",
        "spread_hours",
    ] {
        assert!(
            sample.lines().any(|line| line
                .trim_start_matches("#= ")
                .starts_with(&format!("{key} = "))),
            "{key}"
        );
    }
}

#[test]
fn every_key_is_heeded() {
    let text = "state_dir = 'state'\nrun_dir = '/run/p'\nuser = ''\nsource = 'tap'\n\
                interfaces = ['br-lan', 'br-guest']\nlog = 'debug'\n\
                [spool]\ndisk = true\nbatches_max = 3\nbytes_max = 1000000\n[send]\nspread_hours = 1\n";
    let config = parse(text).expect("valid");
    let expected = Config {
        state_dir: "/etc/phonehome/state".into(),
        run_dir: "/run/p".into(),
        user: User::Stay,
        source: SourceChoice::Tap,
        interfaces: vec!["br-lan".to_owned(), "br-guest".to_owned()],
        log: LevelFilter::DEBUG,
        spool: SpoolConfig {
            is_on_disk: true,
            limits: SpoolLimits {
                files_max: 3,
                bytes_max: 1_000_000,
            },
        },
        spread: Duration::from_secs(3_600),
    };
    assert_eq!(config, expected);
    let named = parse("user = 'watcher'").expect("valid");
    assert_eq!(named.user, User::Named("watcher".to_owned()));
}

#[test]
fn a_mistake_is_one_sentence_with_file_and_line() {
    for (text, line, said) in [
        ("colour = 1", 1, "unknown field `colour`"),
        ("\nlog = 7", 2, "invalid type: integer `7`"),
        ("log = ", 1, "unexpected eof"),
        ("log = 'loud'", 1, "'log' is none of off, error"),
        ("# first\n\nsource = 'guess'", 3, "'source' is \"auto\""),
        ("interfaces = ['br lan']", 1, "names of interfaces"),
        (
            "interfaces = ['a-name-far-too-long']",
            1,
            "names of interfaces",
        ),
        ("[spool]\n  batches_max = 0", 2, "'batches_max' is a number"),
        ("[spool]\nbytes_max = 10", 2, "which one batch may need"),
        ("[spool]\ncolour = 1", 2, "unknown field `colour`"),
        ("[send]\nspread_hours = 24", 2, "'spread_hours'"),
        ("state_dir = '/x'\nrun_dir = '/x'", 2, "one folder"),
        ("run_dir = ''", 1, "'run_dir' is empty"),
    ] {
        let why = refused(text);
        assert!(
            why.starts_with(&format!("{FILE}:{line}: ")) && why.contains(said),
            "{why}"
        );
        assert_eq!(why.lines().count(), 1);
    }
    let many = format!("interfaces = [{}]", "'eth0',".repeat(17));
    assert!(refused(&many).contains("more than 16"));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let why = Config::load(Path::new("/nowhere/agent.toml")).expect_err("absent");
    assert!(
        why.to_string()
            .starts_with("/nowhere/agent.toml: it cannot be read"),
        "{why}"
    );
    assert_eq!(
        Config::load_if_there(Path::new("/nowhere/agent.toml")),
        Ok(None)
    );
}
