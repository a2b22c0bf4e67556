//! Requests on their way to the collector.

use phonehome_collector::intake::proxy::Source;
use phonehome_proto::v1;
use phonehome_proto::v1::intake_server::Intake;
use std::net::IpAddr;
use tonic::{Code, Request, Status};

/// A request on its way, and whose it is.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Where it comes from.
    pub from: IpAddr,
    /// What it asks.
    pub content: Content,
}

/// What a request asks.
#[derive(Clone, Debug)]
pub enum Content {
    /// To be taken in.
    Enrol(v1::EnrolRequest),
    /// To take batches.
    Submit(v1::SubmitRequest),
    /// To be known by another key.
    Rotate(v1::RotateKeyRequest),
    /// To be forgotten.
    Withdraw(v1::WithdrawRequest),
}

/// A request that reached the collector, and its answer: an outcome each, or the code of an error.
#[derive(Clone, Debug)]
pub struct Told {
    /// What was asked.
    pub letter: Letter,
    /// What was said.
    pub answer: Result<Vec<v1::Outcome>, Code>,
}

/// Hands a request to the collector.
pub(super) async fn ask(
    collector: &dyn Intake,
    letter: &Letter,
) -> Result<Vec<v1::Outcome>, Status> {
    let from = letter.from;
    let one = |outcome: Option<v1::Outcome>| {
        let missing = || Status::internal("an answer without an outcome");
        outcome.map(|outcome| vec![outcome]).ok_or_else(missing)
    };
    match letter.content.clone() {
        Content::Enrol(request) => one(collector
            .enrol(from_home(request, from))
            .await?
            .into_inner()
            .outcome),
        Content::Submit(request) => {
            let answer = collector.submit(from_home(request, from)).await?;
            Ok(answer.into_inner().outcomes)
        }
        Content::Rotate(request) => {
            let answer = collector.rotate_key(from_home(request, from)).await?;
            one(answer.into_inner().outcome)
        }
        Content::Withdraw(request) => {
            let answer = collector.withdraw(from_home(request, from)).await?;
            one(answer.into_inner().outcome)
        }
    }
}

/// A request as the listener hands it on: with the address it comes from.
fn from_home<T>(message: T, address: IpAddr) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Source::Client(address));
    request
}
