//! A home, its router and a server, each a network namespace that a test makes and takes down.
//!
//! Addresses are those of documentation on both sides of the router, so that nothing here can be
//! mistaken for, or reach, anybody's network.

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The three namespaces, joined by two links; the router translates IPv4 and forwards IPv6.
pub(crate) struct Ground {
    tag: String,
    _alone: MutexGuard<'static, ()>,
}

/// Both ends of an open connection.
pub(crate) struct Talk {
    pub(crate) client: TcpStream,
    pub(crate) server: TcpStream,
}

/// One ground at a time: a test that forks must find no other holding a lock or a pipe.
static ALONE: Mutex<()> = Mutex::new(());

static GROUNDS: AtomicU32 = AtomicU32::new(0);

const RULES: &str = r#"
table inet lab {
    chain raw {
        type filter hook prerouting priority raw;
        tcp dport 8007 ct zone set 7
        tcp sport 8007 ct zone set 7
    }
    chain in {
        type nat hook prerouting priority dstnat;
        iifname "wan" tcp dport 8080 dnat ip to 192.0.2.10:80
        iifname "lan" ip daddr 203.0.113.53 udp dport 53 redirect
    }
    chain out {
        type nat hook postrouting priority srcnat;
        oifname "wan" meta nfproto ipv4 masquerade
    }
}
"#;

/// `%p`, `%r` and `%s` are the namespaces.
const BUILD: &str = "
netns add %p
netns add %r
netns add %s
-n %p link set lo up
-n %r link set lo up
-n %s link set lo up
-n %r link add lan type bridge
-n %r link add port0 type veth peer name eth0 netns %p
-n %r link set port0 master lan
-n %r link add wan type veth peer name eth0 netns %s
-n %r addr add 192.0.2.1/24 dev lan
-n %r addr add 2001:db8:1::1/64 dev lan nodad
-n %r addr add 198.51.100.1/24 dev wan
-n %r addr add 2001:db8:2::1/64 dev wan nodad
-n %p addr add 192.0.2.10/24 dev eth0
-n %p addr add 2001:db8:1::10/64 dev eth0 nodad
-n %s addr add 198.51.100.2/24 dev eth0
-n %s addr add 2001:db8:2::2/64 dev eth0 nodad
-n %s addr add 203.0.113.9/32 dev lo
-n %s addr add 2001:db8:9::9/128 dev lo nodad
-n %r link set lan up
-n %r link set port0 up
-n %r link set wan up
-n %p link set eth0 up
-n %s link set eth0 up
-n %p route add default via 192.0.2.1
-n %p -6 route add default via 2001:db8:1::1
-n %r route add default via 198.51.100.2
-n %r -6 route add default via 2001:db8:2::2
-n %s -6 route add 2001:db8:1::/64 via 2001:db8:2::1
";

impl Ground {
    pub(crate) fn new() -> Self {
        let number = GROUNDS.fetch_add(1, Ordering::Relaxed);
        let ground = Self {
            tag: format!("phonehome-{}-{number}", std::process::id()),
            _alone: ALONE.lock().unwrap_or_else(PoisonError::into_inner),
        };
        for line in BUILD.lines().filter(|line| !line.is_empty()) {
            let line = line
                .replace("%p", &ground.phone())
                .replace("%r", &ground.router())
                .replace("%s", &ground.server());
            run("ip", &line.split(' ').collect::<Vec<_>>(), "");
        }
        ground.sysctl("net.ipv4.ip_forward=1");
        ground.sysctl("net.ipv6.conf.all.forwarding=1");
        ground.sysctl("net.netfilter.nf_conntrack_acct=1");
        ground.on_router("nft", &["-f", "-"], RULES);
        ground
    }

    pub(crate) fn phone(&self) -> String {
        format!("{}-p", self.tag)
    }

    pub(crate) fn router(&self) -> String {
        format!("{}-r", self.tag)
    }

    pub(crate) fn server(&self) -> String {
        format!("{}-s", self.tag)
    }

    pub(crate) fn sysctl(&self, setting: &str) {
        self.on_router("sysctl", &["-q", "-w", setting], "");
    }

    /// Runs a program on the router and gives what it prints.
    pub(crate) fn on_router(&self, program: &str, arguments: &[&str], input: &str) -> String {
        let router = self.router();
        let all = [&["netns", "exec", &router, program], arguments].concat();
        run("ip", &all, input)
    }

    /// Opens a connection from one namespace to a listener in another and moves bytes both ways.
    pub(crate) fn talk(
        &self,
        from: &str,
        to: &str,
        at: (&str, &str),
        up: usize,
        down: usize,
    ) -> Talk {
        let (listens, connects) = at;
        let listener = within(to, || TcpListener::bind(listens).expect("a free port"));
        let connects: SocketAddr = connects.parse().expect("an address");
        let client = within(from, || {
            TcpStream::connect_timeout(&connects, Duration::from_secs(10)).expect("a way there")
        });
        let (server, _) = listener.accept().expect("it has connected");
        let mut talk = Talk { client, server };
        pump(&mut talk.client, &mut talk.server, up);
        pump(&mut talk.server, &mut talk.client, down);
        talk
    }

    /// Sends one datagram from each of so many sockets of the phone's.
    pub(crate) fn scatter(&self, to: &str, count: u16, payload: &[u8]) {
        within(&self.phone(), || {
            for port in 0..count {
                let socket = UdpSocket::bind(("192.0.2.10", 20_000 + port)).expect("a free port");
                socket.send_to(payload, to).expect("a way out");
            }
        });
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        for name in [self.phone(), self.router(), self.server()] {
            let _gone = Command::new("ip").args(["netns", "del", &name]).status();
        }
    }
}

/// Runs something with the network of a namespace, on a thread of its own.
pub(crate) fn within<T: Send>(namespace: &str, what: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        scope
            .spawn(|| {
                enter(namespace);
                what()
            })
            .join()
            .expect("the thread ends well")
    })
}

/// Moves the calling thread into a namespace.
pub(crate) fn enter(namespace: &str) {
    let file = File::open(format!("/var/run/netns/{namespace}")).expect("it was made");
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
        .expect("root may enter");
}

/// Waits a little for the kernel, which gives no other sign.
#[allow(clippy::disallowed_methods, reason = "a real kernel is waited for")]
pub(crate) fn pause() {
    thread::sleep(Duration::from_millis(2));
}

fn pump(from: &mut TcpStream, to: &mut TcpStream, bytes: usize) {
    thread::scope(|scope| {
        scope.spawn(|| from.write_all(&vec![b'x'; bytes]).expect("an open stream"));
        let mut received = vec![0; bytes];
        to.read_exact(&mut received).expect("an open stream");
    });
}

fn run(program: &str, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tools are installed");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
