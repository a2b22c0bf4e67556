//! Another key for the home, and the end of it.

use super::home::{Home, yesterday};
use crate::run::household::{consent_grant, key_show};
use crate::run::rotate::rotate;
use crate::run::withdraw::withdraw;
use crate::run::{Failure, consent_in_force};
use crate::uplink::CollectorUrl;
use crate::uplink::tests::desk::{Desk, NOW};
use phonehome_proto::decode;
use phonehome_proto::id::Hash;
use phonehome_proto::reject::Reject;
use phonehome_proto::seal::{PayloadType, SealedBatch, SigningKey, VerifyingKey};
use phonehome_proto::status::Outcome;
use std::sync::{Arc, Mutex};

/// What the desk was sent, in order.
type Sent = Arc<Mutex<Vec<SealedBatch>>>;

/// An enrolled home with every gate open, and a desk that writes down what it is sent.
async fn ready() -> anyhow::Result<(Desk, Home, Sent)> {
    let desk = Desk::open(true).await?;
    let mut home = Home::willing(yesterday())?;
    home.enrol(&desk).await?;
    home.out.clear();
    let sent = Sent::default();
    answer(&desk, &sent, |_, outcome| Some(outcome));
    Ok((desk, home, sent))
}

/// Has the desk answer as `with` says.
fn answer(
    desk: &Desk,
    sent: &Sent,
    mut with: impl FnMut(&SealedBatch, Outcome) -> Option<Outcome> + Send + 'static,
) {
    let sent = Arc::clone(sent);
    desk.script(|script| {
        script.answer = Box::new(move |sealed, outcome| {
            sent.lock().expect("unpoisoned").push(sealed.clone());
            with(sealed, outcome)
        });
    });
}

impl Home {
    async fn rotates(&mut self) -> Result<(), Failure> {
        rotate(&mut self.environment, None, &mut self.out).await
    }

    async fn leaves(&mut self, url: Option<CollectorUrl>) -> Result<(), Failure> {
        self.out.clear();
        withdraw(&mut self.environment, url, &mut self.out).await
    }

    fn key(&self) -> anyhow::Result<VerifyingKey> {
        Ok(self.environment.state.our_keys()?.expect("a key").current())
    }

    fn printed(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// What stands in the state folder.
    fn listing(&self) -> anyhow::Result<Vec<String>> {
        let entries = std::fs::read_dir(self.environment.state.as_ref())?;
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.map(|entry| entry.file_name().to_string_lossy().into_owned())
        };
        let mut names = entries.map(name).collect::<Result<Vec<_>, _>>()?;
        names.sort();
        Ok(names)
    }
}

fn types(sent: &Sent) -> Vec<String> {
    let sent = sent.lock().expect("unpoisoned");
    sent.iter()
        .map(|sealed| sealed.payload_type.clone())
        .collect()
}

#[tokio::test]
async fn a_rotated_home_is_the_same_home() -> anyhow::Result<()> {
    let (desk, mut home, sent) = ready().await?;
    // A batch waits that the first key signed.
    desk.script(|script| script.busy_submits = (0..5).map(|_| busy()).collect());
    assert!(home.replay(&desk, false).await.is_err());
    let first = home.key()?;
    let consent = home.environment.state.consent()?;

    home.rotates().await?;
    let second = home.key()?;
    assert_ne!(first, second);
    let mut shown = Vec::new();
    key_show(&mut home.environment, &mut shown)?;
    assert!(
        home.printed()
            .contains(String::from_utf8(shown)?.trim_end()),
        "{}",
        home.printed()
    );
    let rotation = sent.lock().expect("unpoisoned")[0].clone();
    let payload = rotation
        .open(PayloadType::Rotate, &first)
        .expect("the old key signed it");
    let facts = decode::rotation(payload)
        .expect("the new key did too")
        .facts;
    assert_eq!((facts.home, facts.new_key), (first.home(), second));

    // What was signed before stays ours: the consent, and the batch.
    assert!(consent_in_force(&home.environment.state)?.is_some());
    assert_eq!(home.environment.state.consent()?, consent);
    let replayed = home.replay(&desk, false).await?;
    assert_eq!(
        (replayed.held, replayed.refused, replayed.waiting),
        (2, 0, 0)
    );
    let sent = sent.lock().expect("unpoisoned");
    let [_, old, new] = &sent[..] else {
        panic!("a rotation and two batches")
    };
    assert_eq!(old.public_key, first.as_bytes());
    assert_eq!(new.public_key, second.as_bytes());
    for sealed in [old, new] {
        let batch = decode::batch(&sealed.payload).expect("a batch");
        assert_eq!(batch.header().home, first.home());
    }
    Ok(())
}

