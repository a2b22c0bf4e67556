//! The connection table of a real kernel, in network namespaces made for the test.
//!
//! Needs root, `ip`, `nft` and `conntrack`.

mod ground;

use ground::{Ground, enter, pause, within};
use phonehome_agent::capture::conntrack::{
    Accounting, Conntrack, PERIOD, RECEIVE_BYTES, RETRIES_MAX,
};
use phonehome_agent::capture::lan::Finder;
use phonehome_agent::capture::netlink::Asker;
use phonehome_agent::capture::{Counters, Event, Lost, Moment, Way};
use phonehome_proto::net::Transport;
use phonehome_proto::time::Timestamp;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};
use std::io::Write;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// A connection table that is watched, and all it has said.
struct Watch {
    conntrack: Conntrack,
    /// Moved by hand: no test waits for a period.
    tick: Duration,
    heard: Vec<Counters>,
    swept: u32,
    lost: u64,
}

impl Watch {
    fn of(conntrack: Conntrack) -> Self {
        Self {
            conntrack,
            tick: Duration::from_secs(1_000),
            heard: Vec::new(),
            swept: 0,
            lost: 0,
        }
    }

    fn on(ground: &Ground, receive_bytes: u32) -> Self {
        within(&ground.router(), || {
            let asker = Asker::without_child().expect("root may ask");
            let conntrack = Conntrack::open(Arc::new(asker), receive_bytes);
            Self::of(conntrack.expect("root may listen"))
        })
    }

