use super::*;
use crate::geo::country::fixture::{BUILT, Layout, database_of};
use crate::geo::owner::Evidence;
use crate::geo::owner::registry::{Registered, RegistryAnswer};
use phonehome_proto::net::{Country, Prefix};
use tempfile::TempDir;

/// A collector that has nothing but a configuration, and a folder for files that come from outside.
struct Bench {
    folder: TempDir,
    config: Config,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("collector.toml");
        let text = "data_dir = \"data\"\nkeys_dir = \"keys\"\nidentity = \"identity.key\"\n\
                    [intake]\npublic_address = \"collector.example.net:4317\"\n";
        let config = Config::parse(text, &file).expect("a configuration");
        Self { folder, config }
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).expect("written");
        path
    }

    /// A database that has 8.8.8.0/24 in this country.
    fn database(&self, name: &str, days: u64, code: &str) -> PathBuf {
        let rows = [("8.8.8.0/24", code)];
        let bytes = database_of("Test-Country", BUILT + days * 86_400, Layout::Flat, &rows);
        self.file(name, &bytes)
    }

    fn install(&self, files: &[PathBuf]) -> Result<Tables, RunError> {
        install(&self.config, files)
    }

    /// The build of each database in use but the embedded one.
    fn builds(&self) -> Vec<(String, String)> {
        let tables = load(&self.config).expect("loads");
        let sources = tables.atlas.sources().into_iter().skip(1);
        let sources = sources.take_while(|source| source.name != "ip-location-db networks");
        sources.map(|source| (source.name, source.build)).collect()
    }

    fn listed(&self) -> Vec<String> {
        let entries = fs::read_dir(folder(&self.config)).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<_> = names
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

fn pair(name: &str, build: &str) -> (String, String) {
    (name.to_owned(), build.to_owned())
}

#[test]
fn a_newer_build_takes_its_twin_s_place() {
    let bench = Bench::new();
    assert_eq!(stamp(&bench.config), Stamp::default());
    bench
        .install(&[
            bench.database("a.mmdb", 0, "US"),
            bench.database("b.mmdb", 0, "CA"),
        ])
        .expect("two");
    assert_eq!(
        bench.builds(),
        [pair("a", "2026-06-01"), pair("b", "2026-06-01")]
    );
    let before = stamp(&bench.config);
    bench
        .install(&[bench.database("a.mmdb", 3, "MX")])
        .expect("newer");
    assert_eq!(
        bench.builds(),
        [pair("b", "2026-06-01"), pair("a", "2026-06-04")]
    );
    assert_ne!(
        stamp(&bench.config),
        before,
        "whoever runs sees that there is something new"
    );
    // The old file is gone, as some licences ask.
    let listed = bench.listed();
    assert_eq!(listed.len(), 3, "{listed:?}");
    assert!(listed.iter().all(|name| !name.starts_with("a.2026-06-01")));
    let tables = load(&bench.config).expect("loads");
    let prefix = Prefix::of("8.8.8.8".parse().expect("an address"));
    let opinions = tables.atlas.opinions(prefix, None);
    let a = opinions
        .iter()
        .find(|opinion| opinion.source.name == "a")
        .expect("asked");
    assert_eq!(a.countries.first(), Country::parse("MX").as_ref());
    assert!(tables.origin(a.source).contains("/atlas/a.2026-06-04."));
    assert_eq!(tables.origin(opinions[0].source), "compiled in");
}

#[test]
fn what_is_no_whole_newer_country_database_is_refused_by_name_and_nothing_changes() {
    let bench = Bench::new();
    bench
        .install(&[bench.database("a.mmdb", 3, "US")])
        .expect("the first");
    let (before, in_use) = (bench.listed(), bench.builds());
    let good = bench.database("good.mmdb", 9, "US");
    let whole = fs::read(&good).expect("read");
    let refused = |file: &PathBuf| {
        // The good one beside it is not installed either.
        let refused = bench.install(&[good.clone(), file.clone()]);
        let sentence = refused.err().expect("refused").to_string();
        assert_eq!(bench.listed(), before, "{sentence}");
        assert_eq!(bench.builds(), in_use, "{sentence}");
        assert!(!sentence.contains('\n'), "{sentence}");
        sentence
    };
    let older = refused(&bench.database("a.mmdb", 2, "US"));
    assert!(
        older.contains("'a' is refused: it was built on 2026-06-03"),
        "{older}"
    );
    for cut in [0, 10, whole.len() / 2, whole.len() - 40] {
        let sentence = refused(&bench.file("cut.mmdb", &whole[..cut]));
        assert!(
            sentence.contains("cut.mmdb is not a country database"),
            "{sentence}"
        );
    }
    // Cut in the middle: the end, with what says how long it should be, is there.
    let holed = [&whole[..60], &whole[300..]].concat();
    let holed = refused(&bench.file("holed.mmdb", &holed));
    assert!(holed.contains("holed.mmdb"), "{holed}");
    let networks = database_of("Test-ASN", BUILT, Layout::Flat, &[("8.8.8.0/24", "15169")]);
    let networks = refused(&bench.file("asn.mmdb", &networks));
    assert!(
        networks.contains("asn.mmdb is not a country database"),
        "{networks}"
    );
    let named = refused(&bench.database("a b.mmdb", 9, "US"));
    assert!(named.contains("a b.mmdb cannot be installed"), "{named}");
    let missing = refused(&bench.folder.path().join("missing.mmdb"));
    assert!(missing.contains("missing.mmdb cannot be read"), "{missing}");
    let many: Vec<_> = (0..8)
        .map(|at| bench.database(&format!("m{at}.mmdb"), 0, "US"))
        .collect();
    assert!(matches!(
        bench.install(&many),
        Err(RunError::TooManyDatabases(8))
    ));
    assert_eq!(bench.builds(), in_use);
}

#[test]
fn what_was_changed_since_it_was_installed_is_not_read() {
    let bench = Bench::new();
    bench
        .install(&[bench.database("a.mmdb", 3, "US")])
        .expect("the first");
    let path = folder(&bench.config).join(&bench.listed()[0]);
    let mut bytes = fs::read(&path).expect("read");
    bytes[0] ^= 1;
    fs::write(&path, bytes).expect("written");
    assert!(matches!(load(&bench.config), Err(RunError::Altered { .. })));
    // Installing it again mends it only where it is whole: the set is read first.
    let list = folder(&bench.config).join(SET);
    for wrong in [
        "",
        "{}",
        r#"{"databases": [{"name": "a", "file": "../a.mmdb", "sha256": ""}]}"#,
    ] {
        fs::write(&list, wrong).expect("written");
        assert!(
            matches!(load(&bench.config), Err(RunError::Altered { .. })),
            "{wrong}"
        );
    }
}

#[test]
fn what_registries_answered_is_laid_over_the_table_unless_it_is_old_or_damaged() {
    let bench = Bench::new();
    let answers = |date: &str| {
        let answer = RegistryAnswer {
            registered: Registered::Redacted,
            organisation: None,
            source: "https://rdap.example/".to_owned(),
            date: date.to_owned(),
        };
        RegistryAnswers {
            date: date.to_owned(),
            domains: [("miui.com".to_owned(), answer)].into(),
        }
    };
    let evidence = || {
        let tables = load(&bench.config).expect("loads");
        let row = tables.atlas.owners().of_name("miui.com").expect("listed");
        (row.evidence, tables.passed_over)
    };
    put_answers(&bench.config, &answers("2027-01-02")).expect("written");
    assert_eq!(evidence(), (Evidence::RdapRedacted, Vec::new()));
    let after = load(&bench.config).expect("loads");
    let sources = after.atlas.sources();
    let owners = sources
        .iter()
        .find(|source| source.name == "owners of domains");
    let owners = owners.expect("it is a table");
    assert!(owners.build.ends_with("2027-01-02"));
    assert!(after.origin(owners).ends_with("domains.json"));

    put_answers(&bench.config, &answers("2020-05-01")).expect("written");
    let (stays, passed_over) = evidence();
    assert_eq!(stays, Evidence::CompanyFiling);
    assert!(
        passed_over[0].contains("of 2020-05-01 are refused"),
        "{passed_over:?}"
    );
    fs::write(folder(&bench.config).join(ANSWERS), "{\"date\": ").expect("written");
    let (stays, passed_over) = evidence();
    assert_eq!((stays, passed_over.len()), (Evidence::CompanyFiling, 1));
}
