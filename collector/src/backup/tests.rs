use super::*;
use phonehome_proto::seal::SigningKey;

fn identity(seed: u8, purpose: Purpose) -> Identity {
    Identity::new(SigningKey::from_seed(&[seed; 32]), purpose)
}

fn ours() -> Identity {
    identity(1, Purpose::Exercise)
}

fn label(identity: &Identity) -> Label {
    Label {
        audience: identity.audience(),
        purpose: identity.purpose(),
        schema: 3,
        made_at: Timestamp::from_seconds(1_800_000_000),
        head: Head {
            number: 17,
            hash: Hash::of(b"the last link"),
        },
        bytes: 0,
        hash: Hash::new([0; 32]),
    }
}

/// A backup of something that stands for a database.
fn made(folder: &Path, identity: &Identity) -> (PathBuf, Label) {
    let file = folder.join("backup");
    let draft = Draft::begin(&file).expect("begins");
    fs::write(draft.part(), b"a database".repeat(50_000)).expect("writes");
    let label = draft.finish(label(identity), identity).expect("finishes");
    (file, label)
}

#[test]
fn what_was_backed_up_comes_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, label) = made(folder.path(), &ours());
    assert_eq!((label.bytes, label.head.number), (500_000, 17));
    let mode = fs::metadata(&file).expect("there").permissions();
    let mode = std::os::unix::fs::PermissionsExt::mode(&mode);
    assert_eq!(mode & 0o777, 0o600);
    let read = Label::read(&file, &ours(), 3).expect("reads");
    assert_eq!(read, label);
    let to = folder.path().join("database");
    read.unpack(&file, &to).expect("unpacks");
    assert_eq!(fs::read(&to).expect("reads"), b"a database".repeat(50_000));
    assert_eq!(
        fs::read_dir(folder.path()).expect("lists").count(),
        2,
        "and nothing else"
    );
}

#[test]
fn a_name_that_is_taken_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("backup");
    fs::write(&file, "mine").expect("writes");
    assert!(matches!(Draft::begin(&file), Err(BackupError::Taken(_))));
    // Also if it was taken meanwhile, and while another is being written.
    fs::remove_file(&file).expect("removes");
    let draft = Draft::begin(&file).expect("begins");
    assert!(matches!(Draft::begin(&file), Err(BackupError::Taken(_))));
    fs::write(&file, "mine").expect("writes");
    let refused = draft.finish(label(&ours()), &ours());
    assert!(matches!(refused, Err(BackupError::Taken(_))), "{refused:?}");
    assert_eq!(fs::read(&file).expect("reads"), b"mine");
    assert_eq!(fs::read_dir(folder.path()).expect("lists").count(), 1);
}

#[test]
fn every_other_file_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, label) = made(folder.path(), &ours());
    let whole = fs::read(&file).expect("reads");
    let refusal = |identity: &Identity, known: u32| -> String {
        let to = folder.path().join("database");
        let read = Label::read(&file, identity, known);
        let unpacked = read.and_then(|label| label.unpack(&file, &to));
        assert!(!to.exists(), "nothing is left");
        unpacked.expect_err("it is refused").to_string()
    };
    let said = refusal(&identity(2, Purpose::Exercise), 3);
    assert!(
        said.ends_with("was made by another collector than the one of this identity"),
        "{said}"
    );
    let said = refusal(&identity(1, Purpose::Observatory), 3);
    assert!(
        said.ends_with("is of a collector with another purpose"),
        "{said}"
    );
    let said = refusal(&ours(), 2);
    assert!(
        said.ends_with("has schema 3, and this version knows only up to 2"),
        "{said}"
    );
    // Cut off, anywhere.
    for length in [0, 1, 500, 1_023, 1_024, 400_000, whole.len() - 1] {
        fs::write(&file, &whole[..length]).expect("cuts");
        let said = refusal(&ours(), 3);
        assert!(
            said.ends_with("is not a whole backup of a collector"),
            "{length}: {said}"
        );
    }
    // Any bit of the database, and of what stands at the end.
    let text = whole.len() - LABEL_BYTES;
    let signed = label.text().len() + "signature ".len() + 128;
    for at in [0, 1, 250_000, text - 1]
        .into_iter()
        .chain(text..text + signed)
    {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        fs::write(&file, &altered).expect("alters");
        let read = Label::read(&file, &ours(), 3);
        let to = folder.path().join("database");
        let unpacked = read.and_then(|label| label.unpack(&file, &to));
        assert!(unpacked.is_err(), "a bit of byte {at}");
    }
    // A database that something was put in front of, or taken out of.
    fs::write(&file, [b"more", &whole[..]].concat()).expect("writes");
    assert!(refusal(&ours(), 3).ends_with("was altered since it was made"));
    fs::write(&file, &whole[10..]).expect("writes");
    assert!(refusal(&ours(), 3).ends_with("was altered since it was made"));
}
