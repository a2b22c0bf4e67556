//! A network namespace of a test's own, with a cable between a router's LAN and a phone.

use super::super::socket::PacketSocket;
use super::super::{NO_ETHER_TYPE, Ring};
use crate::capture::LinkType;
use phonehome_proto::time::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::process::{Child, Command, Stdio};

/// A frame that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::capture) struct Kept {
    pub(in crate::capture) bytes: Vec<u8>,
    pub(in crate::capture) link: LinkType,
    pub(in crate::capture) wire_len_bytes: u32,
    pub(in crate::capture) time: Timestamp,
}

/// Two interfaces with a cable between them: `lan0` is the router's, `phone0` the phone's.
pub(in crate::capture) struct Cable {
    /// Their numbers.
    pub(in crate::capture) router: u32,
    pub(in crate::capture) phone: u32,
    from_router: PacketSocket,
    from_phone: PacketSocket,
}

/// A process in a second network namespace, which holds the phone's end of the cable.
pub(in crate::capture) struct Phone {
    process: Child,
}

/// Runs the body in a process of its own inside a fresh network namespace, by running the same test
/// again there.
pub(in crate::capture) fn in_namespace(module: &str, name: &str, body: impl FnOnce()) {
    const INSIDE: &str = "PHONEHOME_TEST_NAMESPACE";
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let (_crate, module) = module.split_once("::").expect("a module of a crate");
    let output = Command::new("unshare")
        .arg("--net")
        .arg(std::env::current_exe().expect("a test runs"))
        .args([
            &format!("{module}::{name}"),
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env(INSIDE, "1")
        .output()
        .expect("unshare is installed");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "inside: {said}\n{complained}"
    );
}

/// Runs `ip` with these words.
pub(in crate::capture) fn ip(words: &str) -> String {
    let output = Command::new("ip")
        .args(words.split(' '))
        .output()
        .expect("ip is installed");
    assert!(
        output.status.success(),
        "ip {words}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text")
}

/// The number of an interface.
pub(in crate::capture) fn ifindex(name: &str) -> u32 {
    let line = ip(&format!("-o link show dev {name}"));
    let (index, _) = line.split_once(':').expect("`2: lan0@...`");
    index.parse().expect("a number")
}

/// Reads a ring until there is enough; fails when nothing more comes for long.
pub(in crate::capture) fn collect(
    ring: &mut Ring,
    mut is_enough: impl FnMut(&[Kept]) -> bool,
) -> Vec<Kept> {
    collect_into(ring, |_, frames| is_enough(frames))
}

pub(in crate::capture) fn collect_into(
    ring: &mut Ring,
    mut is_enough: impl FnMut(&mut Ring, &[Kept]) -> bool,
) -> Vec<Kept> {
    let mut frames = Vec::new();
    loop {
        while ring.advance() {
            let frame = ring.frame().expect("gone on to");
            frames.push(Kept {
                bytes: frame.bytes.to_vec(),
                link: frame.link,
                wire_len_bytes: frame.wire_len_bytes,
                time: frame.time,
            });
        }
        if is_enough(ring, &frames) {
            return frames;
        }
        let timeout = Timespec {
            tv_sec: 5,
            tv_nsec: 0,
        };
        let ready = poll(&mut [PollFd::new(&*ring, PollFlags::IN)], Some(&timeout));
        assert_eq!(
            ready,
            Ok(1),
            "nothing more came after {} frames",
            frames.len()
        );
    }
}

// === impl Cable ===

impl Cable {
    /// Lays it, with room for frames as large as offloading makes them, and quiet.
    pub(in crate::capture) fn new() -> Self {
        // Not there where the kernel has no IPv6: then it is quiet anyway.
        let _ = std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
        ip("link add lan0 mtu 65535 type veth peer name phone0 mtu 65535");
        ip("link set lan0 up");
        ip("link set phone0 up");
        let (router, phone) = (ifindex("lan0"), ifindex("phone0"));
        Self {
            router,
            phone,
            from_router: sender(router),
            from_phone: sender(phone),
        }
    }

    /// Sends a frame from the phone to the router.
    pub(in crate::capture) fn phone_sends(&self, frame: &[u8]) {
        send(&self.from_phone, frame);
    }

    /// Sends a frame from the router to the phone.
    pub(in crate::capture) fn router_sends(&self, frame: &[u8]) {
        send(&self.from_router, frame);
    }

    /// How many frames have reached the router.
    pub(in crate::capture) fn router_received(&self) -> u64 {
        Self::router_counters()[1]
    }

    /// What the router's interface has counted in both directions, in bytes of frames.
    pub(in crate::capture) fn router_bytes(&self) -> u64 {
        let counters = Self::router_counters();
        counters[0] + counters[8]
    }

    /// The columns of `/proc/net/dev`: bytes, packets and six more received, then the same sent.
    fn router_counters() -> Vec<u64> {
        let table = std::fs::read_to_string("/proc/self/net/dev").expect("Linux");
        let line = table
            .lines()
            .find_map(|line| line.trim_start().strip_prefix("lan0:"))
            .expect("the interface");
        line.split_ascii_whitespace()
            .map(|number| number.parse().expect("a number"))
            .collect()
    }
}

// === impl Phone ===

impl Phone {
    /// Moves the phone's end of the cable away, and gives both ends addresses: the router's is
    /// 192.0.2.1, the phone's 192.0.2.2. Every segment offloading that there is stays on.
    pub(in crate::capture) fn move_out(_cable: &Cable) -> Self {
        // It waits for a line that never comes, and ends with us.
        let process = Command::new("unshare")
            .args(["--net", "sh", "-c", "read line"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("unshare is installed");
        let phone = Self { process };
        let id = phone.process.id();
        ip("address add 192.0.2.1/24 dev lan0");
        // Until it has its namespace, the interface would stay in ours.
        let own = std::fs::read_link("/proc/self/ns/net").expect("Linux");
        let theirs = format!("/proc/{id}/ns/net");
        while std::fs::read_link(&theirs).is_ok_and(|theirs| theirs == own) {
            std::thread::yield_now();
        }
        ip(&format!("link set phone0 netns {id}"));
        phone.shell("ip link set phone0 up mtu 1500 && ip address add 192.0.2.2/24 dev phone0");
        ip("link set lan0 mtu 1500");
        phone
    }

    /// Runs these words in a shell on the phone.
    pub(in crate::capture) fn shell(&self, words: &str) {
        let id = self.process.id().to_string();
        let status = Command::new("nsenter")
            .args(["--target", &id, "--net", "bash", "-c", words])
            .status()
            .expect("nsenter is installed");
        assert!(status.success(), "{words}");
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn sender(ifindex: u32) -> PacketSocket {
    let socket = PacketSocket::open().expect("root");
    let ifindex = i32::try_from(ifindex).expect("small");
    socket.bind(ifindex, NO_ETHER_TYPE).expect("an interface");
    socket
}

fn send(socket: &PacketSocket, frame: &[u8]) {
    assert_eq!(rustix::io::write(socket, frame), Ok(frame.len()));
}
