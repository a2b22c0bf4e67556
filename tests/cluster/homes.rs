//! Homes that report a week to whichever collector answers, until each batch has its receipt.

use anyhow::{Context, Result, bail, ensure};
use phonehome_collector::config::Config;
use phonehome_collector::registry::InviteOrder;
use phonehome_collector::run::ground::Ground;
use phonehome_proto::chance::{SeededChance, SharedChance};
use phonehome_proto::enrolment::Invite;
use phonehome_proto::id::{Audience, BatchId, HomeId};
use phonehome_proto::seal::SealedBatch;
use phonehome_proto::status::Outcome;
use phonehome_proto::time::{Timestamp, Week};
use phonehome_tests::liar::Liar;
use phonehome_tests::relay::Relay;
use phonehome_tests::traffic::population::{NETWORKS, prefix};
use std::collections::BTreeMap;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Batches of each home: so many a day.
const BATCHES_A_DAY: u8 = 6;

/// How often a home asks before it gives up for good.
const ATTEMPTS_MAX: u32 = 2_000;

/// A home asks again after so long: the collector's own word would be seconds.
const PAUSE: Duration = Duration::from_millis(50);

/// Receipts by home and batch.
pub(crate) type Receipts = BTreeMap<(HomeId, BatchId), SealedBatch>;

/// Where the test's homes stand: each in a network of the exercise, at an address of its own.
pub(crate) fn address(home: u8) -> Ipv6Addr {
    let mut address = [0; 16];
    address[..6].copy_from_slice(&prefix(usize::from(home) % NETWORKS.len()));
    address[6] = home;
    address[15] = 1;
    Ipv6Addr::from(address)
}

/// A collector's configuration: it listens on `port`, believes relays, and keeps everything where `store`
/// says, or in its own file. Folders are shared by all that lie in `folder`.
pub(crate) fn configure(
    folder: &Path,
    name: &str,
    port: u16,
    store: &str,
) -> Result<std::path::PathBuf> {
    use phonehome_tests::world::ground::{Reach, write};
    let written = std::fs::read_to_string(write(folder, Reach::Relays, None)?)?;
    let text = written
        .replace(
            "listen = \"127.0.0.1:0\"",
            &format!("listen = \"127.0.0.1:{port}\"\ntls = false"),
        )
        .replace("[http]", &format!("{store}\n[http]"));
    ensure!(text.contains("tls = false"), "the template has changed");
    let config = folder.join(format!("{name}.toml"));
    std::fs::write(&config, text)?;
    Ok(config)
}

/// So many invites to the collector of `config`.
pub(crate) async fn invites(
    config: &Path,
    count: u8,
    now: Timestamp,
) -> Result<(Audience, Vec<Invite>)> {
    let chance = SharedChance::new(SeededChance::new(u64::from(count)));
    let ground = Ground::open(Config::load(config)?, chance.clone()).await?;
    let order = InviteOrder {
        count: count.into(),
        ..InviteOrder::default()
    };
    let registry = ground.registry();
    let invites = registry
        .invite(
            order,
            "127.0.0.1:4317",
            &ground.identity,
            &mut chance.clone(),
            now,
        )
        .await?;
    Ok((ground.identity.audience(), invites))
}

/// A home and its ways to every collector.
pub(crate) struct Reporter {
    number: u8,
    ways: Vec<(Liar, Relay)>,
    turn: usize,
}

impl Reporter {
    /// A home that knows these collectors.
    pub(crate) async fn new(
        number: u8,
        audience: Audience,
        collectors: &[SocketAddr],
    ) -> Result<Self> {
        let mut ways = Vec::new();
        for collector in collectors {
            let relay = Relay::open(address(number), *collector).await?;
            let liar = Liar::connect(number, relay.address(), audience).await?;
            ways.push((liar, relay));
        }
        Ok(Self {
            number,
            ways,
            turn: usize::from(number),
        })
    }

    /// Is let in.
    pub(crate) async fn enrol(&mut self, invite: &Invite) -> Result<()> {
        let outcome = self.ways[0].0.enrol(invite).await?;
        ensure!(matches!(outcome, Outcome::Receipt(_)), "{outcome:?}");
        Ok(())
    }

    /// Every batch of the week, as it is sent.
    pub(crate) fn batches(&self, week: Week) -> Vec<(BatchId, SealedBatch)> {
        let liar = &self.ways[0].0;
        let numbers = (1..).take(usize::from(BATCHES_A_DAY) * 7);
        let days = week
            .days()
            .flat_map(|day| (0..BATCHES_A_DAY).map(move |_| day));
        days.zip(numbers)
            // Some homes have seen less.
            .take(usize::from(BATCHES_A_DAY) * (3 + usize::from(self.number) % 5))
            .map(|(day, number)| {
                let header = liar.header(day, number);
                (header.batch_id, liar.sealed(header))
            })
            .collect()
    }

    /// Reports the week, each batch until it has its receipt; `acknowledged` counts those of all homes.
    pub(crate) async fn report(
        mut self,
        week: Week,
        acknowledged: &AtomicUsize,
    ) -> Result<Receipts> {
        let mut receipts = Receipts::new();
        for (id, batch) in self.batches(week) {
            let receipt = self.insist(&batch).await?;
            receipts.insert((self.ways[0].0.home, id), receipt);
            acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        Ok(receipts)
    }

    /// Sends one batch to one collector after the other, as long as they say "come back" or nothing.
    async fn insist(&mut self, batch: &SealedBatch) -> Result<SealedBatch> {
        for _ in 0..ATTEMPTS_MAX {
            let count = self.ways.len();
            let (liar, _) = &mut self.ways[self.turn % count];
            // A home that got no answer knows nothing, and asks again.
            if let Ok(mut outcomes) = liar.submit(vec![batch.clone()]).await {
                match outcomes.pop().context("one outcome")? {
                    Outcome::Receipt(receipt) => return Ok(receipt),
                    refused => bail!("refused for good: {refused:?}"),
                }
            }
            self.turn += 1;
            #[expect(
                clippy::disallowed_methods,
                reason = "real processes have to get there"
            )]
            tokio::time::sleep(PAUSE).await;
        }
        bail!("nobody answers")
    }
}