    /// Takes what there is now.
    fn listen(&mut self) {
        let now = Timestamp::from_seconds(1_794_000_000);
        while let Some(event) = self.conntrack.next(now, self.tick) {
            match event {
                Event::Counters(counters) => self.heard.push(counters),
                Event::Swept => self.swept += 1,
                Event::Lost { count, why } => {
                    assert_eq!(why, Lost::CounterEvents);
                    self.lost += count;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Listens until something has happened, some seconds at most.
    fn until(&mut self, what: impl Fn(&Self) -> bool) {
        for _ in 0..2_000 {
            self.listen();
            if what(self) {
                return;
            }
            pause();
        }
        panic!("it did not happen: {:?}", self.conntrack.counts());
    }

    /// Reads the table once more.
    fn read_again(&mut self) {
        let before = self.swept;
        self.tick += PERIOD;
        self.until(|watch| watch.swept > before);
    }

    /// What was last said of a connection to this destination at this moment.
    fn last(&self, destination: &str, moment: Moment) -> Option<Counters> {
        let matches = |counters: &&Counters| {
            counters.moment == moment && counters.original.destination.to_string() == destination
        };
        self.heard.iter().rev().find(matches).copied()
    }
}

/// Payload and headers: 52 bytes of IPv4 and TCP headers per packet or 72 with IPv6, 8 more in the SYN.
fn assert_counted(counters: &Counters, way: Way, payload: u64) {
    let header = if counters.original.source.is_ipv4() {
        52
    } else {
        72
    };
    let counted = counters.counted_along(way).expect("accounting is on");
    assert_eq!(
        counted.bytes,
        payload + header * counted.packets + 8,
        "{counters:?}"
    );
}

#[test]
#[ignore = "needs root, ip, nft and conntrack"]
fn readings_and_events_tell_what_was_sent() {
    let ground = Ground::new();
    let (phone, server) = (ground.phone(), ground.server());
    assert_eq!(
        within(&ground.router(), Accounting::of_this_machine),
        Accounting::On
    );

    let https = "203.0.113.9:443";
    let old = ground.talk(&phone, &server, (https, https), 1_000, 300_000);
    let mut watch = Watch::on(&ground, RECEIVE_BYTES);
    watch.until(|watch| watch.swept == 1);
    let before = watch.last(https, Moment::Before).expect("it was there");
    assert_counted(&before, Way::Original, 1_000);
    assert_counted(&before, Way::Reply, 300_000);
    assert!(before.status.is_source_translated() && before.status.is_answered());
    assert_eq!(before.reply.destination.ip().to_string(), "198.51.100.1");

    // What begins now is announced, goes on in the next reading, and is over with its last counts.
    let v6 = "[2001:db8:9::9]:443";
    let young = ground.talk(&phone, &server, (v6, v6), 70_000, 20);
    watch.until(|watch| watch.last(v6, Moment::New).is_some());
    assert_eq!(
        watch.last(v6, Moment::New).and_then(|new| new.counted),
        None
    );
    watch.read_again();
    let ongoing = watch
        .last(v6, Moment::Ongoing)
        .expect("it is in the reading");
    assert_counted(&ongoing, Way::Original, 70_000);
    assert_eq!(watch.last(https, Moment::Before), Some(before), "said once");
    assert!(
        watch
            .last(https, Moment::Ongoing)
            .is_some_and(|now| now.key == before.key)
    );
    drop((old, young));
    let listed = ground.on_router("conntrack", &["-L", "-f", "ipv6", "-p", "tcp"], "");
    ground.on_router("conntrack", &["-D", "-f", "ipv6", "-p", "tcp"], "");
    watch.until(|watch| watch.last(v6, Moment::Over).is_some());
    let over = watch.last(v6, Moment::Over).expect("just seen");
    assert_eq!(over.key, ongoing.key);
    let [up, down] = over.counted.expect("accounting is on");
    for count in [up.bytes, down.bytes] {
        assert!(
            listed.contains(&format!("bytes={count} ")),
            "{count} in {listed}"
        );
    }

    // The kernel's counters were read, never set back.
    let listed = ground.on_router("conntrack", &["-L", "-p", "tcp"], "");
    let again = watch
        .last(https, Moment::Ongoing)
        .and_then(|now| now.counted);
    let bytes = again.expect("accounting is on")[1].bytes;
    assert!(bytes >= 300_000 && !listed.contains("bytes=0 "), "{listed}");
    assert_eq!(watch.lost, 0);
}

#[test]
#[ignore = "needs root, ip, nft and conntrack"]
fn forwarded_redirected_and_zoned_connections_are_understood() {
    let ground = Ground::new();
    let (phone, server) = (ground.phone(), ground.server());
    let forwarded = "198.51.100.1:8080";
    let zoned = "203.0.113.9:8007";
    let _open = [
        ground.talk(&server, &phone, ("192.0.2.10:80", forwarded), 10, 5_000),
        ground.talk(&phone, &server, (zoned, zoned), 10, 10),
    ];
    ground.scatter("203.0.113.53:53", 1, b"question");
    let mut watch = Watch::on(&ground, RECEIVE_BYTES);
    watch.until(|watch| watch.swept == 1);
    let networks = within(&ground.router(), || {
        let mut finder = Finder::open(Vec::new(), None).expect("a route socket");
        finder.look().expect("the kernel answers")
    });
    assert!(networks.is_gateway && networks.lans.len() == 1 && networks.taps.len() == 1);
    assert_eq!(
        (&networks.lans[0].name[..], &networks.taps[0].name[..]),
        ("lan", "lan")
    );
    let is_home = |address: IpAddr| networks.is_home(address);

    let seen = watch.last(forwarded, Moment::Before).expect("it was there");
    let view = seen.lan_view(is_home).expect("a device's flow");
    assert_eq!(
        (view.client.to_string().as_str(), view.up),
        ("192.0.2.10:80", Way::Reply)
    );
    assert_counted(&seen, view.up, 5_000);

    let seen = watch.last(zoned, Moment::Before).expect("it was there");
    assert_eq!((seen.key.zone, seen.transport), (7, Transport::Tcp));
    assert!(
        seen.lan_view(is_home)
            .is_some_and(|view| !view.is_intercepted)
    );

    let seen = watch
        .last("203.0.113.53:53", Moment::Before)
        .expect("it was there");
    let view = seen.lan_view(is_home).expect("a phone's flow");
    assert!(view.is_intercepted && view.peer.to_string() == "192.0.2.1:53");
}

#[test]
#[ignore = "needs root, ip, nft and conntrack"]
fn lost_events_are_told_and_made_up_for_by_a_reading() {
    let ground = Ground::new();
    let mut watch = Watch::on(&ground, 1);
    watch.until(|watch| watch.swept == 1);
    let payload = [b'x'; 100];
    ground.scatter("203.0.113.9:5000", 400, &payload);
    watch.until(|watch| watch.swept == 2);
    assert!(watch.lost > 0, "a buffer this small overflows");
    let shown = watch
        .heard
        .iter()
        .filter(|counters| counters.moment == Moment::Ongoing);
    let bytes: u64 = shown
        .clone()
        .map(|counters| counters.counted.expect("accounting is on")[0].bytes)
        .sum();
    assert_eq!((shown.count(), bytes), (400, 400 * 128));
    assert_eq!(watch.conntrack.counts().readings_whole, 2);

    // The socket hears on, and the reading was not due but for the loss.
    let later = watch.swept;
    ground.scatter("203.0.113.9:5001", 1, &payload);
    watch.until(|watch| watch.last("203.0.113.9:5001", Moment::New).is_some());
    assert_eq!(watch.swept, later);
}

#[test]
#[ignore = "needs root, ip and nft"]
fn who_may_not_ask_is_refused_and_does_not_spin() {
    let ground = Ground::new();
    apart(|| {
        enter(&ground.router());
        let asker = Arc::new(Asker::without_child().expect("root may open"));
        let mut watch = Watch::of(Conntrack::open(asker, RECEIVE_BYTES).expect("root may listen"));
        set_capabilities(None, only(CapabilitySet::empty())).expect("less is allowed");
        for _ in 0..100 {
            watch.listen();
        }
        let counts = *watch.conntrack.counts();
        assert_eq!(counts.readings_broken, u64::from(1 + RETRIES_MAX));
        assert_eq!(counts.refused_with, Some(libc::EPERM));
        assert!(watch.conntrack.due() >= watch.tick + PERIOD - Duration::from_secs(1));
    });
}

#[test]
#[ignore = "needs root, ip, nft and conntrack"]
fn the_asker_asks_for_a_process_without_any_privilege() {
    let ground = Ground::new();
    let https = "203.0.113.9:443";
    let _open = ground.talk(&ground.phone(), &ground.server(), (https, https), 10, 9_000);
    apart(|| {
        enter(&ground.router());
        let asker = Asker::start(|| {
            set_capabilities(None, only(CapabilitySet::NET_ADMIN)).map_err(Into::into)
        });
        let asker = Arc::new(asker.expect("root may fork and ask"));
        let mut watch =
            Watch::of(Conntrack::open(Arc::clone(&asker), RECEIVE_BYTES).expect("root may listen"));
        let mut finder = Finder::open(Vec::new(), Some(Arc::clone(&asker))).expect("a socket");
        become_nobody();
        assert_eq!(
            capabilities(None).expect("one's own"),
            only(CapabilitySet::empty())
        );
        let child = Pid::from_raw(children()[0]).expect("a process");
        let its = capabilities(Some(child)).expect("anybody may look");
        assert_eq!(
            (its.effective, its.permitted),
            (CapabilitySet::NET_ADMIN, CapabilitySet::NET_ADMIN)
        );

        watch.until(|watch| watch.swept == 1);
        assert!(watch.last(https, Moment::Before).is_some());
        watch.read_again();
        let seen = watch.last(https, Moment::Ongoing).expect("it goes on");
        assert_counted(&seen, Way::Reply, 9_000);
        assert_eq!(finder.look().expect("the kernel answers").lans.len(), 1);
        // With the last handle the child ends, and leaves nothing behind.
        drop((watch, finder, asker));
        assert!(children().is_empty());
    });
}

#[test]
#[ignore = "needs root, ip and nft"]
fn a_dead_asker_is_noticed_and_events_go_on() {
    let ground = Ground::new();
    let router = ground.router();
    apart(|| {
        enter(&router);
        let asker = Arc::new(Asker::start(|| Ok(())).expect("root may fork and ask"));
        let mut watch = Watch::of(Conntrack::open(asker, RECEIVE_BYTES).expect("root may listen"));
        watch.until(|watch| watch.swept == 1);
        let child = Pid::from_raw(children()[0]).expect("a process");
        kill_process(child, Signal::KILL).expect("its parent may");
        // The channel breaks when the kernel has taken it down.
        for _ in 0..1_000 {
            watch.tick += PERIOD;
            watch.listen();
            if watch.conntrack.counts().is_without_readings {
                break;
            }
            pause();
        }
        assert!(watch.conntrack.counts().is_without_readings);
        assert_eq!(watch.lost, 1, "told once");
        assert_eq!(watch.conntrack.due(), Duration::MAX);
        ground.scatter("203.0.113.9:5000", 1, b"x");
        watch.until(|watch| watch.last("203.0.113.9:5000", Moment::New).is_some());
    });
}

#[test]
#[ignore = "needs root, ip and nft"]
fn an_asker_that_cannot_be_confined_is_none() {
    let _alone = Ground::new();
    apart(|| {
        let refused = Asker::start(|| Err(std::io::ErrorKind::PermissionDenied.into()));
        assert!(refused.is_err());
        assert!(children().is_empty());
    });
}

fn only(capability: CapabilitySet) -> CapabilitySets {
    CapabilitySets {
        effective: capability,
        permitted: capability,
        inheritable: CapabilitySet::empty(),
    }
}

/// The children of this process.
fn children() -> Vec<i32> {
    let own = std::process::id();
    let listed = std::fs::read_to_string(format!("/proc/self/task/{own}/children"));
    let listed = listed.expect("/proc is there");
    listed
        .split_whitespace()
        .map(|pid| pid.parse().expect("a number"))
        .collect()
}

/// Runs something in a process of its own, which has one thread and whose privileges may be dropped.
#[allow(
    unsafe_code,
    reason = "the harness has several threads, and an asker wants one"
)]
fn apart(what: impl FnOnce()) {
    // SAFETY: the child only runs this thread's code; glibc makes memory and output usable there.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "a process can be made");
    if let Some(child) = Pid::from_raw(child) {
        let (_, status) = waitpid(Some(child), WaitOptions::empty())
            .expect("its parent waits")
            .expect("it has ended");
        assert_eq!(status.exit_status(), Some(0), "see what it said above");
        return;
    }
    std::panic::set_hook(Box::new(|panic| {
        // Not `eprintln`: the harness would keep it.
        let _said = writeln!(std::io::stderr(), "{panic}");
    }));
    let well = catch_unwind(AssertUnwindSafe(what)).is_ok();
    // SAFETY: it takes no pointer and does not return.
    unsafe { libc::_exit(i32::from(!well)) }
}

#[allow(
    unsafe_code,
    reason = "no safe call changes the user of a whole process"
)]
fn become_nobody() {
    const NOBODY: u32 = 65_534;
    // SAFETY: no pointer is read: the list of groups is empty.
    let results = unsafe {
        [
            libc::setgroups(0, std::ptr::null()),
            libc::setresgid(NOBODY, NOBODY, NOBODY),
            libc::setresuid(NOBODY, NOBODY, NOBODY),
        ]
    };
    assert_eq!(results, [0; 3]);
}
