//! The schema, as the server itself describes it: can a cluster spread it, and who may open it?

use phonehome_collector::store::{Store, StoreError};
use phonehome_proto::id::Hash;
use phonehome_tests::golden::root;
use phonehome_tests::servers::PostgresServer;
use std::collections::{BTreeMap, BTreeSet};

/// What the operator of a cluster runs once.
fn orders() -> String {
    let file = root().join("collector/src/store/postgres/citus.sql");
    std::fs::read_to_string(file).expect("it is part of the tree")
}

/// The tables that the file spreads, each with its column, and those it copies everywhere.
fn spread(orders: &str) -> (BTreeMap<String, String>, BTreeSet<String>) {
    let (mut spread, mut copied) = (BTreeMap::new(), BTreeSet::new());
    for line in orders.lines().filter(|line| !line.starts_with("--")) {
        let mut words = line.split('\'').skip(1).step_by(2).map(str::to_owned);
        if line.contains("create_distributed_table(") {
            let (table, column) = (words.next(), words.next());
            spread.insert(table.expect("a table"), column.expect("a column"));
        } else if line.contains("create_reference_table(") {
            copied.extend(words.next());
        }
    }
    (spread, copied)
}

#[tokio::test]
#[ignore = "needs PostgreSQL's server"]
async fn a_cluster_can_spread_every_table_by_its_home() {
    let server = PostgresServer::shared();
    let (name, database) = server.database();
    let store = Store::connect(database, true).await.expect("opens");
    let week = "2026-W46".parse().expect("a week");
    store
        .open_week(week, Hash::of(b"key"))
        .await
        .expect("opens");
    let ask = |question: &str| -> BTreeSet<String> {
        let answer = server.asked(&name, question);
        answer.lines().map(str::to_owned).collect()
    };
    let (spread, copied) = spread(&orders());
    let tables = ask("SELECT relname FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition");
    let named: BTreeSet<String> = spread.keys().chain(&copied).cloned().collect();
    assert_eq!(named, tables, "every table is spread or copied");
    assert_eq!(
        spread.get("journal").map(String::as_str),
        Some("home_token")
    );

    for (table, column) in &spread {
        // What is unique is unique on one machine only; the column makes that all of them.
        let unique = ask(&format!(
            "SELECT c.relname || ' ' || string_agg(a.attname, ' ')
             FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
             WHERE i.indisunique AND i.indrelid IN (SELECT '{table}'::regclass UNION
               SELECT inhrelid FROM pg_inherits WHERE inhparent = '{table}'::regclass)
             GROUP BY c.relname"
        ));
        assert!(!unique.is_empty(), "{table}");
        for index in &unique {
            let mut columns = index.split(' ').skip(1);
            assert!(columns.any(|name| name == column), "{table}: {index}");
        }
        let nullable = ask(&format!(
            "SELECT attname FROM pg_attribute
             WHERE attrelid = '{table}'::regclass AND attname = '{column}' AND NOT attnotnull"
        ));
        assert_eq!(nullable, BTreeSet::new(), "{table}");
    }
    // What a cluster refuses or cannot promise: foreign and exclusive keys, triggers, rules, counters
    // of one machine, columns that are computed, rows that inherit.
    for (what, question) in [
        ("constraints", "SELECT conname FROM pg_constraint WHERE contype NOT IN ('p', 'u', 'c')
            AND connamespace = 'public'::regnamespace"),
        ("triggers", "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"),
        ("rules", "SELECT rulename FROM pg_rules WHERE schemaname = 'public'"),
        ("sequences", "SELECT sequencename FROM pg_sequences"),
        ("computed columns", "SELECT attname FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid
            WHERE relnamespace = 'public'::regnamespace AND (attgenerated <> '' OR attidentity <> '')"),
        ("expressions", "SELECT indexrelid::regclass FROM pg_index JOIN pg_class ON indexrelid = oid
            WHERE relnamespace = 'public'::regnamespace AND indisunique
              AND (indexprs IS NOT NULL OR indpred IS NOT NULL)"),
        ("extensions", "SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'"),
    ] {
        assert_eq!(ask(question), BTreeSet::new(), "{what}");
    }
}

#[test]
fn no_statement_needs_what_only_one_engine_has() {
    let folder = root().join("collector/src/store/postgres");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.push(root().join("collector/src/store/postgres.rs"));
    assert!(files.len() > 10, "the engine's files");
    for file in files {
        let text = std::fs::read_to_string(&file).expect("text");
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for word in [
                "advisory",
                "LISTEN",
                "NOTIFY",
                "EXCLUDE USING",
                " SERIAL",
                "BIGSERIAL",
                "MERGE INTO",
                "COPY ",
            ] {
                let at = format!("{}:{}", file.display(), number + 1);
                assert!(!code.contains(word), "{at} says {word}");
            }
        }
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL's server"]
async fn a_database_of_a_newer_collector_or_of_none_is_refused() {
    let server = PostgresServer::shared();
    let (name, database) = server.database();
    let none = Store::connect(database.clone(), false).await;
    assert!(matches!(none, Err(StoreError::Unmade)));
    assert_eq!(
        server.asked(
            &name,
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ),
        "0",
        "looking for tables makes none"
    );
    Store::connect(database.clone(), true).await.expect("opens");
    Store::connect(database.clone(), false)
        .await
        .expect("opens");
    server.ask(&name, "UPDATE schema_steps SET taken = 99");
    let newer = Store::connect(database, true).await;
    assert!(matches!(newer, Err(StoreError::Newer { found: 99, .. })));
}
