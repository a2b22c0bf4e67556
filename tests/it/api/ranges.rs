//! Parquet over HTTP: programs of others fetch the parts they need, and read what the CSV says.

use super::Served;
use anyhow::{Result, ensure};
use phonehome_tests::demo::HOMES;
use phonehome_tests::golden;
use phonehome_tests::programs::{python, said};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What a status line of HTTP/1.1 begins with.
const STATUS_LINE: &[u8] = b"HTTP/1.1 ";

/// A wire to a server that keeps what the server says on it. Cut when dropped.
struct Wire {
    address: SocketAddr,
    connections: Arc<Mutex<Vec<Said>>>,
    accepting: JoinHandle<()>,
}

/// What a server has said on one connection.
type Said = Arc<Mutex<Vec<u8>>>;

impl Wire {
    async fn to(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let connections = Arc::<Mutex<Vec<Said>>>::default();
        let kept = Arc::clone(&connections);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let said = Said::default();
                locked(&kept).push(Arc::clone(&said));
                // A connection that breaks is its two ends' to deal with.
                tokio::spawn(async move { drop(pass_on(client, server, &said).await) });
            }
        });
        Ok(Self {
            address,
            connections,
            accepting,
        })
    }

    /// How many answers had this status.
    fn answers(&self, status: u16) -> usize {
        let line = [STATUS_LINE, status.to_string().as_bytes()].concat();
        let connections = locked(&self.connections);
        let answers = connections.iter().map(|said| {
            let said = locked(said);
            said.windows(line.len())
                .filter(|bytes| *bytes == line)
                .count()
        });
        answers.sum()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn pass_on(client: TcpStream, server: SocketAddr, said: &Said) -> io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = TcpStream::connect(server).await?.into_split();
    let asking = tokio::spawn(async move { copy(&mut from_client, &mut to_server).await });
    let mut bytes = vec![0; 16 * 1_024];
    loop {
        let count = from_server.read(&mut bytes).await?;
        if count == 0 {
            break;
        }
        // Before the client has it, so that whoever looks after the client sees all of it.
        locked(said).extend_from_slice(&bytes[..count]);
        to_client.write_all(&bytes[..count]).await?;
    }
    asking.abort();
    Ok(())
}

fn locked<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Python with pandas, pyarrow, fsspec, aiohttp, duckdb and its httpfs: PHONEHOME_PYTHON"]
#[allow(clippy::print_stdout, reason = "the figures, with --nocapture")]
async fn parquet_is_read_in_parts_and_says_what_the_csv_says() -> Result<()> {
    let served = Served::after(HOMES, 1).await?;
    let server = served.world.collector.http_address();
    let script = golden::root().join("tests/it/api/ranges.py");
    for program in ["pandas", "duckdb"] {
        let wire = Wire::to(server.expect("it serves readers")).await?;
        let url = format!("http://{}", wire.address);
        let text = said(python().arg(&script).args([program, &url]))?;
        let numbers: Vec<usize> = text
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        let [tables, cells] = numbers[..] else {
            anyhow::bail!("it says how many tables and cells: {text}");
        };
        ensure!(cells > 5_000, "{program} has compared {cells} cells");
        let parts = wire.answers(206);
        println!("{program}: {tables} tables, {cells} cells, {parts} answers in part");
        ensure!(
            parts >= tables,
            "{program} was answered {parts} times in part"
        );
    }
    served.world.end().await;
    Ok(())
}
