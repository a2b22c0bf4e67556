//! A reader's connection, with TLS on it or without.
//!
//! The handshake is made when the first byte is asked for, by whoever answers the connection, so that nobody
//! who is slow at it keeps others from being accepted; its place is bounded as that of all readers.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

/// A connection over `S`.
pub(in crate::run) enum Wire<S> {
    /// What comes is what was sent.
    Plain(S),
    /// Nothing was read yet, or not enough.
    Shaking(Box<Accept<S>>),
    /// Through.
    Tls(Box<TlsStream<S>>),
    /// It was not TLS.
    Broken,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// A connection that begins.
    pub(super) fn new(stream: S, tls: Option<&TlsAcceptor>) -> Self {
        match tls {
            Some(tls) => Self::Shaking(Box::new(tls.accept(stream))),
            None => Self::Plain(stream),
        }
    }

    /// Shakes hands if that is not done, then does `what` with the stream.
    fn then<T>(
        &mut self,
        cx: &mut Context<'_>,
        what: impl FnOnce(Pin<&mut dyn Both>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if let Self::Shaking(accept) = self {
            *self = match ready!(Pin::new(accept).poll(cx)) {
                Ok(stream) => Self::Tls(Box::new(stream)),
                // With this its place is free.
                Err(_) => Self::Broken,
            };
        }
        match self {
            Self::Plain(stream) => {
                let stream: Pin<&mut S> = Pin::new(stream);
                what(stream, cx)
            }
            Self::Tls(stream) => {
                let stream: Pin<&mut TlsStream<S>> = Pin::new(stream);
                what(stream, cx)
            }
            Self::Shaking(_) | Self::Broken => {
                Poll::Ready(Err(io::Error::other("no TLS was agreed on")))
            }
        }
    }
}

/// What is read from and written to.
trait Both: AsyncRead + AsyncWrite {}
impl<S: AsyncRead + AsyncWrite> Both for S {}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.then(cx, |stream, cx| stream.poll_read(cx, buffer))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.then(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.then(cx, |stream, cx| stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            // TLS joins them in its own records.
            Self::Shaking(_) | Self::Tls(_) => true,
            Self::Broken => false,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.then(cx, |stream, cx| stream.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {
            // There is nobody to say good-bye to.
            Self::Shaking(_) | Self::Broken => Poll::Ready(Ok(())),
            _ => self.then(cx, |stream, cx| stream.poll_shutdown(cx)),
        }
    }
}
