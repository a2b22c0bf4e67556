//! What phones and servers say to each other once they are connected: HTTP/1.1, as little of it as
//! moves so many bytes either way. The same words are spoken in the clear, in TLS and on a QUIC stream.

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes to be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exchange {
    /// From the server.
    Download(usize),
    /// To the server.
    Upload(usize),
    /// To the server, as an app sends that writes [`SMALL_PIECE_BYTES`] at a time.
    UploadInPieces(usize),
}

/// Bytes of a request's or an answer's head, at most.
const HEAD_BYTES_MAX: usize = 1_024;

/// Bodies move in such pieces.
static PIECE: [u8; PIECE_BYTES] = [0x5a; PIECE_BYTES];

const PIECE_BYTES: usize = 65_536;

/// What many libraries copy by.
const SMALL_PIECE_BYTES: usize = 8_192;

/// The phone's side: asks `host`, and returns when all has been said.
pub(crate) async fn ask<S>(stream: &mut S, host: &str, exchange: Exchange) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (method, path, length) = match exchange {
        Exchange::Download(bytes) => ("GET", bytes, 0),
        Exchange::Upload(bytes) | Exchange::UploadInPieces(bytes) => ("PUT", 0, bytes),
    };
    let piece_bytes = match exchange {
        Exchange::UploadInPieces(_) => SMALL_PIECE_BYTES,
        Exchange::Download(_) | Exchange::Upload(_) => PIECE_BYTES,
    };
    let head =
        format!("{method} /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    send(stream, length, piece_bytes).await?;
    let answer = head_of(stream).await?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    ensure!(
        length_in(&answer)? == path,
        "as much as was asked for: {answer}"
    );
    receive(stream, path).await
}

/// The server's side: answers one request.
pub(crate) async fn answer<S>(stream: &mut S) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = head_of(stream).await?;
    let path = request.split(' ').nth(1).context("a request has a path")?;
    let wanted = path.trim_start_matches('/').parse()?;
    receive(stream, length_in(&request)?).await?;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {wanted}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    send(stream, wanted, PIECE_BYTES).await
}

/// Reads up to the empty line, and not a byte further.
async fn head_of<S: AsyncRead + Unpin>(stream: &mut S) -> Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        ensure!(head.len() < HEAD_BYTES_MAX, "a head that does not end");
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8(head)?)
}

fn length_in(head: &str) -> Result<usize> {
    let mut lines = head.lines();
    let length = lines.find_map(|line| line.strip_prefix("Content-Length: "));
    Ok(length.context("a length is given")?.parse()?)
}

async fn send<S: AsyncWrite + Unpin>(
    stream: &mut S,
    bytes: usize,
    piece_bytes: usize,
) -> Result<()> {
    let mut left = bytes;
    while left > 0 {
        let sent = left.min(piece_bytes);
        stream.write_all(&PIECE[..sent]).await?;
        left -= sent;
    }
    Ok(stream.flush().await?)
}

async fn receive<S: AsyncRead + Unpin>(stream: &mut S, bytes: usize) -> Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut left = bytes;
    while left > 0 {
        let most = left.min(PIECE_BYTES);
        let got = stream.read(&mut piece[..most]).await?;
        ensure!(got > 0, "{left} bytes of {bytes} are missing");
        left -= got;
    }
    Ok(())
}
