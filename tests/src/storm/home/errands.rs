//! What a home asks of its collector, by the agent's own uplink.

use super::Home;
use phonehome_agent::uplink::{Pace, Refusal, Rules, Submitted, UplinkError, Waits};
use phonehome_proto::chance::Chance;
use phonehome_proto::encode;
use phonehome_proto::endpoint::ENDPOINT_LIST_VERSION;
use phonehome_proto::reject::Reject;
use phonehome_proto::rotation::{Rotation, RotationFacts};
use phonehome_proto::seal::{PayloadType, SealedBatch, SigningKey};
use phonehome_proto::withdrawal::Withdrawal;
use std::pin::Pin;
use std::time::Duration;

/// Nobody waits in a storm.
struct NoWaits;

impl Waits for NoWaits {
    fn wait(&mut self, _pause: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}

/// The endpoint lists that homes of a storm go by.
const LISTS: [u32; 1] = [ENDPOINT_LIST_VERSION];

impl Home {
    /// Asks to be taken in.
    ///
    /// # Errors
    /// [`UplinkError`], when there is no answer.
    pub async fn enrol(&mut self) -> Result<(), UplinkError> {
        if self.identity.is_none() {
            return Ok(());
        }
        let rules = self.rules().await?;
        let Some(identity) = &mut self.identity else {
            return Ok(());
        };
        let mut pace = Pace {
            chance: &mut self.chance,
            waits: &mut NoWaits,
        };
        let answer = self
            .uplink
            .enrol(&rules, &identity.enrolment, identity.token, &mut pace)
            .await?;
        match answer {
            Ok(_) => identity.is_in = true,
            Err(refusal) if refusal.is_final() => self.identity = None,
            Err(_) => {}
        }
        Ok(())
    }

    /// Sends what waits; gives the receipts it got. Finishes a rotation first.
    ///
    /// # Errors
    /// [`UplinkError`], when there is no answer to all of it.
    pub async fn send(&mut self) -> (Vec<SealedBatch>, Result<(), UplinkError>) {
        let mut submitted = Submitted::default();
        let sent = self.send_into(&mut submitted).await;
        if let Some(identity) = &mut self.identity {
            identity.account.held += submitted.held.len() as u64;
            let refused = submitted.refused.iter();
            let for_good = refused.filter(|(_, refusal)| refusal.is_final()).count();
            identity.account.refused += for_good as u64;
            identity.note_lost();
        }
        let receipts = submitted.held.iter().map(|held| held.sealed().clone());
        (receipts.collect(), sent)
    }

    async fn send_into(&mut self, submitted: &mut Submitted) -> Result<(), UplinkError> {
        if !self.takes_part() {
            return Ok(());
        }
        let rules = self.rules().await?;
        self.finish_rotation().await?;
        let Some(identity) = self
            .identity
            .as_mut()
            .filter(|identity| identity.next.is_none())
        else {
            return Ok(());
        };
        let (ours, may_send) = (identity.ours(), identity.may_send());
        let mut pace = Pace {
            chance: &mut self.chance,
            waits: &mut NoWaits,
        };
        let under = (&may_send, &rules);
        self.uplink
            .submit(under, &mut identity.spool, &ours, &mut pace, submitted)
            .await
    }

    /// Replaces its key.
    ///
    /// # Errors
    /// [`UplinkError`], when there is no answer; the rotation is then under way.
    pub async fn rotate(&mut self) -> Result<(), UplinkError> {
        if !self.takes_part() {
            return Ok(());
        }
        let seed = self.chance.bytes();
        if let Some(identity) = &mut self.identity
            && identity.next.is_none()
        {
            identity.next = Some(SigningKey::from_seed(&seed));
        }
        self.finish_rotation().await
    }

    async fn finish_rotation(&mut self) -> Result<(), UplinkError> {
        let audience = self.audience();
        let Some(identity) = &mut self.identity else {
            return Ok(());
        };
        let Some(next) = &identity.next else {
            return Ok(());
        };
        let facts = RotationFacts {
            audience,
            home: identity.id,
            new_key: next.public(),
        };
        let proof = next.sign(PayloadType::Rotate, &encode::rotation_facts(&facts));
        let payload = encode::rotation(&Rotation { facts, proof });
        let sealed = SealedBatch::seal(PayloadType::Rotate, payload, &identity.key);
        let mut pace = Pace {
            chance: &mut self.chance,
            waits: &mut NoWaits,
        };
        match self
            .uplink
            .rotate((identity.id, &sealed), &mut pace)
            .await?
        {
            Ok(_) => {
                identity.former.push(identity.key.public());
                identity.key = identity.next.take().expect("it was just there");
            }
            Err(refusal) if refusal.is_final() => identity.next = None,
            Err(_) => {}
        }
        Ok(())
    }

    /// Leaves: deletes what waits, and tells the collector, now or when it is asked again.
    ///
    /// # Errors
    /// [`UplinkError`], when there is no answer.
    ///
    /// # Panics
    /// When the spool's folder fails.
    pub async fn withdraw(&mut self) -> Result<(), UplinkError> {
        let audience = self.audience();
        let Some(identity) = self.identity.as_mut().filter(|identity| identity.is_in) else {
            return Ok(());
        };
        if identity.withdrawal.is_none() {
            let withdrawal = Withdrawal {
                audience,
                home: identity.id,
                nonce: self.chance.bytes(),
            };
            let payload = encode::withdrawal(&withdrawal);
            let sealed = SealedBatch::seal(PayloadType::Withdraw, payload, &identity.key);
            identity.withdrawal = Some(sealed);
            for slot in identity.spool.slots() {
                identity
                    .spool
                    .remove(slot)
                    .expect("the spool's folder works");
                identity.account.lost += 1;
            }
        }
        let mut sealed = identity.withdrawal.clone().expect("it was just signed");
        let mut pace = Pace {
            chance: &mut self.chance,
            waits: &mut NoWaits,
        };
        let mut answer = self
            .uplink
            .withdraw((identity.id, &sealed), &mut pace)
            .await?;
        if let (Err(Refusal::Known(Reject::KeyRetired)), Some(next)) = (&answer, &identity.next) {
            // The rotation under way had arrived.
            sealed = SealedBatch::seal(PayloadType::Withdraw, sealed.payload, next);
            answer = self
                .uplink
                .withdraw((identity.id, &sealed), &mut pace)
                .await?;
        }
        match answer {
            Ok(_) => self.identity = None,
            Err(refusal) if refusal.is_final() => self.identity = None,
            Err(Refusal::Known(Reject::UnknownKey)) => self.identity = None,
            Err(_) => {}
        }
        Ok(())
    }

    fn takes_part(&self) -> bool {
        let identity = self.identity.as_ref();
        identity.is_some_and(|identity| identity.is_in && identity.withdrawal.is_none())
    }

    /// The collector's rules, as new at least as those it showed before.
    async fn rules(&mut self) -> Result<Rules, UplinkError> {
        let mut pace = Pace {
            chance: &mut self.chance,
            waits: &mut NoWaits,
        };
        let seen = self
            .identity
            .as_ref()
            .and_then(|identity| identity.serial_seen);
        let rules = self.uplink.rules((seen, &LISTS), &mut pace).await?;
        if let Some(identity) = &mut self.identity {
            identity.serial_seen = Some(rules.manifest().serial);
        }
        Ok(rules)
    }
}
