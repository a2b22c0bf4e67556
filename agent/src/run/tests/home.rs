//! A home whose commands are called, and what it said.

use super::capture;
use crate::device::DeviceTag;
use crate::endpoints;
use crate::run::devices::devices;
use crate::run::enrol::enrol;
use crate::run::household::{consent_grant, device_allow, send};
use crate::run::inspect;
use crate::run::preview::preview;
use crate::run::replay::{Replay, Replayed, replay};
use crate::run::status::{Format, status};
use crate::run::{Environment, Failure};
use crate::state::State;
use crate::uplink::tests::Noted;
use crate::uplink::tests::desk::{Desk, NOW};
use phonehome_proto::chance::SeededChance;
use phonehome_proto::enrolment::Invite;
use phonehome_proto::time::{ManualClock, Timestamp};
use phonehome_proto::vendor::Vendor;
use std::path::PathBuf;
use std::sync::Arc;

/// A home in a folder of its own, with a capture of one phone.
pub(in crate::run) struct Home {
    pub(in crate::run) environment: Environment,
    pub(in crate::run) folder: tempfile::TempDir,
    pub(in crate::run) out: Vec<u8>,
    pub(in crate::run) err: Vec<u8>,
}

impl Home {
    pub(in crate::run) fn new(capture_start: Timestamp) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::write(
            folder.path().join("phone.pcap"),
            capture::pcap(capture_start),
        )?;
        let environment = Environment {
            state: State::at(folder.path().join("state")),
            clock: Arc::new(ManualClock::new(NOW)),
            chance: Box::new(SeededChance::new(1)),
            waits: Box::new(Noted::default()),
            shelf: endpoints::tests::shelf(),
        };
        Ok(Self {
            environment,
            folder,
            out: Vec::new(),
            err: Vec::new(),
        })
    }

    /// Every gate open but enrolment.
    pub(in crate::run) fn willing(capture_start: Timestamp) -> anyhow::Result<Self> {
        let mut home = Self::new(capture_start)?;
        let tag = home.phone()?;
        consent_grant(&mut home.environment, true, &mut home.out)?;
        let vendor = Vendor::from_id("xiaomi");
        device_allow(
            &mut home.environment,
            tag,
            "Ana".parse()?,
            vendor,
            &mut home.out,
        )?;
        send(&mut home.environment, true, &mut home.out)?;
        home.out.clear();
        Ok(home)
    }

    pub(in crate::run) fn files(&self) -> Vec<PathBuf> {
        vec![self.folder.path().join("phone.pcap")]
    }

    /// The tag of the phone in the capture.
    pub(in crate::run) fn phone(&mut self) -> anyhow::Result<DeviceTag> {
        let mut out = Vec::new();
        let files = self.files();
        let format = inspect::Format::Jsonl;
        devices(
            &mut self.environment,
            &files,
            format,
            &mut out,
            &mut self.err,
        )?;
        let rows = String::from_utf8(out)?;
        let phone = rows
            .lines()
            .find(|row| row.contains("64:cc:2e"))
            .expect("the phone is a row");
        let row: serde_json::Value = serde_json::from_str(phone)?;
        Ok(row["device"].as_str().expect("a tag").parse()?)
    }

    pub(in crate::run) async fn enrol(&mut self, desk: &Desk) -> Result<(), Failure> {
        let (out, err) = (&mut self.out, &mut self.err);
        enrol(&mut self.environment, &invite(desk), None, out, err).await
    }

    pub(in crate::run) async fn replay(
        &mut self,
        desk: &Desk,
        invited: bool,
    ) -> Result<Replayed, Failure> {
        let request = Replay {
            files: self.files(),
            collector: desk.url("https"),
            invite: invited.then(|| invite(desk)),
        };
        self.out.clear();
        self.err.clear();
        replay(
            &mut self.environment,
            &request,
            &mut self.out,
            &mut self.err,
        )
        .await
    }

    pub(in crate::run) fn preview(
        &mut self,
        files: &[PathBuf],
    ) -> anyhow::Result<Vec<serde_json::Value>> {
        let mut out = Vec::new();
        preview(
            &mut self.environment,
            files,
            Format::Json,
            &mut out,
            &mut self.err,
        )?;
        Ok(serde_json::from_slice(&out)?)
    }

    pub(in crate::run) fn status(&self) -> anyhow::Result<serde_json::Value> {
        let mut out = Vec::new();
        status(&self.environment, Format::Json, &mut out)?;
        Ok(serde_json::from_slice(&out)?)
    }

    pub(in crate::run) fn told(&self) -> String {
        String::from_utf8_lossy(&self.err).into_owned()
    }
}

pub(in crate::run) fn invite(desk: &Desk) -> Invite {
    let authority = desk.address.to_string();
    Invite {
        authority,
        collector_key: desk.key.public(),
        token: Some([5; 16]),
    }
}

/// Noon of the last day that is over.
pub(in crate::run) fn yesterday() -> Timestamp {
    NOW.plus_seconds(-43_200)
}
