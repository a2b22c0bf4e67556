//! Connections at one time: when more come, somebody has to go.
//!
//! Everybody has a [`Seat`] as long as the connection lives. When all are taken, the next one gets one
//! still, and of whoever has most the oldest is asked to go. So who opens connections without end
//! pushes out its own, and a place is never kept by being slow.

use super::{Line, Place, SHARE_BYTES, Whom};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

/// The seats. Clones are the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Crowd(Arc<Mutex<Line<oneshot::Sender<()>>>>);

/// A seat in the crowd; free again when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    crowd: Crowd,
    place: Place,
    asked: oneshot::Receiver<()>,
    is_asked: bool,
}

/// A connection in its seat: broken off when it is asked to go.
#[derive(Debug)]
pub(crate) struct Seated<S> {
    stream: S,
    seat: Seat,
}

impl Crowd {
    /// A crowd of so many seats.
    pub(crate) fn new(seats: usize) -> Self {
        // A whole share each, so that who has two has more.
        Self(Arc::new(Mutex::new(Line::new(seats * SHARE_BYTES))))
    }

    /// Takes a seat.
    pub(crate) fn sit(&self, whom: Whom) -> Seat {
        let (sender, asked) = oneshot::channel();
        let (place, gone) = self.line().enter(whom, SHARE_BYTES, sender);
        for sender in gone {
            // Who has gone already needs no word.
            let _ = sender.send(());
        }
        Seat {
            crowd: self.clone(),
            place,
            asked,
            is_asked: false,
        }
    }

    fn line(&self) -> MutexGuard<'_, Line<oneshot::Sender<()>>> {
        // The line is whole between any two of its methods, whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Whether it was asked to go; wakes the task when it is.
    pub(crate) fn is_asked(&mut self, cx: &mut Context<'_>) -> bool {
        self.is_asked = self.is_asked || Pin::new(&mut self.asked).poll(cx).is_ready();
        self.is_asked
    }

    /// Resolves when it is asked to go.
    pub(crate) async fn asked(&mut self) {
        std::future::poll_fn(|cx| match self.is_asked(cx) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    /// It is somebody else's: a proxy has said whom it speaks for.
    pub(crate) fn give(self, whom: Whom) -> Self {
        let crowd = self.crowd.clone();
        // Free before it is taken again, or nobody would have to go for nothing.
        drop(self);
        crowd.sit(whom)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let sender = self.crowd.line().leave(self.place);
        drop(sender);
    }
}

impl<S> Seated<S> {
    pub(crate) const fn new(stream: S, seat: Seat) -> Self {
        Self { stream, seat }
    }

    /// Whether it was broken off for somebody else.
    pub(crate) const fn is_cut(&self) -> bool {
        self.seat.is_asked
    }

    /// The connection, if it may stay.
    fn staying(&mut self, cx: &mut Context<'_>) -> io::Result<Pin<&mut S>>
    where
        S: Unpin,
    {
        if self.seat.is_asked(cx) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(Pin::new(&mut self.stream))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Seated<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.staying(cx)?.poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Seated<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.staying(cx)?.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.staying(cx)?.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.staying(cx)?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.staying(cx)?.poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;
    use std::task::Waker;

    fn whom(last: u8) -> Whom {
        Whom::of(Some(IpAddr::from([192, 0, 2, last])))
    }

    fn asked(seat: &mut Seat) -> bool {
        seat.is_asked(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn who_fills_the_room_goes_first_and_its_oldest_before_its_newest() {
        let crowd = Crowd::new(10);
        let mut honest: Vec<Seat> = (1..=4).map(|home| crowd.sit(whom(home))).collect();
        let mut greedy: Vec<Seat> = (0..100).map(|_| crowd.sit(whom(66))).collect();
        assert!(!honest.iter_mut().any(asked));
        let stays: Vec<bool> = greedy.iter_mut().map(|seat| !asked(seat)).collect();
        assert!(stays[94..].iter().all(|stays| *stays) && !stays[..94].iter().any(|stays| *stays));
        drop(greedy);
        // Of equals the oldest.
        honest.extend((5..=11).map(|home| crowd.sit(whom(home))));
        let gone: Vec<bool> = honest.iter_mut().map(asked).collect();
        assert_eq!(gone.iter().filter(|gone| **gone).count(), 1);
        assert!(gone[0]);
    }

    #[test]
    fn a_proxys_seat_becomes_its_clients() {
        let crowd = Crowd::new(3);
        let mut seats: Vec<Seat> = (1..=3)
            .map(|client| crowd.sit(whom(100)).give(whom(client)))
            .collect();
        assert!(!seats.iter_mut().any(asked), "nobody went for it");
        let _fourth = crowd.sit(whom(100)).give(whom(4));
        assert!(asked(&mut seats[0]));
    }
}
