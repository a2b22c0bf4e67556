//! What the collector answers to those who join, change their key, or are taken out.

use super::answers::{Foretold, note};
use super::state::{Key, Member};
use super::{Oracle, PROBATION_DAYS, RETIRED_KEYS_MAX, SKEW, State, Wrong};
use phonehome_collector::store::{Approved, Standing, WeekState};
use phonehome_proto::decode;
use phonehome_proto::id::{Hash, HomeId};
use phonehome_proto::manifest::EnrolmentMode;
use phonehome_proto::reject::Reject;
use phonehome_proto::seal::{PayloadType, SealedBatch, VerifyingKey};
use phonehome_proto::status::{self, Outcome};
use phonehome_proto::time::{Timestamp, Week};
use phonehome_proto::v1;

impl Oracle {
    pub(super) fn hear_enrolment(
        &mut self,
        request: &v1::EnrolRequest,
        said: Option<Outcome>,
        (now, mode): (Timestamp, EnrolmentMode),
    ) -> Result<(), Wrong> {
        let sealed = status::envelope_from_wire(request.enrolment.clone().unwrap_or_default());
        let key = VerifyingKey::from_bytes(&sealed.public_key);
        let home = key.map_err(|_| "an enrolment without a key")?.home();
        let (payload, token) = (Hash::of(&sealed.payload), Hash::of(&request.invite_token));
        let state = &self.state;
        let standing = if request.invite_token.is_empty() {
            uninvited(mode, now)
        } else {
            let is_good = state.invites.get(&token).is_some_and(|until| now < *until);
            is_good.then_some(Standing::Admitted { counted_from: None })
        };
        let is_barred = state.barred.contains(&home);
        let foretold = match (state.keys.get(&sealed.public_key), state.homes.get(&home)) {
            (Some(key), _) if key.home != home => Foretold::Refused(Reject::KeyTaken),
            _ if is_barred => Foretold::Refused(Reject::Revoked),
            (Some(key), _) if key.last_day.is_some() => Foretold::Refused(Reject::KeyRetired),
            (None, Some(_)) => Foretold::Refused(Reject::KeyRetired),
            (_, Some(member)) if member.enrolment == payload => {
                Foretold::Repeated(member.receipt.clone())
            }
            _ if standing.is_some() => Foretold::Fresh,
            _ => Foretold::Refused(Reject::InvalidInvite),
        };
        self.state.counted.enrolments.received += 1;
        let Some(said) = said else {
            self.state.counted.enrolments.deferred += 1;
            self.happened.note("membership", "enrolment put off");
            return Ok(());
        };
        let about = (&sealed, PayloadType::Enrol);
        let fresh = self.check(&foretold, &said, about, (Some(home), now))?;
        note(&mut self.state.counted.enrolments, &foretold);
        let words = [
            "enrolment accepted",
            "enrolment repeated",
            "enrolment refused",
        ];
        self.happened
            .note("membership", word_among(words, &foretold));
        if let (Some(receipt), Some(standing)) = (fresh, standing) {
            self.state.invites.remove(&token);
            let member = Member {
                enrolment: payload,
                receipt,
                enrolled: now.day().ok_or("a day before 1970")?,
                standing,
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
            self.happened.note("membership", "rotation put off");
            return Ok(());
        };
        let about = (&sealed, PayloadType::Rotate);
        let fresh = self.check(&foretold, &said, about, (Some(home), now))?;
        note(&mut self.state.counted.rotations, &foretold);
        let words = ["rotation accepted", "rotation repeated", "rotation refused"];
        self.happened
            .note("membership", word_among(words, &foretold));
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

    /// The operator takes a home out.
    pub fn revoked(&mut self, home: HomeId) {
        self.state.take_out(home);
    }

    /// The operator lets a home in that waits; gives what he must be told.
    pub fn approved(&mut self, home: HomeId) -> Approved {
        let Some(member) = self.state.homes.get_mut(&home) else {
            return Approved::Unknown;
        };
        match member.standing {
            Standing::Pending => {
                member.standing = Standing::Admitted { counted_from: None };
                Approved::Now
            }
            Standing::Admitted { .. } => Approved::Before,
            Standing::Revoked => Approved::Revoked,
        }
    }
}

/// How a home stands that brings no invite; `None`: it is refused.
fn uninvited(mode: EnrolmentMode, now: Timestamp) -> Option<Standing> {
    let first = now.day()?.plus(PROBATION_DAYS);
    match mode {
        EnrolmentMode::Invite => None,
        EnrolmentMode::Approval => Some(Standing::Pending),
        EnrolmentMode::Open => Some(Standing::Admitted {
            counted_from: Some(first),
        }),
    }
}

/// The word for what was said: something new, the same again, or no.
pub(super) const fn word_among(
    [fresh, repeated, refused]: [&'static str; 3],
    foretold: &Foretold,
) -> &'static str {
    match foretold {
        Foretold::Fresh => fresh,
        Foretold::Repeated(_) => repeated,
        Foretold::Refused(_) => refused,
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
            && !self.homes.get(&home).is_some_and(Member::is_revoked)
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
    pub(super) fn may_not_speak(&self, key: &[u8], home: HomeId) -> Option<Reject> {
        match self.keys.get(key) {
            None => Some(Reject::UnknownKey),
            Some(key) if key.home != home => Some(Reject::WrongHome),
            Some(_) if self.homes.get(&home).is_some_and(Member::is_revoked) => {
                Some(Reject::Revoked)
            }
            Some(key) if key.last_day.is_some() => Some(Reject::KeyRetired),
            Some(_) => None,
        }
    }

    /// Takes a home out of every week that is not final, for good.
    pub(super) fn take_out(&mut self, home: HomeId) {
        if let Some(member) = self.homes.get_mut(&home)
            && !member.is_revoked()
        {
            member.standing = Standing::Revoked;
            self.barred.insert(home);
            let holds = |week: &Week| {
                let held = self.held.get(week);
                held.is_some_and(|held| held.keys().any(|(whose, _)| *whose == home))
            };
            let released = self
                .weeks
                .iter()
                .filter(|(_, state)| **state == WeekState::Released);
            let thinned: Vec<Week> = released.map(|(week, _)| *week).filter(holds).collect();
            self.thinned.extend(thinned);
            self.forget_rows(home);
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
