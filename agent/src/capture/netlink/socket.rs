//! A netlink socket that never blocks.
//!
//! Promises: closed when dropped and in programs it starts; hears only the kernel, never another
//! process; says when the kernel dropped messages (`NETLINK_NO_ENOBUFS` is never set).

#![allow(
    unsafe_code,
    reason = "netlink sockets have no safe interface in the crates at hand"
)]

use super::message::Request;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// Whom in the kernel one speaks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `NETLINK_ROUTE`: interfaces, addresses, routes.
    Route,
    /// `NETLINK_NETFILTER`: connections, flow tables. Only privileged processes are heard.
    Netfilter,
}

/// What was there to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// A datagram of so many bytes.
    Datagram(usize),
    /// Nothing yet.
    Nothing,
    /// `ENOBUFS`, or a datagram longer than the buffer: messages are missing.
    Overrun,
}

/// One netlink socket.
#[derive(Debug)]
pub struct Socket {
    descriptor: OwnedFd,
}

/// Datagrams of other processes passed over in one call.
const STRANGERS_MAX: u32 = 64;

// === impl Socket ===

impl Socket {
    /// Opens a socket that also hears these multicast groups, a bit each, lowest for group 1.
    ///
    /// # Errors
    ///
    /// If the kernel has no such protocol or this process may not hear these groups.
    pub fn open(protocol: Protocol, groups: u32) -> io::Result<Self> {
        let protocol = match protocol {
            Protocol::Route => libc::NETLINK_ROUTE,
            Protocol::Netfilter => libc::NETLINK_NETFILTER,
        };
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: no pointer is passed.
        let descriptor = unsafe { libc::socket(libc::AF_NETLINK, kind, protocol) };
        check(descriptor)?;
        // SAFETY: the kernel has just given this descriptor, and nobody else holds it.
        let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
        let mut address = no_address();
        address.nl_groups = groups;
        // SAFETY: `address` is a live `sockaddr_nl`, and the length is its own.
        check(unsafe {
            libc::bind(
                descriptor.as_raw_fd(),
                (&raw const address).cast(),
                ADDRESS_BYTES,
            )
        })?;
        Ok(Self { descriptor })
    }

    /// Asks for a receive buffer of so many bytes and gives what was got, in the kernel's own
    /// accounting, which counts twice what one asks for.
    ///
    /// # Errors
    ///
    /// If the kernel refuses even to say how large the buffer is.
    pub fn grow_receive_buffer(&self, wanted_bytes: u32) -> io::Result<u32> {
        let wanted = libc::c_int::try_from(wanted_bytes).unwrap_or(libc::c_int::MAX);
        // Beyond `net.core.rmem_max` only with CAP_NET_ADMIN; without, as far as that goes.
        if self.set(libc::SO_RCVBUFFORCE, wanted).is_err() {
            self.set(libc::SO_RCVBUF, wanted)?;
        }
        let mut got: libc::c_int = 0;
        let mut length = OPTION_BYTES;
        // SAFETY: `got` and `length` are live, and `length` says how large `got` is.
        check(unsafe {
            libc::getsockopt(
                self.descriptor.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVBUF,
                (&raw mut got).cast(),
                &raw mut length,
            )
        })?;
        Ok(u32::try_from(got).unwrap_or(0))
    }

    fn set(&self, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
        // SAFETY: `value` lives through the call, and the length is its own.
        check(unsafe {
            libc::setsockopt(
                self.descriptor.as_raw_fd(),
                libc::SOL_SOCKET,
                option,
                (&raw const value).cast(),
                OPTION_BYTES,
            )
        })
    }

