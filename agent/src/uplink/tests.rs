pub(crate) mod desk;

use super::*;
use crate::consent::{self, Gates, Given};
use crate::spool::{Spool, SpoolLimits};
use desk::{Desk, NOW, manifest, manifest_answer};
use phonehome_proto::chance::SeededChance;
use phonehome_proto::endpoint::ENDPOINT_LIST_VERSION;
use phonehome_proto::limits;
use phonehome_proto::manifest::Manifest;
use phonehome_proto::reject::Reject;
use phonehome_proto::seal::{PayloadType, SealedBatch, SigningKey};
use phonehome_proto::status::Outcome;
use std::pin::Pin;
use std::time::Duration;

/// Does not wait, but knows how long it should have.
#[derive(Default)]
pub(crate) struct Noted(Vec<Duration>);

impl Waits for Noted {
    fn wait(&mut self, pause: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.0.push(pause);
        Box::pin(std::future::ready(()))
    }
}

/// A home with some batches to send.
struct Home {
    key: SigningKey,
    folder: tempfile::TempDir,
    spool: Spool,
    chance: SeededChance,
    waits: Noted,
}

impl Home {
    fn with_batches(batches: u8) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let key = SigningKey::from_seed(&[3; 32]);
        let mut spool = Spool::open(folder.path(), SpoolLimits::default())?;
        for mark in 0..batches {
            spool.put([&SealedBatch::seal(PayloadType::Batch, vec![mark; 50], &key)])?;
        }
        Ok(Self {
            key,
            folder,
            spool,
            chance: SeededChance::new(1),
            waits: Noted::default(),
        })
    }

    async fn send(&mut self, desk: &Desk) -> (Submitted, Result<(), UplinkError>) {
        let mut submitted = Submitted::default();
        let result = self.send_into(desk, &mut submitted).await;
        (submitted, result)
    }

    async fn send_into(&mut self, desk: &Desk, into: &mut Submitted) -> Result<(), UplinkError> {
        let mut uplink = Uplink::connect(desk.url("https"), desk.key.public()).await?;
        let mut pace = Pace {
            chance: &mut self.chance,
            waits: &mut self.waits,
        };
        let rules = uplink
            .rules((None, &[ENDPOINT_LIST_VERSION]), &mut pace)
            .await?;
        let home = self.key.public();
        let record = consent::grant(NOW, &self.key);
        let consent = Given::verify(&record, &home.into()).ok();
        let gates = Gates {
            consent,
            devices_allowed: 1,
            sending: true,
            enrolled: true,
        };
        let may_send = gates.pass().expect("every gate is open");
        uplink
            .submit(
                (&may_send, &rules),
                &mut self.spool,
                &home.into(),
                &mut pace,
                into,
            )
            .await
    }

    fn waiting(&self) -> usize {
        Spool::waiting_in(self.folder.path())
            .expect("the disk works")
            .batches
    }
}

#[tokio::test]
async fn batches_go_in_order_and_leave_on_receipt() -> anyhow::Result<()> {
    let desk = Desk::open(true).await?;
    desk.script(|script| script.manifest.limits.request_batches_max = 2);
    let mut home = Home::with_batches(5)?;
    let (submitted, result) = home.send(&desk).await;
    result?;
    let sent = (0..5)
        .map(|mark| phonehome_proto::id::Hash::of(&[mark; 50]))
        .collect::<Vec<_>>();
    let held = submitted
        .held
        .iter()
        .map(|held| held.receipt().payload_hash)
        .collect::<Vec<_>>();
    assert_eq!(held, sent);
    assert_eq!(desk.script.lock().expect("unpoisoned").submits, [2, 2, 1]);
    assert_eq!((home.waiting(), home.waits.0.len()), (0, 0));
    Ok(())
}

#[tokio::test]
async fn requests_keep_to_the_collectors_bytes() -> anyhow::Result<()> {
    let desk = Desk::open(true).await?;
    let one = u32::try_from(50 + limits::ENVELOPE_BYTES_MAX)?;
    desk.script(|script| script.manifest.limits.request_bytes_max = 3 * one);
    let mut home = Home::with_batches(7)?;
    home.send(&desk).await.1?;
    assert_eq!(desk.script.lock().expect("unpoisoned").submits, [3, 3, 1]);
    Ok(())
}