#[tokio::test]
async fn a_rotation_whose_answer_is_lost_is_settled_by_whatever_comes_next() -> anyhow::Result<()> {
    for by_replay in [true, false] {
        let (desk, mut home, sent) = ready().await?;
        let first = home.key()?;
        answer(&desk, &sent, |_, _| None);
        let failure = home.rotates().await.expect_err("no answer");
        assert!(failure.to_string().contains("repeat"), "{failure}");
        assert_eq!(home.key()?, first, "until there is a receipt");
        answer(&desk, &sent, |_, outcome| Some(outcome));
        if by_replay {
            assert_eq!(home.replay(&desk, false).await?.held, 1);
        } else {
            home.rotates().await?;
        }
        assert_ne!(home.key()?, first);
        assert_eq!(home.environment.state.next_key()?.map(|_| ()), None);
        let sent = sent.lock().expect("unpoisoned");
        assert_eq!(sent[0], sent[1], "the same bytes again");
        if let Some(batch) = sent.get(2) {
            assert_eq!(batch.public_key, home.key()?.as_bytes());
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_key_that_is_not_taken_is_not_kept() -> anyhow::Result<()> {
    let (desk, mut home, sent) = ready().await?;
    let first = home.key()?;
    for (reason, is_kept) in [(Reject::UnknownKey, true), (Reject::KeyTaken, false)] {
        answer(&desk, &sent, move |_, _| Some(Outcome::Refused(reason)));
        let failure = home.rotates().await.expect_err("refused");
        assert_eq!(failure.exit().code(), 69, "{failure}");
        assert_eq!(home.environment.state.next_key()?.is_some(), is_kept);
        assert_eq!(home.key()?, first);
    }
    // Nobody answers: nobody has heard of the key.
    let nowhere = "https://127.0.0.1:9".parse()?;
    let refused = rotate(&mut home.environment, Some(nowhere), &mut home.out).await;
    assert_eq!(refused.map_err(|failure| failure.exit().code()), Err(69));
    assert!(home.environment.state.next_key()?.is_none());
    Ok(())
}

#[tokio::test]
async fn without_a_collector_another_key_is_another_home() -> anyhow::Result<()> {
    let mut home = Home::willing(yesterday())?;
    let first = home.key()?;
    home.rotates().await?;
    assert!(home.printed().contains("a new home"), "{}", home.printed());
    let ours = home.environment.state.our_keys()?.expect("a key");
    assert_ne!(ours.current(), first);
    assert_eq!(ours.id(), ours.current().home());
    assert!(consent_in_force(&home.environment.state)?.is_some());
    for _ in 0..20 {
        home.rotates().await?;
    }
    assert!(
        consent_in_force(&home.environment.state)?.is_some(),
        "its signer is remembered"
    );
    Ok(())
}

#[tokio::test]
async fn a_home_that_leaves_keeps_only_the_receipt() -> anyhow::Result<()> {
    let (desk, mut home, sent) = ready().await?;
    home.replay(&desk, false).await?;
    home.rotates().await?;
    let key = home.key()?;
    home.leaves(None).await?;
    let said = home.printed();
    for words in [
        "batches erased: 4, of 2026-W47",
        &NOW.to_string(),
        "published",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(home.listing()?, ["erasure", "lock"]);
    let withdrawal = sent
        .lock()
        .expect("unpoisoned")
        .last()
        .expect("sent")
        .clone();
    let payload = withdrawal
        .open(PayloadType::Withdraw, &key)
        .expect("signed");
    let erasure = home.environment.state.erasure()?.expect("kept");
    let payload = (
        Hash::of(payload),
        erasure.open(PayloadType::Erasure, &desk.key.public()),
    );
    let read = decode::erasure(payload.1.expect("signed")).expect("reads");
    assert_eq!(read.withdrawal_hash, payload.0);

    // Again: the same words, and nobody is asked.
    let asked = types(&sent).len();
    home.leaves(None).await?;
    assert!(
        home.printed().contains("batches erased: 4"),
        "{}",
        home.printed()
    );
    assert_eq!(types(&sent).len(), asked);
    // A home that begins anew has not left.
    consent_grant(&mut home.environment, true, &mut home.out)?;
    home.leaves(None).await?;
    assert!(
        !home.printed().contains("batches erased"),
        "{}",
        home.printed()
    );
    assert_eq!(home.listing()?, ["erasure", "lock"]);
    Ok(())
}

#[tokio::test]
async fn out_of_reach_the_consent_is_gone_and_the_withdrawal_waits() -> anyhow::Result<()> {
    let (desk, mut home, sent) = ready().await?;
    desk.script(|script| script.busy_submits = (0..5).map(|_| busy()).collect());
    assert!(home.replay(&desk, false).await.is_err());
    let nowhere: CollectorUrl = "https://127.0.0.1:9".parse()?;
    let failure = home.leaves(Some(nowhere)).await.expect_err("unreachable");
    assert_eq!(failure.exit().code(), 69);
    assert!(
        failure.to_string().contains("repeat the command"),
        "{failure}"
    );
    assert!(
        home.printed().contains("nothing is observed"),
        "{}",
        home.printed()
    );
    let state = home.environment.state.clone();
    let status = home.status()?;
    assert_eq!(status["spool_batches"], 0);
    assert_eq!(
        (&status["consent"], &status["sending"]),
        (&false.into(), &false.into())
    );
    let kept = state.withdrawal()?.expect("it waits");
    // Nothing of the home can be used meanwhile.
    let failure = home.replay(&desk, false).await.expect_err("no consent");
    assert!(failure.to_string().contains("consent grant"), "{failure}");
    let failure = consent_grant(&mut home.environment, true, &mut home.out).err();
    assert!(failure.is_some_and(|failure| failure.to_string().contains("withdraw")));
    assert!(home.rotates().await.is_err());
    assert_eq!(types(&sent), [] as [&str; 0]);

    home.leaves(None).await?;
    assert_eq!(*sent.lock().expect("unpoisoned"), [kept]);
    assert_eq!(home.listing()?, ["erasure", "lock"]);
    Ok(())
}

#[tokio::test]
async fn nothing_is_deleted_on_a_receipt_that_proves_nothing() -> anyhow::Result<()> {
    let (desk, mut home, sent) = ready().await?;
    type Forge = fn(&SealedBatch) -> SealedBatch;
    let forgeries: [Forge; 3] = [
        |sent| Desk::erasure(&SigningKey::from_seed(&[43; 32]), sent),
        |sent| {
            Desk::receipt(
                &SigningKey::from_seed(&[42; 32]),
                PayloadType::Withdraw,
                sent,
            )
        },
        |sent| {
            let mut other = sent.clone();
            other.payload[80] ^= 1;
            Desk::erasure(&SigningKey::from_seed(&[42; 32]), &other)
        },
    ];
    for forge in forgeries {
        answer(&desk, &sent, move |sent, _| {
            Some(Outcome::Receipt(forge(sent)))
        });
        let failure = home.leaves(None).await.expect_err("no proof");
        assert!(failure.to_string().contains("waits here"), "{failure}");
        assert!(home.environment.state.home_key()?.is_some());
        assert!(home.environment.state.erasure()?.is_none());
    }
    answer(&desk, &sent, |_, outcome| Some(outcome));
    home.leaves(None).await?;
    let sent = sent.lock().expect("unpoisoned");
    assert!(
        sent.iter().all(|sealed| *sealed == sent[0]),
        "one withdrawal, four times"
    );
    Ok(())
}

#[tokio::test]
async fn wherever_it_was_interrupted_leaving_goes_on() -> anyhow::Result<()> {
    // The power went after the answer was kept, or after the enrolment was deleted.
    for is_enrolment_gone in [false, true] {
        let (desk, mut home, sent) = ready().await?;
        answer(&desk, &sent, |_, _| None);
        assert!(home.leaves(None).await.is_err());
        let state = home.environment.state.clone();
        let withdrawal = state.withdrawal()?.expect("it waits");
        state
            .claim()?
            .set_erasure(&Desk::erasure(&desk.key, &withdrawal))?;
        if is_enrolment_gone {
            std::fs::remove_file(state.as_ref().join("collector.json"))?;
        }
        let asked = types(&sent).len();
        home.leaves(None).await?;
        assert!(
            home.printed().contains("batches erased: 4"),
            "{}",
            home.printed()
        );
        assert_eq!(types(&sent).len(), asked, "nobody is asked again");
        assert_eq!(home.listing()?, ["erasure", "lock"]);
    }
    Ok(())
}

#[tokio::test]
async fn a_home_leaves_also_in_the_middle_of_a_rotation_and_when_nobody_knows_it()
-> anyhow::Result<()> {
    let (desk, mut home, sent) = ready().await?;
    answer(&desk, &sent, |_, _| None);
    assert!(home.rotates().await.is_err());
    let (first, next) = (
        home.key()?,
        home.environment.state.next_key()?.expect("begun").public(),
    );
    // The collector did take the rotation.
    answer(&desk, &sent, move |sealed, outcome| {
        let is_old = sealed.public_key == first.as_bytes();
        Some(if is_old {
            Outcome::Refused(Reject::KeyRetired)
        } else {
            outcome
        })
    });
    home.leaves(None).await?;
    let last = sent
        .lock()
        .expect("unpoisoned")
        .last()
        .expect("sent")
        .clone();
    assert!(last.open(PayloadType::Withdraw, &next).is_ok());
    assert_eq!(home.listing()?, ["erasure", "lock"]);

    let (desk, mut home, sent) = ready().await?;
    answer(&desk, &sent, |_, _| {
        Some(Outcome::Refused(Reject::UnknownKey))
    });
    home.leaves(None).await?;
    assert!(
        home.printed().contains("holds nothing of yours"),
        "{}",
        home.printed()
    );
    assert_eq!(home.listing()?, ["lock"]);
    Ok(())
}

#[tokio::test]
async fn a_home_leaves_also_when_a_rotation_ended_after_the_withdrawal_was_signed()
-> anyhow::Result<()> {
    let (desk, mut home, sent) = ready().await?;
    answer(&desk, &sent, |_, _| None);
    assert!(home.rotates().await.is_err());
    let first = home.key()?;
    assert!(home.leaves(None).await.is_err());
    // The daemon was just hearing that the collector took the next key.
    let state = home.environment.state.clone();
    state.claim()?.finish_rotation()?;
    let present = home.key()?;
    assert_ne!(present, first);
    answer(&desk, &sent, move |sealed, outcome| {
        let is_old = sealed.public_key == first.as_bytes();
        Some(if is_old {
            Outcome::Refused(Reject::KeyRetired)
        } else {
            outcome
        })
    });
    home.leaves(None).await?;
    let last = sent.lock().expect("unpoisoned").last().cloned();
    let last = last.expect("sent");
    assert!(last.open(PayloadType::Withdraw, &present).is_ok());
    assert_eq!(home.listing()?, ["erasure", "lock"]);
    Ok(())
}

fn busy() -> tonic::Status {
    phonehome_proto::status::overloaded(1)
}
