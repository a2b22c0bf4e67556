//! The packet socket: `packet(7)`, as far as a ring needs it.
//!
//! Only [`PacketSocket::open`] needs CAP_NET_RAW; everything after it is open to whoever holds the
//! socket.

#![allow(
    unsafe_code,
    reason = "packet sockets have options and addresses that only libc describes"
)]

use super::mapping::Shape;
use crate::capture::filter::Program;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A packet socket.
#[derive(Debug)]
pub(super) struct PacketSocket {
    fd: OwnedFd,
    /// The kernel can tell of merged segments, whatever they carry.
    knows_segments: bool,
}

/// Where a socket listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    /// The interface; 0 or less where it is gone.
    pub(super) ifindex: i32,
    /// Its `ARPHRD_` number.
    pub(super) hardware: u16,
}

/// What the kernel did to a ring since it was last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Statistics {
    /// Packets that did not fit.
    pub(super) dropped: u32,
    /// How often the ring stood still because it was full.
    pub(super) frozen: u32,
}

// === impl PacketSocket ===

impl PacketSocket {
    /// A socket of no protocol, which receives nothing.
    pub(super) fn open() -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: no memory is passed.
        let fd = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new, and nobody else's.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        // Asked now: a process that has given up its privileges may not ask for the kernel's version.
        let knows_segments = release().is_some_and(|release| release >= DATAGRAMS_TOLD_FROM);
        Ok(Self { fd, knows_segments })
    }

    /// Lets only what the program passes into the socket, from now on.
    pub(super) fn attach(&self, program: &Program) -> io::Result<()> {
        let mut code: Vec<_> = program
            .instructions()
            .iter()
            .map(|instruction| libc::sock_filter {
                code: instruction.code,
                jt: instruction.leap_if_true,
                jf: instruction.leap_if_false,
                k: instruction.operand,
            })
            .collect();
        // The kernel copies what this points to.
        let program = libc::sock_fprog {
            len: u16::try_from(code.len()).expect("programs are short"),
            filter: code.as_mut_ptr(),
        };
        self.set(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
    }

    /// Has each packet preceded by what it says of merged segments, or not; says whether it is. Only
    /// while there is no ring. Kernels that know no merged datagrams there would drop them: those are
    /// not asked.
    pub(super) fn tell_segments(&self, is_wanted: bool) -> bool {
        let is_told = is_wanted && self.knows_segments;
        let value = libc::c_int::from(is_told);
        self.set(libc::SOL_PACKET, libc::PACKET_VNET_HDR, &value)
            .is_ok()
            && is_told
    }

    /// Asks for a ring; of no blocks: gives up the one there is, which must not be mapped any more.
    pub(super) fn set_ring(&self, shape: Shape, block_millis_max: u32) -> io::Result<()> {
        let word = |number: usize| u32::try_from(number).expect("rings are small");
        let version = libc::tpacket_versions::TPACKET_V3 as libc::c_int;
        let is_given_up = shape.blocks == 0;
        if !is_given_up {
            self.set(libc::SOL_PACKET, libc::PACKET_VERSION, &version)?;
        }
        // Frames have no fixed size in this version, but the kernel checks that they would add up.
        let frame_bytes = if is_given_up { 0 } else { shape.block_bytes };
        let request = libc::tpacket_req3 {
            tp_block_size: word(shape.block_bytes),
            tp_block_nr: word(shape.blocks),
            tp_frame_size: word(frame_bytes),
            tp_frame_nr: word(shape.blocks),
            tp_retire_blk_tov: block_millis_max,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        self.set(libc::SOL_PACKET, libc::PACKET_RX_RING, &request)
    }

    /// Listens to packets of this EtherType on an interface, and nowhere else any more.
    pub(super) fn bind(&self, ifindex: i32, ether_type: u16) -> io::Result<()> {
        assert!(ifindex > 0, "interface 0 would be all of them");
        assert!(ether_type != 0, "protocol 0 would be the one before");
        let address = libc::sockaddr_ll {
            sll_family: family(),
            sll_protocol: ether_type.to_be(),
            sll_ifindex: ifindex,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        // SAFETY: the address lives during the call, and its length is given.
        let result = unsafe {
            libc::bind(
                self.fd.as_raw_fd(),
                (&raw const address).cast(),
                length_of::<libc::sockaddr_ll>(),
            )
        };
        checked(result)
    }

    /// Where it listens.
    pub(super) fn bound(&self) -> io::Result<Bound> {
        // SAFETY: `sockaddr_ll` is a structure of integers, for which zeros are a value.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        let mut length = length_of::<libc::sockaddr_ll>();
        // SAFETY: the kernel writes at most `length` bytes to an address of that length.
        let result = unsafe {
            libc::getsockname(
                self.fd.as_raw_fd(),
                (&raw mut address).cast(),
                &raw mut length,
            )
        };
        checked(result)?;
        Ok(Bound {
            ifindex: address.sll_ifindex,
            hardware: address.sll_hatype,
        })
    }

    /// What the kernel did since this was last asked; asking sets its counters back.
    pub(super) fn statistics(&self) -> io::Result<Statistics> {
        // SAFETY: a structure of integers, for which zeros are a value.
        let mut counts: libc::tpacket_stats_v3 = unsafe { mem::zeroed() };
        self.get(libc::SOL_PACKET, libc::PACKET_STATISTICS, &mut counts)?;
        Ok(Statistics {
            dropped: counts.tp_drops,
            frozen: counts.tp_freeze_q_cnt,
        })
    }

    /// The error the socket has been put into, if any; it is out of it then.
    pub(super) fn take_error(&self) -> io::Result<()> {
        let mut error: libc::c_int = 0;
        self.get(libc::SOL_SOCKET, libc::SO_ERROR, &mut error)?;
        match error {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }

    /// Sets an option whose value is a structure of the kernel's.
    fn set<T>(&self, level: libc::c_int, name: libc::c_int, value: &T) -> io::Result<()> {
        // SAFETY: the value lives during the call, and its length is given.
        let result = unsafe {
            libc::setsockopt(
                self.fd.as_raw_fd(),
                level,
                name,
                (&raw const *value).cast(),
                length_of::<T>(),
            )
        };
        checked(result)
    }

    /// Reads an option whose value is a structure of integers of the kernel's.
    fn get<T: Copy>(&self, level: libc::c_int, name: libc::c_int, value: &mut T) -> io::Result<()> {
        let mut length = length_of::<T>();
        // SAFETY: the kernel writes at most `length` bytes to a value of that length, whose type here
        // is one of integers.
        let result = unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                level,
                name,
                (&raw mut *value).cast(),
                &raw mut length,
            )
        };
        checked(result)
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The running kernel's version, as far as two numbers say it.
fn release() -> Option<(u32, u32)> {
    version(rustix::system::uname().release().to_str().ok()?)
}

/// The first two numbers of a kernel's release, `6.1.0-51-amd64`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn checked(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn length_of<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).expect("structures are small")
}

fn family() -> u16 {
    u16::try_from(libc::AF_PACKET).expect("address families are small numbers")
}

/// The first kernel that has words for merged datagrams (`VIRTIO_NET_HDR_GSO_UDP_L4`).
const DATAGRAMS_TOLD_FROM: (u32, u32) = (6, 2);

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_are_the_first_two_numbers() {
        assert_eq!(version("6.1.0-51-amd64"), Some((6, 1)));
        assert_eq!(version("5.15-rc1"), Some((5, 15)));
        assert_eq!(version("6.12+"), Some((6, 12)));
        for none in ["", "6", "six.two", "4294967296.0"] {
            assert_eq!(version(none), None, "{none}");
        }
    }
}
