//! The compose files of `deploy/`, as far as they can be held to something without containers.

use phonehome_collector::config::Config;
use phonehome_tests::golden::root;
use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

fn folder() -> PathBuf {
    root().join("deploy/compose")
}

fn text(name: &str) -> String {
    fs::read_to_string(folder().join(name)).expect("it is part of the tree")
}

/// Names indented by two spaces beneath `section:`.
fn beneath(yaml: &str, section: &str) -> BTreeSet<String> {
    let lines = yaml
        .lines()
        .skip_while(|line| *line != format!("{section}:"));
    let lines = lines
        .skip(1)
        .take_while(|line| line.is_empty() || line.starts_with(' ') || line.starts_with('#'));
    let names = lines.filter_map(|line| {
        let name = line.strip_prefix("  ")?.strip_suffix(':')?;
        (!name.starts_with([' ', '#'])).then(|| name.to_owned())
    });
    names.collect()
}

#[test]
fn collectors_are_configured_with_what_the_files_hold() {
    for (compose, config) in [
        ("postgres.yaml", "collector.toml"),
        ("citus.yaml", "collector-citus.toml"),
    ] {
        let yaml = text(compose);
        assert!(yaml.contains(&format!("./{config}:/etc/phonehome/collector.toml:ro")));
        let file = folder().join(config);
        let config = Config::load(&file).expect("every key is one the program knows");
        let proxies: Vec<IpAddr> = config.intake.proxies.into_iter().collect();
        let [balancer] = proxies.as_slice() else {
            panic!("one balancer: {proxies:?}");
        };
        assert!(yaml.contains(&format!("ipv4_address: {balancer}")));
        let services = beneath(&yaml, "services");
        let url = config.server.expect("a server").to_string();
        let hosts = url
            .split_once('@')
            .and_then(|(_, rest)| rest.split_once('/'));
        let (hosts, _) = hosts.expect("hosts and a database");
        assert!(
            hosts.split(',').all(|host| services.contains(host)),
            "{hosts} are among {services:?}"
        );
    }
}

#[test]
fn every_file_that_is_mounted_is_there_and_every_volume_declared() {
    for compose in ["postgres.yaml", "citus.yaml"] {
        let yaml = text(compose);
        let volumes = beneath(&yaml, "volumes");
        let mut mounted = 0;
        for line in yaml.lines().map(str::trim_start) {
            let Some((source, rest)) = line
                .strip_prefix("- ")
                .and_then(|line| line.split_once(':'))
            else {
                continue;
            };
            if source.starts_with('.') {
                mounted += 1;
                let is_made = source == "./secrets";
                assert!(is_made || folder().join(source).exists(), "{source}");
                if let Some(script) = source
                    .strip_prefix("./")
                    .filter(|name| name.ends_with(".sh"))
                {
                    let mode = fs::metadata(folder().join(script)).expect("it is there");
                    assert_ne!(mode.permissions().mode() & 0o111, 0, "{script}");
                }
            } else if rest.starts_with("/var/") {
                assert!(volumes.contains(source), "{source}");
            }
        }
        assert!(mounted > 5, "{compose}");
    }
}

#[test]
fn the_balancer_speaks_to_both_collectors_and_says_for_whom() {
    let balancer = text("haproxy.cfg");
    for compose in ["postgres.yaml", "citus.yaml"] {
        let services = beneath(&text(compose), "services");
        for (collector, port) in [("collector-1", 4317), ("collector-2", 4317)] {
            assert!(services.contains(collector));
            let line = format!("server {collector} {collector}:{port} send-proxy-v2");
            assert!(balancer.contains(&line), "{line}");
        }
    }
}

#[test]
#[ignore = "needs PostgreSQL's server and haproxy"]
fn the_programs_they_name_take_their_settings() {
    let script = text("database.sh");
    let words: Vec<&str> = script.split_whitespace().collect();
    let settings: Vec<&str> = words
        .windows(2)
        .filter(|pair| pair[0].ends_with("-c"))
        .map(|pair| pair[1].trim_matches(['"', ')']))
        // Files that only the container has.
        .filter(|setting| {
            !setting.starts_with("ssl") && !setting.starts_with("synchronous_standby")
        })
        .collect();
    assert!(settings.len() >= 5, "{settings:?}");
    drop(phonehome_tests::servers::PostgresServer::start(&settings));
    let checked = std::process::Command::new("haproxy")
        .args(["-c", "-f"])
        .arg(folder().join("haproxy.cfg"))
        .output()
        .expect("haproxy is installed");
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
}
