//! The numbers over gRPC, asked where homes report: the same port, the same TLS, the same door.

use super::Served;
use anyhow::{Context, Result, ensure};
use phonehome_collector::format::csv;
use phonehome_collector::format::table::{Table, TableName};
use phonehome_collector::metrics::Counter;
use phonehome_proto::v1::observatory_client::ObservatoryClient;
use phonehome_proto::v1::row::Cell;
use phonehome_proto::v1::{self, GetOperatorsRequest, GetTableRequest, ListReleasesRequest};
use phonehome_tests::relay::Tap;
use std::sync::Arc;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

/// The service's name on the wire.
const SERVICE: &str = "phonehome.v1.Observatory";

/// What the server reflects when asked this.
async fn reflected(channel: &Channel, asked: MessageRequest) -> Result<MessageResponse> {
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(asked),
    };
    let requests = tokio_stream::once(request);
    let mut client = ServerReflectionClient::new(channel.clone());
    let mut answers = client.server_reflection_info(requests).await?.into_inner();
    let answer = answers.message().await?.context("an answer")?;
    answer.message_response.context("a message")
}

/// A row as it stands in the CSV under these columns.
fn line(row: &v1::Row, columns: &[&str]) -> Result<String> {
    let (state, numbers) = match row.cell.as_ref().context("a state")? {
        Cell::Value(numbers) => ("value", Some(numbers)),
        Cell::Zero(numbers) => ("zero", Some(numbers)),
        Cell::Imprecise(numbers) => ("imprecise", Some(numbers)),
        Cell::Suppressed(_) => ("suppressed", None),
        Cell::NoData(_) => ("no_data", None),
        Cell::NotApplicable(_) => ("not_applicable", None),
    };
    let number = |of: fn(&v1::Numbers) -> String| numbers.map_or_else(String::new, of);
    let share = |points: u32| format!("{}.{:04}", points / 10_000, points % 10_000);
    let fields = columns.iter().map(|column| match *column {
        "week" => row.week.clone(),
        "vendor" => row.vendor.clone(),
        "country" => row.country.clone(),
        "home_country" => row.home_country.clone(),
        "endpoint" => row.endpoint.clone(),
        "state" => state.to_owned(),
        "share" => numbers.map_or_else(String::new, |all| share(all.share_basis_points)),
        "share_low" => numbers.map_or_else(String::new, |all| share(all.share_low_basis_points)),
        "share_high" => numbers.map_or_else(String::new, |all| share(all.share_high_basis_points)),
        "x_low" => number(|all| all.x_low.to_string()),
        "x_high" => number(|all| all.x_high.to_string()),
        "n" => number(|all| all.n.to_string()),
        "networks" => number(|all| all.networks.to_string()),
        "radius" => number(|all| all.radius.to_string()),
        "place_status" => number(|all| all.place_status.clone()),
        other => format!("'{other}' is not on the wire"),
    });
    Ok(fields.collect::<Vec<_>>().join(","))
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_may_ask_where_homes_report() -> Result<()> {
    let served = Served::after(30, 1).await?;
    let collector = &served.world.collector;
    let reader = "2001:db8:7::1".parse()?;
    let tap = Tap::open(reader, collector.intake_address(), Arc::new(|| ())).await?;
    let channel = Endpoint::try_from(format!("http://{}", tap.address()))?;
    let channel = channel.connect().await?;

    let check = HealthCheckRequest {
        service: SERVICE.to_owned(),
    };
    let health = HealthClient::new(channel.clone()).check(check).await?;
    ensure!(health.into_inner().status() == ServingStatus::Serving);

    let services = reflected(&channel, MessageRequest::ListServices(String::new())).await?;
    let MessageResponse::ListServicesResponse(services) = services else {
        anyhow::bail!("no list of services: {services:?}");
    };
    let services: Vec<&str> = services.service.iter().map(|of| &of.name[..]).collect();
    ensure!(services.contains(&SERVICE), "{services:?}");
    let symbol = format!("{SERVICE}.GetOperators");
    let file = reflected(&channel, MessageRequest::FileContainingSymbol(symbol)).await?;
    ensure!(
        matches!(file, MessageResponse::FileDescriptorResponse(_)),
        "a method is described: {file:?}"
    );

    let release = served.newest()?;
    let mut client = ObservatoryClient::new(channel);
    let list = client.list_releases(ListReleasesRequest::default()).await?;
    let list = list.into_inner().releases;
    ensure!(list.len() == 1 && list[0].releases == [release.id.to_string()]);
    for (name, table) in [
        (v1::TableName::Server, TableName::Server),
        (v1::TableName::Network, TableName::Network),
        (v1::TableName::Owner, TableName::Owner),
        (v1::TableName::Home, TableName::Home),
        (v1::TableName::Endpoints, TableName::Endpoints),
    ] {
        let question = GetTableRequest {
            table: name.into(),
            ..GetTableRequest::default()
        };
        let answer = client.get_table(question).await?.into_inner();
        let text = csv::write(&Table::of(release, table));
        let mut lines = text.lines();
        let columns: Vec<&str> = lines.next().context("a header")?.split(',').collect();
        let found = answer.rows.iter().map(|row| line(row, &columns));
        let found: Vec<String> = found.collect::<Result<_>>()?;
        ensure!(!found.is_empty() && found.iter().eq(lines), "{name:?}");
    }
    let operators = client.get_operators(GetOperatorsRequest::default()).await?;
    let found = operators.into_inner().rows.len();
    ensure!(found == Table::of_operators(release).rows.len());

    let nobody = GetOperatorsRequest {
        vendor: "nokia".to_owned(),
        ..GetOperatorsRequest::default()
    };
    let refused = client.get_operators(nobody).await;
    let refused = refused.err().context("it is refused")?;
    let problem = refused.metadata().get("phonehome-problem");
    ensure!(refused.code() == Code::NotFound && problem.is_some_and(|of| of == "no-such-vendor"));

    let counted = collector.metrics();
    ensure!(counted[&Counter::ReadsReceived] == 8 && counted[&Counter::ReadsAnswered] == 7);
    served.world.end().await;
    Ok(())
}