#[tokio::test]
async fn only_the_pinned_key_is_spoken_to() -> anyhow::Result<()> {
    let desk = Desk::open(true).await?;
    let other = SigningKey::from_seed(&[43; 32]).public();
    let refused = Uplink::connect(desk.url("https"), other).await.err();
    assert!(
        matches!(refused, Some(ConnectFailure::OtherKey { .. })),
        "{refused:?}"
    );

    // In plain text nothing shows the key until the rules do.
    let desk = Desk::open(false).await?;
    let mut uplink = Uplink::connect(desk.url("http"), other).await?;
    let (mut chance, mut waits) = (SeededChance::new(1), Noted::default());
    let mut pace = Pace {
        chance: &mut chance,
        waits: &mut waits,
    };
    let refused = uplink
        .rules((None, &[ENDPOINT_LIST_VERSION]), &mut pace)
        .await
        .err();
    assert!(
        matches!(refused, Some(UplinkError::Rules(RulesRefused::NotSigned))),
        "{refused:?}"
    );
    Ok(())
}

#[tokio::test]
async fn who_does_not_answer_as_a_collector_is_told_apart() -> anyhow::Result<()> {
    let plain = Desk::open(false).await?;
    let failure = Uplink::connect(plain.url("https"), plain.key.public())
        .await
        .err();
    assert!(
        matches!(failure, Some(ConnectFailure::NoCollector { .. })),
        "{failure:?}"
    );

    let freed = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await?
        .local_addr()?;
    let url = format!("https://{freed}").parse()?;
    let failure = Uplink::connect(url, plain.key.public()).await.err();
    assert!(
        matches!(failure, Some(ConnectFailure::Unreachable { .. })),
        "{failure:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_receipt_that_proves_nothing_keeps_the_batch() -> anyhow::Result<()> {
    type Forge = fn(&SealedBatch, SealedBatch) -> SealedBatch;
    let forgeries: [Forge; 4] = [
        |_, mut receipt| {
            receipt.signature[5] ^= 1;
            receipt
        },
        |_, mut receipt| {
            receipt.payload[40] ^= 1;
            receipt
        },
        |sent, _| Desk::receipt(&SigningKey::from_seed(&[43; 32]), PayloadType::Batch, sent),
        |sent, _| Desk::receipt(&SigningKey::from_seed(&[42; 32]), PayloadType::Enrol, sent),
    ];
    for forge in forgeries {
        let desk = Desk::open(true).await?;
        desk.script(|script| {
            script.answer = Box::new(move |sent, outcome| match outcome {
                // The first is honest, so that the loop is seen to stop where it must.
                Outcome::Receipt(receipt) if sent.payload[0] > 0 => {
                    Some(Outcome::Receipt(forge(sent, receipt)))
                }
                honest => Some(honest),
            });
        });
        let mut home = Home::with_batches(3)?;
        let (submitted, result) = home.send(&desk).await;
        assert!(
            matches!(result, Err(UplinkError::Answer { .. })),
            "{result:?}"
        );
        assert_eq!((submitted.held.len(), home.waiting()), (1, 2));
    }
    Ok(())
}

#[tokio::test]
async fn a_receipt_for_another_batch_keeps_both() -> anyhow::Result<()> {
    let desk = Desk::open(true).await?;
    desk.script(|script| {
        let mut first = None;
        script.answer = Box::new(move |_, outcome| Some(first.get_or_insert(outcome).clone()));
    });
    let mut home = Home::with_batches(2)?;
    let (submitted, result) = home.send(&desk).await;
    assert!(result.is_err());
    assert_eq!((submitted.held.len(), home.waiting()), (1, 1));
    Ok(())
}

#[tokio::test]
async fn an_outcome_too_few_keeps_everything() -> anyhow::Result<()> {
    let desk = Desk::open(true).await?;
    desk.script(|script| {
        script.answer = Box::new(|sent, outcome| (sent.payload[0] < 2).then_some(outcome));
    });
    let mut home = Home::with_batches(3)?;
    let (submitted, result) = home.send(&desk).await;
    assert!(
        matches!(result, Err(UplinkError::Answer { .. })),
        "{result:?}"
    );
    assert_eq!((submitted.held.len(), home.waiting()), (0, 3));
    Ok(())
}

#[tokio::test]
async fn a_final_refusal_removes_and_another_keeps() -> anyhow::Result<()> {
    let desk = Desk::open(true).await?;
    desk.script(|script| {
        script.answer = Box::new(|sent, outcome| {
            Some(match sent.payload[0] {
                0 => Outcome::Refused(Reject::TooLate),
                1 => Outcome::Refused(Reject::TooEarly),
                2 => Outcome::RefusedUnknown { is_final: true },
                3 => Outcome::RefusedUnknown { is_final: false },
                _ => outcome,
            })
        });
    });
    let mut home = Home::with_batches(5)?;
    let (submitted, result) = home.send(&desk).await;
    result?;
    let words = submitted
        .refused
        .iter()
        .map(|(_, refusal)| refusal.as_str())
        .collect::<Vec<_>>();
    assert_eq!(words, ["too_late", "too_early", "unknown", "unknown"]);
    assert_eq!((submitted.held.len(), home.waiting()), (1, 2));
    Ok(())
}

#[tokio::test]
async fn a_busy_collector_is_asked_again_later() -> anyhow::Result<()> {
    let desk = Desk::open(true).await?;
    desk.script(|script| {
        script.busy = [status::overloaded(30), Status::unavailable("restarting")].into();
    });
    let mut home = Home::with_batches(1)?;
    home.send(&desk).await.1?;
    assert_eq!(home.waiting(), 0);
    let [asked, own] = home.waits.0[..] else {
        panic!("two pauses: {:?}", home.waits.0)
    };
    assert!(asked >= Duration::from_secs(30) && own < Duration::from_secs(30));
    Ok(())
}

#[tokio::test]
async fn patience_ends_and_loses_nothing() -> anyhow::Result<()> {
    let desk = Desk::open(true).await?;
    desk.script(|script| script.busy = std::iter::repeat_n(status::overloaded(1), 99).collect());
    let mut home = Home::with_batches(2)?;
    let (_, result) = home.send(&desk).await;
    assert!(
        matches!(
            result,
            Err(UplinkError::Busy {
                tries: TRIES_MAX,
                ..
            })
        ),
        "{result:?}"
    );
    assert_eq!(
        (home.waiting(), home.waits.0.len()),
        (2, TRIES_MAX as usize - 1)
    );
    Ok(())
}

#[tokio::test]
async fn an_error_that_will_not_pass_is_not_waited_for() -> anyhow::Result<()> {
    let desk = Desk::open(true).await?;
    desk.script(|script| script.busy = [Status::invalid_argument("no")].into());
    let mut home = Home::with_batches(1)?;
    let (_, result) = home.send(&desk).await;
    assert!(
        matches!(result, Err(UplinkError::Answer { .. })),
        "{result:?}"
    );
    assert_eq!((home.waiting(), home.waits.0.len()), (1, 0));
    Ok(())
}

#[tokio::test]
async fn enrolment_ends_in_a_receipt_or_a_refusal() -> anyhow::Result<()> {
    let desk = Desk::open(true).await?;
    let mut uplink = Uplink::connect(desk.url("https"), desk.key.public()).await?;
    let (mut chance, mut waits) = (SeededChance::new(1), Noted::default());
    let mut pace = Pace {
        chance: &mut chance,
        waits: &mut waits,
    };
    let rules = uplink
        .rules((None, &[ENDPOINT_LIST_VERSION]), &mut pace)
        .await?;
    let home = SigningKey::from_seed(&[3; 32]);
    let enrolment = SealedBatch::seal(PayloadType::Enrol, vec![1; 96], &home);
    let held = uplink
        .enrol(&rules, &enrolment, Some([1; 16]), &mut pace)
        .await?;
    assert_eq!(
        held.map(|held| held.receipt().home),
        Ok(home.public().home())
    );

    desk.script(|script| {
        script.answer = Box::new(|_, _| Some(Outcome::Refused(Reject::InvalidInvite)));
    });
    let refused = uplink
        .enrol(&rules, &enrolment, Some([2; 16]), &mut pace)
        .await?;
    assert_eq!(refused.err(), Some(Refusal::Known(Reject::InvalidInvite)));

    desk.script(|script| script.answer = Box::new(|_, _| None));
    assert!(
        uplink
            .enrol(&rules, &enrolment, Some([2; 16]), &mut pace)
            .await
            .is_err()
    );
    Ok(())
}

#[test]
fn rules_are_followed_only_when_they_hold() {
    let key = SigningKey::from_seed(&[42; 32]);
    let nonce = [9; 16];
    let judge = |change: fn(&mut Manifest)| {
        let mut rules = manifest(&key.public());
        change(&mut rules);
        let (manifest, clock) = manifest_answer(&rules, nonce, &key);
        Rules::verify(
            (manifest, &clock),
            &key.public(),
            &nonce,
            (Some(7), &[ENDPOINT_LIST_VERSION]),
        )
        .err()
    };
    assert_eq!(judge(|_| {}), None);
    let other = SigningKey::from_seed(&[43; 32]).public().audience();
    assert_ne!(other, key.public().audience());
    for (change, refused) in [
        (
            (|m| m.serial = 6) as fn(&mut Manifest),
            RulesRefused::Older { serial: 6, seen: 7 },
        ),
        (
            |m| m.audience = phonehome_proto::id::Audience::new([1; 32]),
            RulesRefused::WrongAudience,
        ),
        (|m| m.valid_until = NOW, RulesRefused::Expired(NOW)),
        (
            |m| m.valid_until = m.valid_until.plus_seconds(1),
            RulesRefused::ValidTooLong,
        ),
        (
            |m| m.k = 9,
            RulesRefused::Weaker("numbers of fewer homes would be published"),
        ),
        (
            |m| m.rounding = 1,
            RulesRefused::Weaker("numbers would be rounded less"),
        ),
        (
            |m| m.retention.destroy_days = 8,
            RulesRefused::Weaker("batches would be kept for longer"),
        ),
        (
            |m| m.accepted_types.retain(|t| *t != PayloadType::Batch),
            RulesRefused::AgentTooOld,
        ),
        (
            |m| m.endpoint_list_versions.clear(),
            RulesRefused::AgentTooOld,
        ),
    ] {
        assert_eq!(judge(change), Some(refused));
    }

    // The word on the time must be the collector's, about these rules, and to us.
    let rules = manifest(&key.public());
    let (sealed, clock) = manifest_answer(&rules, nonce, &key);
    let verify = |manifest: &SealedBatch, clock: &SealedBatch, nonce: [u8; 16]| {
        Rules::verify(
            (manifest.clone(), clock),
            &key.public(),
            &nonce,
            (None, &[ENDPOINT_LIST_VERSION]),
        )
        .err()
    };
    assert_eq!(
        verify(&sealed, &clock, [8; 16]),
        Some(RulesRefused::NotOurAnswer)
    );
    let (newer, _) = manifest_answer(
        &Manifest {
            serial: 8,
            ..rules.clone()
        },
        nonce,
        &key,
    );
    assert_eq!(
        verify(&newer, &clock, nonce),
        Some(RulesRefused::NotOurAnswer)
    );
    let (_, forged) = manifest_answer(&rules, nonce, &SigningKey::from_seed(&[43; 32]));
    assert_eq!(
        verify(&sealed, &forged, nonce),
        Some(RulesRefused::NotSigned)
    );
    let mut altered = sealed.clone();
    altered.signature[0] ^= 1;
    assert_eq!(
        verify(&altered, &clock, nonce),
        Some(RulesRefused::NotSigned)
    );
    assert_eq!(Rules::serial_of(&sealed, &key.public()), Some(7));
}
