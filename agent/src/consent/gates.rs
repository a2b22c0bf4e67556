//! The gates, all shut at first.
//!
//! Pure: takes what the state folder says, gives the proof that sending is allowed, or the first
//! gate that is shut and the command that opens it. Nothing else lets the uplink send.

use super::Given;
use std::fmt;

/// What the gates look at.
#[derive(Clone, Copy, Debug)]
pub struct Gates {
    /// The household's consent, if it is in force.
    pub consent: Option<Given>,
    /// How many devices the household has named and allowed.
    pub devices_allowed: usize,
    /// Whether sending is on.
    pub sending: bool,
    /// Whether a collector has taken this home in.
    pub enrolled: bool,
}

/// The proof that every gate stands open.
#[derive(Debug)]
pub struct MaySend(());

/// A gate that is shut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shut {
    /// The household has not agreed to anything.
    Consent,
    /// The household has allowed no device.
    Devices,
    /// Sending is off.
    Sending,
    /// No collector has taken this home in.
    Enrolment,
}

impl Gates {
    /// The proof that this home may send, or the first gate that is shut.
    ///
    /// # Errors
    /// [`Shut`].
    pub const fn pass(&self) -> Result<MaySend, Shut> {
        if self.consent.is_none() {
            Err(Shut::Consent)
        } else if self.devices_allowed == 0 {
            Err(Shut::Devices)
        } else if !self.sending {
            Err(Shut::Sending)
        } else if !self.enrolled {
            Err(Shut::Enrolment)
        } else {
            Ok(MaySend(()))
        }
    }
}

impl Shut {
    /// The command that opens it.
    #[must_use]
    pub const fn command(self) -> &'static str {
        match self {
            Self::Consent => "phonehome-agent consent grant",
            Self::Devices => "phonehome-agent device allow TAG --name NAME",
            Self::Sending => "phonehome-agent send on",
            Self::Enrolment => "phonehome-agent enrol INVITE",
        }
    }
}

impl fmt::Display for Shut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::Consent => "the household has not agreed to the present consent text",
            Self::Devices => "the household has allowed no device",
            Self::Sending => "sending is off",
            Self::Enrolment => "no collector has taken this home in",
        };
        write!(
            f,
            "nothing is sent, because {what}; this opens the gate: {}",
            self.command()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent;
    use phonehome_proto::seal::SigningKey;
    use phonehome_proto::time::Timestamp;

    #[test]
    fn every_gate_must_stand_open() {
        let key = SigningKey::from_seed(&[1; 32]);
        let record = consent::grant(Timestamp::from_seconds(0), &key);
        let given = Given::verify(&record, &key.public().into()).ok();
        let open = Gates {
            consent: given,
            devices_allowed: 1,
            sending: true,
            enrolled: true,
        };
        assert!(open.pass().is_ok());
        for (gates, shut) in [
            (
                Gates {
                    consent: None,
                    ..open
                },
                Shut::Consent,
            ),
            (
                Gates {
                    devices_allowed: 0,
                    ..open
                },
                Shut::Devices,
            ),
            (
                Gates {
                    sending: false,
                    ..open
                },
                Shut::Sending,
            ),
            (
                Gates {
                    enrolled: false,
                    ..open
                },
                Shut::Enrolment,
            ),
        ] {
            assert_eq!(gates.pass().err(), Some(shut));
            assert!(shut.to_string().ends_with(shut.command()));
        }
    }
}
