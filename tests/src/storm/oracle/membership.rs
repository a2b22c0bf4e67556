//! What the collector answers to those who join, change their key, leave, or are taken out.

use super::answers::{Foretold, note, word_of};
use super::{ERASURES_REPEATED_FOR, Key, Member, Oracle, RETIRED_KEYS_MAX, SKEW, State, Wrong};
use phonehome_collector::store::WeekState;
use phonehome_proto::decode;
use phonehome_proto::id::{Hash, HomeId};
use phonehome_proto::reject::Reject;
use phonehome_proto::seal::{PayloadType, SealedBatch, VerifyingKey};
use phonehome_proto::status::{self, Outcome};
use phonehome_proto::time::Timestamp;
use phonehome_proto::v1;

impl Oracle {
    pub(super) fn hear_enrolment(
        &mut self,
        request: &v1::EnrolRequest,
        said: Option<Outcome>,
        now: Timestamp,
    ) -> Result<(), Wrong> {
        let sealed = status::envelope_from_wire(request.enrolment.clone().unwrap_or_default());
        let key = VerifyingKey::from_bytes(&sealed.public_key);
        let home = key.map_err(|_| "an enrolment without a key")?.home();
        let (payload, token) = (Hash::of(&sealed.payload), Hash::of(&request.invite_token));
        let state = &self.state;
        let foretold = match (state.keys.get(&sealed.public_key), state.homes.get(&home)) {
            (Some(key), _) if key.home != home => Foretold::Refused(Reject::KeyTaken),
            (_, Some(member)) if member.is_revoked => Foretold::Refused(Reject::Revoked),
            (Some(key), _) if key.last_day.is_some() => Foretold::Refused(Reject::KeyRetired),
            (None, Some(_)) => Foretold::Refused(Reject::KeyRetired),
            (_, Some(member)) if member.enrolment == payload => {
                Foretold::Repeated(member.receipt.clone())
            }
            _ if state.invites.get(&token).is_some_and(|until| now < *until) => Foretold::Fresh,
            _ => Foretold::Refused(Reject::InvalidInvite),
        };
        self.state.counted.enrolments.received += 1;
        let Some(said) = said else {
            self.state.counted.enrolments.deferred += 1;
            return Ok(());
        };
        let about = (&sealed, PayloadType::Enrol);
        let fresh = self.check(&foretold, &said, about, (Some(home), now))?;
        note(&mut self.state.counted.enrolments, &foretold);
        if let Some(receipt) = fresh {
            self.state.invites.remove(&token);
            let member = Member {
                enrolment: payload,
                receipt,
                is_revoked: false,
            };
            self.state.homes.insert(home, member);
            let key = Key {
                home,
                last_day: None,
                rotation: None,
            };
            self.state.keys.insert(sealed.public_key, key);
        }
        Ok(())
    }

    pub(super) fn hear_rotation(
        &mut self,
        request: &v1::RotateKeyRequest,
        said: Option<Outcome>,
        now: Timestamp,
    ) -> Result<(), Wrong> {
        let sealed = status::envelope_from_wire(request.rotation.clone().unwrap_or_default());
        let rotation = decode::rotation(&sealed.payload).map_err(|_| "a rotation that is none")?;
        let (home, new) = (
            rotation.facts.home,
            rotation.facts.new_key.as_bytes().to_vec(),
        );
        let payload = Hash::of(&sealed.payload);
        let foretold = self.state.foretell_rotation(&sealed, payload, (home, &new));
        self.state.counted.rotations.received += 1;
        let Some(said) = said else {
            self.state.counted.rotations.deferred += 1;
            return Ok(());
        };
        let about = (&sealed, PayloadType::Rotate);
        let fresh = self.check(&foretold, &said, about, (Some(home), now))?;
        note(&mut self.state.counted.rotations, &foretold);
        if let Some(receipt) = fresh {
            if let Some(old) = self.state.keys.get_mut(&sealed.public_key) {
                old.last_day = now.plus_seconds(SKEW).day();
            }
            let key = Key {
                home,
                last_day: None,
                rotation: Some((payload, receipt)),
            };
            self.state.keys.insert(new, key);
        }
        Ok(())
    }