    /// Sends a request to the kernel.
    ///
    /// # Errors
    ///
    /// If the kernel does not take it. That it refuses what is asked comes as an answer.
    pub fn send(&self, request: &Request) -> io::Result<()> {
        let bytes = request.as_bytes();
        let address = no_address();
        // SAFETY: `bytes` and `address` are live, each with its own length.
        let sent = unsafe {
            libc::sendto(
                self.descriptor.as_raw_fd(),
                bytes.as_ptr().cast(),
                bytes.len(),
                libc::MSG_NOSIGNAL,
                (&raw const address).cast(),
                ADDRESS_BYTES,
            )
        };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Waits until there is something to receive, `patience` at most: whether there is.
    ///
    /// # Errors
    ///
    /// If the wait is interrupted or cannot be.
    pub fn wait(&self, patience: Duration) -> io::Result<bool> {
        let mut wanted = libc::pollfd {
            fd: self.descriptor.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        let millis = libc::c_int::try_from(patience.as_millis()).unwrap_or(libc::c_int::MAX);
        // SAFETY: `wanted` is one live `pollfd`.
        let ready = unsafe { libc::poll(&raw mut wanted, 1, millis) };
        check(ready)?;
        Ok(ready > 0)
    }

    /// Receives one datagram, if there is one.
    ///
    /// # Errors
    ///
    /// If the socket is broken: nothing more can be expected of it.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        for _ in 0..STRANGERS_MAX {
            let mut from = no_address();
            let mut from_bytes = ADDRESS_BYTES;
            // SAFETY: `buffer` is live and writable for its length, `from` for `from_bytes`.
            let length = unsafe {
                libc::recvfrom(
                    self.descriptor.as_raw_fd(),
                    buffer.as_mut_ptr().cast(),
                    buffer.len(),
                    // The true length, whatever fits.
                    libc::MSG_TRUNC | libc::MSG_DONTWAIT,
                    (&raw mut from).cast(),
                    &raw mut from_bytes,
                )
            };
            let Ok(length) = usize::try_from(length) else {
                let error = io::Error::last_os_error();
                match error.raw_os_error() {
                    Some(libc::EINTR) => continue,
                    Some(libc::EAGAIN) => return Ok(Received::Nothing),
                    Some(libc::ENOBUFS) => return Ok(Received::Overrun),
                    _ => return Err(error),
                }
            };
            // Port 0 is the kernel's.
            if from.nl_pid != 0 {
                continue;
            }
            return Ok(if length > buffer.len() {
                Received::Overrun
            } else {
                Received::Datagram(length)
            });
        }
        Ok(Received::Nothing)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

#[allow(clippy::cast_possible_truncation, reason = "twelve bytes, and four")]
const ADDRESS_BYTES: libc::socklen_t = size_of::<libc::sockaddr_nl>() as libc::socklen_t;
#[allow(clippy::cast_possible_truncation, reason = "twelve bytes, and four")]
const OPTION_BYTES: libc::socklen_t = size_of::<libc::c_int>() as libc::socklen_t;

/// The kernel's address, and as one's own "any": all zero but for the family.
fn no_address() -> libc::sockaddr_nl {
    // SAFETY: a `sockaddr_nl` is integers only, for which all zero is a value.
    let mut address: libc::sockaddr_nl = unsafe { mem::zeroed() };
    address.nl_family = libc::sa_family_t::try_from(libc::AF_NETLINK).expect("sixteen");
    address
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_socket_needs_no_privilege_and_does_not_block() {
        let socket = Socket::open(Protocol::Route, 0).expect("every kernel has it");
        assert!(
            socket
                .grow_receive_buffer(65_536)
                .expect("a socket has a buffer")
                > 0
        );
        let mut buffer = [0; 64];
        assert_eq!(
            socket.receive(&mut buffer).expect("a socket"),
            Received::Nothing
        );
        // RTM_GETLINK: the loopback interface answers at least, and does not fit.
        let request = Request::dump(18, 1, &[0; 16]);
        socket.send(&request).expect("the kernel listens");
        assert_eq!(
            socket.receive(&mut buffer).expect("a socket"),
            Received::Overrun
        );
    }
}
