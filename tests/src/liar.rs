//! A home that says whatever it is told to: honest batches, and every way of lying with one.
//!
//! It speaks the wire directly, without an agent, and holds a key it can enrol. What it makes is well
//! formed unless its caller breaks it.

use anyhow::{Context, Result};
use phonehome_proto::batch::{AgentVersion, Batch, BatchHeader, Coverage, Source};
use phonehome_proto::census::{Basis, Census, CensusRow, PhoneCount, UnnamedShare};
use phonehome_proto::endpoint::{ENDPOINT_LIST_VERSION, EndpointId};
use phonehome_proto::enrolment::{Enrolment, Invite};
use phonehome_proto::id::{Audience, BatchId, Hash, HomeId};
use phonehome_proto::manifest::Manifest;
use phonehome_proto::net::Prefix;
use phonehome_proto::observation::{
    Destination, NamedBy, Observation, ObservationKey, Service, VolumeTrust,
};
use phonehome_proto::rotation::{Rotation, RotationFacts};
use phonehome_proto::scale::Magnitude;
use phonehome_proto::seal::{PayloadType, SealedBatch, SigningKey};
use phonehome_proto::status::{self, Outcome};
use phonehome_proto::time::Day;
use phonehome_proto::v1::intake_client::IntakeClient;
use phonehome_proto::v1::{
    EnrolRequest, GetManifestRequest, RotateKeyRequest, SubmitRequest, WithdrawRequest,
};
use phonehome_proto::vendor::Vendor;
use phonehome_proto::withdrawal::Withdrawal;
use phonehome_proto::{decode, encode};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

/// A home without an agent.
pub struct Liar {
    /// What it signs with.
    pub key: SigningKey,
    /// What it is called, whatever it signs with.
    pub home: HomeId,
    /// Whom it speaks to.
    pub audience: Audience,
    /// Headers that it sends along with every request.
    pub headers: Vec<(&'static str, String)>,
    client: IntakeClient<Channel>,
}

impl Liar {
    /// A home with the key of `seed`, connected to the collector at `address` without TLS.
    ///
    /// # Errors
    /// When nobody answers there.
    pub async fn connect(seed: u8, address: SocketAddr, audience: Audience) -> Result<Self> {
        let channel = Endpoint::try_from(format!("http://{address}"))?
            .connect()
            .await?;
        let client = IntakeClient::new(channel);
        let key = SigningKey::from_seed(&[seed; 32]);
        Ok(Self {
            home: key.public().home(),
            key,
            audience,
            headers: Vec::new(),
            client,
        })
    }

    /// The collector's rules, as it signed them; nothing is verified.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn manifest(&mut self) -> Result<Manifest> {
        let nonce = vec![0; 16];
        let request = self.request(GetManifestRequest { nonce })?;
        let answer = self.client.get_manifest(request).await?.into_inner();
        let payload = answer.manifest.context("a manifest")?.payload;
        Ok(decode::manifest(&payload)?)
    }

    /// A message with the headers it sends along.
    fn request<T>(&self, message: T) -> Result<Request<T>> {
        let mut request = Request::new(message);
        for (name, value) in &self.headers {
            request.metadata_mut().append(*name, value.parse()?);
        }
        Ok(request)
    }

    /// The same home, speaking from somewhere else at the same time.
    #[must_use]
    pub fn twin(&self) -> Self {
        Self {
            key: SigningKey::from_seed(&self.key.seed()),
            client: self.client.clone(),
            headers: self.headers.clone(),
            ..*self
        }
    }

