use super::*;
use phonehome_proto::manifest::Purpose;
use phonehome_proto::seal::SigningKey;
use phonehome_proto::time::Week;

struct Desk {
    folder: tempfile::TempDir,
    store: Store,
}

fn identity(seed: u8) -> Arc<Identity> {
    let key = SigningKey::from_seed(&[seed; 32]);
    Arc::new(Identity::new(key, Purpose::Exercise))
}

impl Desk {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("collector.db"), true).await;
        Self {
            store: store.expect("opens"),
            folder,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("identity.ledger")
    }

    fn copy(&self, seed: u8) -> LedgerCopy {
        LedgerCopy::new(self.path(), self.folder.path(), identity(seed))
    }

    /// Has something happen that the ledger tells.
    async fn happens(&self, number: u32) {
        let now = Timestamp::from_seconds(1_800_000_000);
        let week: Week = format!("2026-W{number}").parse().expect("a week");
        let opened = self.store.open_week(week, Hash::of(b"")).await;
        opened.expect("opens");
        self.store.close_week(week, now).await.expect("closes");
    }
}

#[tokio::test]
async fn the_copy_holds_what_the_store_holds_and_goes_on_where_it_was() {
    let desk = Desk::new().await;
    let copy = desk.copy(1);
    assert_eq!(copy.take_up(&desk.store).await.expect("begins"), Head::NONE);
    for number in 10..13 {
        desk.happens(number).await;
        copy.follow(&desk.store).await.expect("follows");
    }
    let rows = read(&desk.path(), &identity(1)).expect("reads");
    assert_eq!(rows, desk.store.ledger().await.expect("reads"));
    // Another process, and two at a time.
    let again = desk.copy(1);
    desk.happens(13).await;
    assert_eq!(
        again.take_up(&desk.store).await.expect("takes up").number,
        4
    );
    desk.happens(14).await;
    let head = copy.follow(&desk.store).await.expect("follows");
    assert_eq!(
        again.follow(&desk.store).await.expect("nothing is left"),
        head
    );
    assert_eq!(copy.counted().expect("reads"), Some(head));
    assert_eq!(read(&desk.path(), &identity(1)).expect("reads").len(), 5);
}

#[tokio::test]
async fn what_a_power_cut_tore_is_written_anew() {
    let desk = Desk::new().await;
    desk.happens(10).await;
    desk.happens(11).await;
    desk.copy(1).take_up(&desk.store).await.expect("writes");
    let whole = fs::read(desk.path()).expect("reads");
    for length in [0, 1, whole.len() / 2, whole.len() - 1] {
        fs::write(desk.path(), &whole[..length]).expect("tears");
        desk.copy(1).take_up(&desk.store).await.expect("goes on");
        assert_eq!(
            fs::read(desk.path()).expect("reads"),
            whole,
            "torn at {length}"
        );
    }
}

#[tokio::test]
async fn an_older_database_is_seen_by_the_file_and_by_the_counter() {
    let (desk, older) = (Desk::new().await, Desk::new().await);
    for number in 10..13 {
        desk.happens(number).await;
    }
    older.happens(10).await;
    desk.copy(1).take_up(&desk.store).await.expect("writes");
    let refused = desk.copy(1).take_up(&older.store).await;
    assert!(matches!(refused, Err(LedgerError::Older(3))), "{refused:?}");
    // The file alone brought back to an older state does not help.
    fs::remove_file(desk.path()).expect("removes");
    let refused = desk.copy(1).take_up(&older.store).await;
    assert!(matches!(refused, Err(LedgerError::Older(3))), "{refused:?}");
    // Nor does the counter alone.
    desk.copy(1).take_up(&desk.store).await.expect("writes");
    fs::remove_file(desk.folder.path().join(COUNTER)).expect("removes");
    let refused = desk.copy(1).take_up(&older.store).await;
    assert!(matches!(refused, Err(LedgerError::Older(3))), "{refused:?}");
    // One that went another way is no older one.
    older.happens(20).await;
    older.happens(21).await;
    let refused = desk.copy(1).take_up(&older.store).await;
    assert!(
        matches!(refused, Err(LedgerError::Parted(3))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn no_line_can_be_altered() {
    let desk = Desk::new().await;
    for number in 10..13 {
        desk.happens(number).await;
    }
    desk.copy(1).take_up(&desk.store).await.expect("writes");
    let whole = fs::read_to_string(desk.path()).expect("reads");
    let lines: Vec<&str> = whole.lines().collect();
    let refused = |text: &str| {
        fs::write(desk.path(), text).expect("writes");
        read(&desk.path(), &identity(1)).is_err()
    };
    assert!(refused(
        &whole.replace("closed 2026-W11", "closed 2026-W31")
    ));
    assert!(refused(&whole.replacen('a', "b", 1)));
    let without = [lines[0], lines[1], lines[3]].join("\n") + "\n";
    assert!(refused(&without), "a link is missing");
    assert!(refused(
        &whole.replace(lines[3], &lines[3].replace("closed", "opened"))
    ));
    // A chain that is whole, and that somebody else signed.
    assert!(!refused(&whole));
    assert!(matches!(
        read(&desk.path(), &identity(2)),
        Err(LedgerError::Altered { line: 1, .. })
    ));
}