    pub(super) fn hear_withdrawal(
        &mut self,
        request: &v1::WithdrawRequest,
        said: Option<Outcome>,
        now: Timestamp,
    ) -> Result<(), Wrong> {
        let sealed = status::envelope_from_wire(request.withdrawal.clone().unwrap_or_default());
        let payload = Hash::of(&sealed.payload);
        let withdrawal =
            decode::withdrawal(&sealed.payload).map_err(|_| "a withdrawal that is none")?;
        let home = withdrawal.home;
        self.state.counted.withdrawals.received += 1;
        let kept = self.state.erasures.get(&payload).cloned();
        let foretold = match (&kept, self.state.may_not_speak(&sealed.public_key, home)) {
            (Some((Some(erasure), _)), _) => Foretold::Repeated(erasure.clone()),
            (None, Some(why)) => Foretold::Refused(why),
            (Some((None, _)) | None, _) => Foretold::Fresh,
        };
        let Some(said) = said else {
            self.state.counted.withdrawals.deferred += 1;
            if foretold == Foretold::Fresh && kept.is_none() {
                // Overwriting what it left comes after it is done, and may fail alone.
                let until = now.plus_seconds(ERASURES_REPEATED_FOR);
                self.state.perhaps_left.insert(home, (payload, until));
            }
            return Ok(());
        };
        if let (Some((None, until)), Outcome::Receipt(erasure)) = (&kept, &said) {
            // It was done before, and nobody has heard the answer yet: now it stands.
            self.state.counted.withdrawals.repeated += 1;
            let kept = (Some(erasure.clone()), *until);
            self.state.erasures.insert(payload, kept);
            return Ok(());
        }
        note(&mut self.state.counted.withdrawals, &foretold);
        match (&foretold, said) {
            (Foretold::Fresh, Outcome::Receipt(erasure)) => {
                self.erased(home, payload, erasure, now)
            }
            (Foretold::Repeated(first), Outcome::Receipt(erasure)) if *first == erasure => Ok(()),
            (Foretold::Refused(why), Outcome::Refused(said)) if *why == said => Ok(()),
            (_, said) => Err(format!(
                "{foretold:?} was foretold, {} was said",
                word_of(&said)
            )),
        }
    }

    fn erased(
        &mut self,
        home: HomeId,
        payload: Hash,
        sealed: SealedBatch,
        now: Timestamp,
    ) -> Result<(), Wrong> {
        let said = sealed
            .open(PayloadType::Erasure, &self.collector)
            .map_err(|broken| format!("an erasure is not sealed: {broken:?}"))
            .and_then(|payload| {
                decode::erasure(payload).map_err(|_| "an erasure is none".to_owned())
            })?;
        let batches = self.state.forget_home(home);
        if said.home != home || said.withdrawal_hash != payload || said.batches != batches {
            return Err(format!("{batches} batches went, and it says {said:?}"));
        }
        let until = now.plus_seconds(ERASURES_REPEATED_FOR);
        self.state.erasures.insert(payload, (Some(sealed), until));
        Ok(())
    }

    /// The operator takes a home out.
    pub fn revoked(&mut self, home: HomeId) {
        if let Some(member) = self.state.homes.get_mut(&home)
            && !member.is_revoked
        {
            member.is_revoked = true;
            self.state.forget_rows(home);
        }
    }
}

impl State {
    fn foretell_rotation(
        &self,
        sealed: &SealedBatch,
        payload: Hash,
        (home, new): (HomeId, &Vec<u8>),
    ) -> Foretold {
        if let Some(key) = self.keys.get(new)
            && key.home == home
            && key.last_day.is_none()
            && let Some((before, receipt)) = &key.rotation
            && *before == payload
            && !self.homes.get(&home).is_some_and(|home| home.is_revoked)
        {
            return Foretold::Repeated(receipt.clone());
        }
        if let Some(why) = self.may_not_speak(&sealed.public_key, home) {
            return Foretold::Refused(why);
        }
        if self.keys.contains_key(new) {
            return Foretold::Refused(Reject::KeyTaken);
        }
        let retired = self
            .keys
            .values()
            .filter(|key| key.home == home && key.last_day.is_some());
        if retired.count() >= RETIRED_KEYS_MAX {
            return Foretold::Refused(Reject::TooMany);
        }
        Foretold::Fresh
    }

    /// Why a key may not speak for a home.
    fn may_not_speak(&self, key: &[u8], home: HomeId) -> Option<Reject> {
        match self.keys.get(key) {
            None => Some(Reject::UnknownKey),
            Some(key) if key.home != home => Some(Reject::WrongHome),
            Some(_) if self.homes.get(&home).is_some_and(|home| home.is_revoked) => {
                Some(Reject::Revoked)
            }
            Some(key) if key.last_day.is_some() => Some(Reject::KeyRetired),
            Some(_) => None,
        }
    }

    /// Forgets a home whole; gives how many batches went.
    pub(super) fn forget_home(&mut self, home: HomeId) -> u32 {
        self.homes.remove(&home);
        self.keys.retain(|_, key| key.home != home);
        self.forget_rows(home)
    }

    /// Forgets what is held of a home in every week that is not final; gives how many batches.
    fn forget_rows(&mut self, home: HomeId) -> u32 {
        let mut gone = 0;
        for (week, held) in &mut self.held {
            if self.weeks.get(week) != Some(&WeekState::Final) {
                let before = held.len();
                held.retain(|(whose, _), _| *whose != home);
                gone += before - held.len();
            }
        }
        u32::try_from(gone).unwrap_or(u32::MAX)
    }
}