    /// Asks to be let in.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn enrol(&mut self, invite: &Invite) -> Result<Outcome> {
        let enrolment = Enrolment {
            audience: self.audience,
            invite_hash: invite.token_hash(),
            consent_hash: Hash::of(b"a consent that stays at home"),
        };
        let payload = encode::enrolment(&enrolment);
        let sealed = SealedBatch::seal(PayloadType::Enrol, payload, &self.key);
        let request = EnrolRequest {
            enrolment: Some(status::envelope_to_wire(sealed)),
            invite_token: invite.token_bytes().to_vec(),
        };
        let request = self.request(request)?;
        let answer = self.client.enrol(request).await?.into_inner();
        answer
            .outcome
            .and_then(status::outcome_from_wire)
            .context("an outcome")
    }

    /// Sends batches as they are.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn submit(&mut self, sealed: Vec<SealedBatch>) -> Result<Vec<Outcome>> {
        let batches = sealed.into_iter().map(status::envelope_to_wire).collect();
        let request = self.request(SubmitRequest { batches })?;
        let answer = self.client.submit(request).await?.into_inner();
        let outcomes = answer.outcomes.into_iter();
        outcomes
            .map(|outcome| status::outcome_from_wire(outcome).context("an outcome"))
            .collect()
    }

    /// Sends a rotation as it is.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn rotate(&mut self, sealed: SealedBatch) -> Result<Outcome> {
        let rotation = Some(status::envelope_to_wire(sealed));
        let request = self.request(RotateKeyRequest { rotation })?;
        let answer = self.client.rotate_key(request).await?;
        let outcome = answer.into_inner().outcome;
        outcome
            .and_then(status::outcome_from_wire)
            .context("an outcome")
    }

    /// Sends a withdrawal as it is.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn withdraw(&mut self, sealed: SealedBatch) -> Result<Outcome> {
        let withdrawal = Some(status::envelope_to_wire(sealed));
        let request = self.request(WithdrawRequest { withdrawal })?;
        let answer = self.client.withdraw(request).await?;
        let outcome = answer.into_inner().outcome;
        outcome
            .and_then(status::outcome_from_wire)
            .context("an outcome")
    }

    /// An honest rotation to another key.
    #[must_use]
    pub fn rotation(&self, new: &SigningKey) -> SealedBatch {
        let facts = RotationFacts {
            audience: self.audience,
            home: self.home,
            new_key: new.public(),
        };
        let proof = new.sign(PayloadType::Rotate, &encode::rotation_facts(&facts));
        let payload = encode::rotation(&Rotation { facts, proof });
        SealedBatch::seal(PayloadType::Rotate, payload, &self.key)
    }

    /// An honest withdrawal; the nonce is made of `number`.
    #[must_use]
    pub fn withdrawal(&self, number: u8) -> SealedBatch {
        let withdrawal = Withdrawal {
            audience: self.audience,
            home: self.home,
            nonce: [number; 16],
        };
        let payload = encode::withdrawal(&withdrawal);
        SealedBatch::seal(PayloadType::Withdraw, payload, &self.key)
    }

    /// An honest header for `day`; the batch id is made of `number`.
    #[must_use]
    pub fn header(&self, day: Day, number: u8) -> BatchHeader {
        BatchHeader {
            audience: self.audience,
            home: self.home,
            batch_id: BatchId::new([number; 16]),
            day,
            agent_version: AgentVersion::current(),
            endpoint_list_version: ENDPOINT_LIST_VERSION,
        }
    }

    /// A batch that says that a Xiaomi phone was present and met one listed endpoint.
    ///
    /// # Panics
    /// Never: everything in it may stand together.
    #[must_use]
    pub fn batch(&self, header: BatchHeader) -> Batch {
        let vendor = Vendor::from_id("xiaomi").expect("a vendor of the list");
        let key = ObservationKey {
            vendor,
            basis: Basis::Declared,
            endpoint: EndpointId::of_name("sa.api.intl.miui.com").expect("it is listed"),
            destination: Destination::Prefix(Prefix::V4([161, 117, 70])),
            service: Service::Tls,
            named_by: NamedBy::Sni,
        };
        let volumes = [1, 1_000, 2_000].map(Magnitude::of);
        let observation =
            Observation::new(key, volumes, VolumeTrust::Exact, None).expect("an observation");
        let row = CensusRow {
            phones: PhoneCount::One,
            unnamed: UnnamedShare::Below10,
        };
        let census = Census {
            rows: BTreeMap::from([((vendor, Basis::Declared), row)]),
            unidentified: None,
        };
        let coverage = Coverage {
            source: Source::File,
            losses: BTreeMap::new(),
        };
        Batch::new(header, census, coverage, vec![observation]).expect("a batch")
    }

    /// The batch with this header, sealed.
    #[must_use]
    pub fn sealed(&self, header: BatchHeader) -> SealedBatch {
        self.seal(encode::batch(&self.batch(header)))
    }

    /// Any bytes, sealed as a batch.
    #[must_use]
    pub fn seal(&self, payload: Vec<u8>) -> SealedBatch {
        SealedBatch::seal(PayloadType::Batch, payload, &self.key)
    }
}
