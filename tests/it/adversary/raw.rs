//! HTTP/2 by hand: what no client library would send.
//!
//! Frames as RFC 9113 has them, headers as literals without compression (RFC 7541, section 6.2.2), so
//! that a request can be begun and never ended, or say what it does not hold.

use anyhow::{Context as _, Result, bail};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection that has said hello.
pub(super) struct Raw(TcpStream);

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Nobody waits longer for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

impl Raw {
    pub(super) async fn connect(address: SocketAddr) -> Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(PREFACE).await?;
        stream.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
        Ok(Self(stream))
    }

    /// Begins a Submit request on a stream, which is odd.
    pub(super) async fn begin(&mut self, stream: u32, more: &[(&str, &str)]) -> Result<()> {
        self.begin_at("/phonehome.v1.Intake/Submit", stream, more)
            .await
    }

    async fn begin_at(&mut self, path: &str, stream: u32, more: &[(&str, &str)]) -> Result<()> {
        let mut block = Vec::new();
        let named = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", "collector.example"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        ];
        for (name, value) in named.iter().chain(more) {
            block.push(0);
            for text in [name, value] {
                block.push(u8::try_from(text.len())?);
                block.extend(text.as_bytes());
            }
        }
        Ok(self
            .0
            .write_all(&frame(HEADERS, END_HEADERS, stream, &block))
            .await?)
    }

    /// What gRPC's health service says of the intake: 1 is serving, 2 is not.
    pub(super) async fn health(&mut self, stream: u32) -> Result<u8> {
        let service = b"phonehome.v1.Intake";
        let length = u8::try_from(service.len())?;
        let request = [&[0x0a, length][..], service].concat();
        let head = message_head(false, u32::from(length) + 2);
        self.begin_at("/grpc.health.v1.Health/Check", stream, &[])
            .await?;
        self.send(stream, &[head, request].concat(), true).await?;
        loop {
            let (kind, of, body) = self.frame().await?;
            if kind == DATA && of == stream {
                return body.last().copied().context("a status");
            }
        }
    }

    async fn frame(&mut self) -> Result<(u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut body = vec![0; usize::try_from(length)?];
        self.0.read_exact(&mut body).await?;
        let of = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Ok((head[3], of, body))
    }

    /// Sends bytes of a request's body.
    pub(super) async fn send(&mut self, stream: u32, bytes: &[u8], is_last: bool) -> Result<()> {
        let flags = if is_last { END_STREAM } else { 0 };
        Ok(self.0.write_all(&frame(DATA, flags, stream, bytes)).await?)
    }

    /// Waits until the other side has ended a stream, or the connection.
    pub(super) async fn ended(&mut self, stream: u32) -> Result<()> {
        let ended = async {
            loop {
                let mut head = [0; 9];
                if self.0.read_exact(&mut head).await.is_err() {
                    return;
                }
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
                let mut body = vec![0; usize::try_from(length).unwrap_or_default()];
                if self.0.read_exact(&mut body).await.is_err() {
                    return;
                }
                let of = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
                let ends = head[4] & END_STREAM > 0 || head[3] == RST_STREAM;
                if of == stream && ends && head[3] != SETTINGS {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, ended)
            .await
            .context("an end")
    }
}

/// The five bytes before a gRPC message.
pub(super) fn message_head(is_compressed: bool, length: u32) -> Vec<u8> {
    [&[u8::from(is_compressed)][..], &length.to_be_bytes()].concat()
}

/// One answer of plain HTTP/1.1, head and body.
pub(super) async fn get(address: SocketAddr, path: &str) -> Result<String> {
    let answer = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        if answer.is_empty() {
            bail!("no answer");
        }
        Ok(answer)
    };
    tokio::time::timeout(PATIENCE, answer)
        .await
        .context("an answer")?
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len())
        .expect("frames are short")
        .to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}
