//! What the collector answers to those who leave.

use super::answers::{Foretold, note, word_of};
use super::membership::word_among;
use super::{ERASURES_REPEATED_FOR, Oracle, Wrong};
use phonehome_proto::decode;
use phonehome_proto::id::{Hash, HomeId};
use phonehome_proto::seal::{PayloadType, SealedBatch};
use phonehome_proto::status::{self, Outcome};
use phonehome_proto::time::Timestamp;
use phonehome_proto::v1;

impl Oracle {
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
            self.happened.note("membership", "withdrawal put off");
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
        let words = [
            "withdrawal accepted",
            "withdrawal repeated",
            "withdrawal refused",
        ];
        self.happened
            .note("membership", word_among(words, &foretold));
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
        self.state.left.insert(home);
        if said.home != home || said.withdrawal_hash != payload || said.batches != batches {
            return Err(format!("{batches} batches went, and it says {said:?}"));
        }
        let until = now.plus_seconds(ERASURES_REPEATED_FOR);
        self.state.erasures.insert(payload, (Some(sealed), until));
        Ok(())
    }
}
