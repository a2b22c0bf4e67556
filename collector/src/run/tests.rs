mod bench;
mod certificate;

use super::*;
use crate::format::table::TableName;
use crate::intake::Refusal;
use crate::query::{self, Format, Question, Source, Subject};
use crate::run::commands::agents;
use crate::store::WeekState;
use crate::verify::fixture::{key, monday, tuesday_noon, week};
use crate::weeks::{closes_at, destroyed_at};
use bench::{Bench, FROM_HOME, enrol, serve_in, submit};
use phonehome_proto::chance::SeededChance;
use phonehome_proto::id::Hash;
use phonehome_proto::limits;
use phonehome_proto::manifest::Purpose;
use phonehome_proto::reject::Reject;
use phonehome_proto::seal::{PayloadType, SealedBatch};
use phonehome_proto::status::{self, Outcome};
use phonehome_proto::time::ManualClock;
use phonehome_proto::{decode, v1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread")]
async fn a_home_enrols_and_reports_over_tls() {
    let bench = Bench::start("'127.0.0.1'").await;
    let mut client = bench.client(FROM_HOME).await;

    let answer = client
        .get_manifest(v1::GetManifestRequest { nonce: vec![4; 16] })
        .await;
    let answer = answer.expect("answers").into_inner();
    let manifest = status::envelope_from_wire(answer.manifest.expect("a manifest"));
    let clock = status::envelope_from_wire(answer.clock.expect("a clock"));
    let said = manifest
        .open(PayloadType::Manifest, &bench.handle.key())
        .expect("signed");
    let rules = decode::manifest(said).expect("reads");
    assert_eq!((rules.serial, rules.purpose), (1, Purpose::Exercise));
    let valid = rules.valid_until.seconds() - tuesday_noon().seconds();
    assert!(valid > 0 && valid <= limits::MANIFEST_VALID_SECONDS_MAX);
    let said = clock
        .open(PayloadType::Clock, &bench.handle.key())
        .expect("signed");
    let said = decode::clock(said).expect("reads");
    assert_eq!((said.nonce, said.time), ([4; 16], tuesday_noon()));
    assert_eq!(said.manifest_hash, Hash::of(&manifest.payload));

    // Before it is in, a home is nobody.
    let batch = bench.batch(1, 7);
    let nobody = submit(&mut client, vec![batch.clone()]).await;
    assert_eq!(nobody, [Outcome::Refused(Reject::UnknownKey)]);
    let (sealed, token) = bench.enrol(&mut client, 1).await;
    let again = enrol(&mut client, &sealed, &token).await;
    assert!(
        matches!(again, Outcome::Receipt(_)),
        "enrolment is idempotent"
    );
    let mut thief = sealed.clone();
    thief = SealedBatch::seal(PayloadType::Enrol, thief.payload, &key(2));
    let refused = enrol(&mut client, &thief, &token).await;
    assert_eq!(refused, Outcome::Refused(Reject::InvalidInvite));

    let mut forged = batch.clone();
    forged.payload[0] ^= 1;
    let outcomes = submit(&mut client, vec![batch.clone(), forged, batch.clone()]).await;
    let [
        Outcome::Receipt(first),
        Outcome::Refused(Reject::BadSignature),
        Outcome::Receipt(last),
    ] = &outcomes[..]
    else {
        panic!("one outcome each, in order: {outcomes:?}");
    };
    assert_eq!(first, last);
    let receipt = first
        .open(PayloadType::Receipt, &bench.handle.key())
        .expect("signed");
    let receipt = decode::receipt(receipt).expect("reads");
    assert_eq!(receipt.payload_hash, Hash::of(&batch.payload));

    let rows = bench.rows().await;
    let origin = rows[0].origin.expect("in the exercise's table");
    assert_eq!((origin.country.as_str(), origin.network.0), ("DE", 64_500));
    for (counter, value) in [
        (Counter::BatchesReceived, 4),
        (Counter::BatchesAccepted, 1),
        (Counter::BatchesRepeated, 1),
        (Counter::BatchesRejected(Reject::UnknownKey), 1),
        (Counter::BatchesRejected(Reject::BadSignature), 1),
        (Counter::EnrolmentsReceived, 3),
        (Counter::EnrolmentsAccepted, 1),
        (Counter::EnrolmentsRepeated, 1),
        (Counter::EnrolmentsRejected(Reject::InvalidInvite), 1),
    ] {
        assert_eq!(bench.count(counter), value, "{counter:?}");
    }
    bench.handle.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_have_limits() {
    let bench = Bench::start("").await;
    let mut client = bench.client(b"").await;
    bench.enrol(&mut client, 1).await;
    let many = u8::try_from(limits::REQUEST_BATCHES_MAX + 1).expect("a few");
    let outcomes = submit(&mut client, (0..many).map(|n| bench.batch(1, n)).collect()).await;
    let (last, others) = outcomes.split_last().expect("outcomes");
    assert_eq!(*last, Outcome::Refused(Reject::TooMany));
    assert!(
        others
            .iter()
            .all(|outcome| matches!(outcome, Outcome::Receipt(_)))
    );
    // Of a request that is too large nothing is read.
    let large = vec![0; limits::REQUEST_BYTES_MAX];
    let large = SealedBatch::seal(PayloadType::Batch, large, &key(1));
    let request = v1::SubmitRequest {
        batches: vec![status::envelope_to_wire(large)],
    };
    assert!(client.submit(request).await.is_err());
    assert_eq!(bench.count(Counter::BatchesReceived), u64::from(many));
    assert_eq!(bench.rows().await.len(), limits::REQUEST_BATCHES_MAX);
}

/// Sends bytes to a collector; gives the number of bytes it answers before it hangs up.
async fn knock(address: SocketAddr, bytes: &[u8]) -> usize {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    // Who hangs up early need not hear it all.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    // A reset is a way to hang up.
    stream.read_to_end(&mut answer).await.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_door_believes_listed_proxies_and_nobody_else() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let direct = Bench::start("").await;
    let address = direct.handle.intake_address();
    assert!(
        knock(address, PREFACE).await > 0,
        "this machine itself may speak plainly"
    );
    direct.reaches(Counter::ConnectionsAccepted, 1).await;
    // A PROXY header from nobody listed is not HTTP/2, whatever it says.
    let lie = [FROM_HOME, PREFACE].concat();
    knock(address, &lie).await;
    let mut client = direct.client(b"").await;
    direct.enrol(&mut client, 1).await;
    submit(&mut client, vec![direct.batch(1, 7)]).await;
    assert_eq!(
        direct.rows().await[0].origin,
        None,
        "loopback stands nowhere"
    );

    let behind = Bench::start("'127.0.0.1'").await;
    let address = behind.handle.intake_address();
    assert_eq!(
        knock(address, PREFACE).await,
        0,
        "a listed proxy must say whom it speaks for"
    );
    behind
        .reaches(Counter::ConnectionsRefused(Refusal::ProxyHeader), 1)
        .await;
    assert_eq!(
        knock(address, &lie).await,
        0,
        "and may not carry plain text"
    );
    behind
        .reaches(Counter::ConnectionsRefused(Refusal::Plaintext), 1)
        .await;
    assert_eq!(
        knock(address, &[FROM_HOME, b"\x16\x03\x01"].concat()).await,
        0
    );
    behind
        .reaches(Counter::ConnectionsRefused(Refusal::Tls), 1)
        .await;
    assert_eq!(knock(address, &FROM_HOME[..20]).await, 0);
    behind
        .reaches(Counter::ConnectionsRefused(Refusal::Io), 1)
        .await;
    behind.reaches(Counter::ConnectionsAccepted, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn inside_tls_nothing_but_http_2_is_spoken() {
    let bench = Bench::start("").await;
    for (times, protocols) in [(1, &[][..]), (2, &[&b"http/1.1"[..]])] {
        bench.offer(protocols).await;
        bench
            .reaches(Counter::ConnectionsRefused(Refusal::Tls), times)
            .await;
    }
    bench.reaches(Counter::ConnectionsAccepted, 0).await;
    let mut client = bench.client(b"").await;
    bench.enrol(&mut client, 1).await;
    bench.reaches(Counter::ConnectionsAccepted, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn weeks_move_on_with_the_clock_and_readers_see_it() {
    let bench = Bench::start("").await;
    let mut client = bench.client(b"").await;
    bench.enrol(&mut client, 1).await;
    let receipts = submit(&mut client, vec![bench.batch(1, 7)]).await;
    let url = format!(
        "http://{}",
        bench.handle.http_address().expect("it serves readers")
    );
    let question = Question {
        subject: Subject::Matrix,
        by: TableName::Server,
        week: None,
    };
    let ask = async || {
        let mut text = Vec::new();
        query::run(&question, Source::Url(&url), Format::Csv, &mut text)
            .await
            .map(|()| text)
    };
    assert!(ask().await.is_err(), "an open week has no numbers");

    bench.clock.set(closes_at(week()));
    assert_eq!(bench.handle.tick().await.expect("ticks").len(), 1);
    let table = String::from_utf8(ask().await.expect("released")).expect("text");
    assert!(table.starts_with("week,vendor,country,state,"), "{table}");
    assert!(
        bench
            .folder
            .path()
            .join("public/2026-W46.0/release.json")
            .exists()
    );
    // A repetition still gets its receipt, what is new does not get in.
    let outcomes = submit(&mut client, vec![bench.batch(1, 7), bench.batch(1, 8)]).await;
    assert_eq!(
        outcomes,
        [receipts[0].clone(), Outcome::Refused(Reject::TooLate)]
    );

    bench.clock.set(destroyed_at(week()));
    assert_eq!(bench.handle.tick().await.expect("ticks"), []);
    let weeks = bench
        .handle
        .works
        .ground
        .store
        .weeks()
        .await
        .expect("reads");
    assert_eq!(weeks[0].state, WeekState::Final);
    assert!(bench.rows().await.is_empty());
    let outcomes = submit(&mut client, vec![bench.batch(1, 7)]).await;
    assert_eq!(outcomes, [Outcome::Refused(Reject::TooLate)]);
    assert_eq!(
        String::from_utf8(ask().await.expect("still there")).expect("text"),
        table
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_identity_homes_and_rules() {
    let bench = Bench::start("").await;
    let mut client = bench.client(b"").await;
    bench.enrol(&mut client, 1).await;
    let before = submit(&mut client, vec![bench.batch(1, 7)]).await;
    drop(client);
    let Bench {
        folder,
        clock,
        handle,
    } = bench;
    let key = handle.key();
    handle.stop().await;
    let handle = serve_in(&folder, "", &clock).await.expect("serves again");
    assert_eq!(handle.key(), key);
    assert_eq!(
        handle.works.ground.serial, 1,
        "the same rules keep their serial"
    );
    let bench = Bench {
        folder,
        clock,
        handle,
    };
    let mut client = bench.client(b"").await;
    assert_eq!(submit(&mut client, vec![bench.batch(1, 7)]).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_way_is_one_sentence_and_loses_nothing() {
    let bench = Bench::start("").await;
    let taken = bench.handle.intake_address();
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!(
        "identity = 'k'\ndata_dir = 'd'\nkeys_dir = 'w'\n\
         [intake]\nlisten = '{taken}'\npublic_address = 'a:1'\n[http]\nlisten = ''"
    );
    let config = || Config::parse(&text, &folder.path().join("c.toml")).expect("valid");
    let start = async |config| {
        let clock = Arc::new(ManualClock::new(monday().start()));
        let chance = SharedChance::new(SeededChance::new(9));
        serve(config, clock, chance)
            .await
            .err()
            .expect("something is in the way")
    };
    let why = start(config()).await;
    assert!(matches!(why, RunError::Listen { .. }), "{why}");
    assert_eq!((why.exit_code(), why.to_string().lines().count()), (69, 1));

    // The first start made identity and database; without the database it is not a new collector.
    std::fs::remove_file(config().database()).expect("removes");
    let why = start(config()).await;
    assert!(matches!(why, RunError::LostDatabase { .. }), "{why}");
    assert_eq!(why.exit_code(), 69);
    assert!(!config().database().exists());
    let chance = SharedChance::new(SeededChance::new(9));
    let why = Ground::open(config(), chance)
        .await
        .err()
        .expect("no database");
    assert_eq!(why.exit_code(), 69);
    assert!(
        why.to_string().starts_with("there is no database at "),
        "{why}"
    );
}

#[test]
fn a_check_looks_behind_the_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "identity = 'k'\ndata_dir = 'd'\nkeys_dir = 'w'\n[intake]\npublic_address = 'a:1'\n";
    let parse = |more: &str| {
        let text = format!("{text}{more}");
        Config::parse(&text, &folder.path().join("c.toml")).expect("valid")
    };
    let refused = |config| {
        let why = commands::check(&config).expect_err("something is wrong");
        assert_eq!(why.to_string().lines().count(), 1, "{why}");
        why.exit_code()
    };
    commands::check(&parse("")).expect("nothing is there yet, and nothing is wrong");
    assert_eq!(refused(parse("[geo]\ndatabases = ['none.mmdb']")), 69);
    std::fs::write(folder.path().join("text.mmdb"), "no database").expect("writes");
    assert_eq!(refused(parse("[geo]\ndatabases = ['text.mmdb']")), 65);
    assert_eq!(
        refused(parse("[http]\ncertificate = 'c.pem'\nkey = 'k.pem'")),
        64
    );
    std::fs::write(folder.path().join("k"), "no key").expect("writes");
    assert_eq!(refused(parse("")), 69);
    std::fs::remove_file(folder.path().join("k")).expect("removes");
    std::fs::create_dir_all(folder.path().join("d/deep")).expect("makes");
    std::os::unix::fs::symlink(folder.path().join("d/deep"), folder.path().join("w"))
        .expect("links");
    assert_eq!(refused(parse("")), 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_say_what_they_found() {
    let bench = Bench::start("").await;
    let mut client = bench.client(b"").await;
    bench.enrol(&mut client, 1).await;
    submit(&mut client, vec![bench.batch(1, 7)]).await;
    let ground = &bench.handle.works.ground;

    let listing = agents::Listing::default();
    let homes = agents::list(ground, listing, commands::Format::Table, tuesday_noon()).await;
    let homes = homes.expect("lists").text;
    let short = &key(1).public().home().to_hex()[..12];
    assert_eq!(
        homes,
        format!(
            "home          enrolled    state                        keys\n\
             {short}  2026-11-10  admitted                     1\n"
        )
    );
    let order = InviteOrder {
        count: 2,
        ..InviteOrder::default()
    };
    let invites = agents::invite(ground, order, tuesday_noon())
        .await
        .expect("invites")
        .text;
    assert!(
        invites
            .lines()
            .all(|line| line.starts_with("phonehome://example.net:4317/#"))
    );
    assert_eq!(invites.lines().count(), 2);

    let early = commands::release(ground, week(), tuesday_noon())
        .await
        .expect("asks");
    let said = "2026-W46 is open: it takes batches until 2026-11-20T00:00:00Z\n";
    assert_eq!((early.text.as_str(), early.is_finding), (said, true));
    let out = bench.folder.path().join("out");
    let nothing = commands::publish(ground, &out).await.expect("asks");
    assert!(nothing.is_finding && !out.exists());

    let late = closes_at(week());
    let released = commands::release(ground, week(), late)
        .await
        .expect("releases");
    assert_eq!(
        (released.text.as_str(), released.is_finding),
        ("released 2026-W46.0\n", false)
    );
    assert!(
        !commands::release(ground, week(), late)
            .await
            .expect("asks")
            .is_finding
    );
    for _ in 0..2 {
        assert!(
            !commands::publish(ground, &out)
                .await
                .expect("publishes")
                .is_finding
        );
    }
    let unproven = commands::verify(&out, None).expect("reads");
    assert!(!unproven.is_finding && unproven.text.contains("origin unproven"));
    let proven = commands::verify(&out, Some(&bench.handle.key())).expect("reads");
    assert!(!proven.is_finding && proven.text.contains("the key you named"));
    assert!(
        proven.text.starts_with("2026-W46.0 (an exercise"),
        "{}",
        proven.text
    );
    assert!(
        commands::verify(&out, Some(&key(9).public()))
            .expect("reads")
            .is_finding
    );
}
