//! The home's agent: the commands a household types, and the daemon, as processes in the router.
//!
//! The program is the agent's own command line: `inmate` of this crate, outside of any sandbox but the
//! agent's, or whatever program `PHONEHOME_AGENT` names.

use super::namespace::{Namespace, Process};
use super::observatory::Observatory;
use super::patience::until;
use anyhow::{Context, Result, ensure};
use phonehome_agent::capture::{Frame, LinkType};
use phonehome_agent::device::{DeviceTable, DeviceTag};
use phonehome_agent::packet::PacketCounts;
use phonehome_agent::state::{DaemonPlaces, State};
use phonehome_proto::batch::Batch;
use phonehome_proto::chance::SystemChance;
use phonehome_proto::decode;
use phonehome_proto::time::Timestamp;
use phonehome_tests::traffic::dhcp::{self, Step};
use phonehome_tests::traffic::phone::{Openness, Phone};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::ffi::OsString;
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A home's agent.
#[derive(Debug)]
pub(crate) struct Agent<'a> {
    router: &'a Namespace,
    folder: TempDir,
}

/// A daemon at work; killed when dropped.
#[derive(Debug)]
pub(crate) struct Daemon<'a> {
    agent: &'a Agent<'a>,
    process: Process,
}

/// How long the daemon may take to begin, and to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// Looks in a row that find nothing to be read: longer than frames wait in their ring.
const QUIET: u32 = 20;

const PROGRAM: &str = env!("CARGO_BIN_EXE_inmate");

impl<'a> Agent<'a> {
    /// An agent that knows nothing yet, and reads volumes from `source`: a word of its configuration.
    pub(crate) fn new(router: &'a Namespace, source: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        // The daemon becomes somebody who is not us, and must get through.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let agent = Self { router, folder };
        // The narrowest spread there is.
        let config = format!(
            "state_dir = \"state\"\nrun_dir = \"run\"\nsource = \"{source}\"\n[send]\nspread_hours = 1\n"
        );
        fs::write(agent.config(), config)?;
        Ok(agent)
    }

    /// Opens every gate: consent, enrolment, these devices, sending. Of phones that are to be declared it
    /// is said whose make they are.
    pub(crate) fn open_gates(&self, observatory: &Observatory, phones: &[&Phone]) -> Result<()> {
        self.say(&["consent", "grant", "--yes"])?;
        self.say(&["enrol", &observatory.invite.to_string()])?;
        for (number, phone) in phones.iter().enumerate() {
            let (tag, name) = (self.tag(phone)?.to_string(), format!("phone {number}"));
            let allow = ["device", "allow", &tag, "--name", &name];
            let declare = ["--vendor", phone.make.vendor().id()];
            let declare = &declare[..if phone.openness == Openness::Declared {
                2
            } else {
                0
            }];
            self.say(&[&allow[..], declare].concat())?;
        }
        self.say(&["send", "on"]).map(drop)
    }

    /// Runs a command to its end; gives what it printed.
    pub(crate) fn say(&self, words: &[&str]) -> Result<String> {
        let output = self.command(words).output()?;
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let err = String::from_utf8_lossy(&output.stderr);
        let is_done = output.status.success() && (is_named() || out.ends_with("done\n"));
        ensure!(is_done, "{words:?}: {out}{err}");
        Ok(out)
    }

    /// What `status` says.
    pub(crate) fn status(&self) -> Result<Value> {
        let text = self.say(&["status", "--format", "json"])?;
        let (start, end) = (text.find('{'), text.rfind('}'));
        let object = start.zip(end).map(|(start, end)| &text[start..=end]);
        Ok(serde_json::from_str(object.with_context(|| text.clone())?)?)
    }

    /// What this home calls a phone.
    pub(crate) fn tag(&self, phone: &Phone) -> Result<DeviceTag> {
        let keys = self.state().keys(&mut SystemChance)?;
        let mut devices = DeviceTable::new(keys.local.as_bytes());
        // Any packet of the phone's will do.
        let nobody = ([0; 6], Ipv4Addr::UNSPECIFIED);
        let hello = dhcp::message(
            Step::Discover,
            phone.mac,
            nobody,
            nobody.1,
            1,
            phone.manners(),
        );
        let mut packets = PacketCounts::default();
        let packet = packets.read(&Frame {
            bytes: &hello.bytes,
            link: LinkType::ETHERNET,
            wire_len_bytes: hello.wire_bytes,
            segment_bytes: None,
            time: Timestamp::from_seconds(0),
        });
        let device = packet.and_then(|packet| devices.handle_packet(&packet));
        Ok(devices.tag(device.context("a phone asks for an address")?))
    }

    /// Starts the daemon, whose clock is right; returns when it watches.
    pub(crate) fn watch(&'a self) -> Result<Daemon<'a>> {
        let mut daemon = self.begin()?;
        daemon.reaches("watching")?;
        Ok(daemon)
    }

    /// Starts the daemon, whose clock is right.
    pub(crate) fn begin(&'a self) -> Result<Daemon<'a>> {
        self.vouch_for_the_clock()?;
        let config = self.config();
        let config = config.to_str().context("a path of ours")?;
        let mut command = self.command(&["run", "--config", config]);
        command
            .env("PHONEHOME_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let log = File::options().create(true).append(true).open(self.log())?;
        let process = Process(command.stderr(log).spawn()?);
        Ok(Daemon {
            agent: self,
            process,
        })
    }

    /// Says that the clock is right, as the script does that is run when NTP has set it.
    fn vouch_for_the_clock(&self) -> Result<()> {
        fs::create_dir_all(self.run_folder())?;
        let places = DaemonPlaces::new(&self.state(), &self.run_folder(), false);
        Ok(fs::write(places.clock_marker(), "")?)
    }

    /// The parts of days that a daemon that ended has kept, and their files.
    pub(crate) fn parts(&self) -> Result<Vec<(PathBuf, Batch)>> {
        let places = DaemonPlaces::new(&self.state(), &self.run_folder(), false);
        let mut parts = Vec::new();
        for path in files(&places.unfinished_days(), "day")? {
            let batch = decode::batch(&fs::read(&path)?);
            parts.push((path, batch.map_err(|why| anyhow::anyhow!("{why:?}"))?));
        }
        Ok(parts)
    }

    /// The files of the daemon's spool.
    pub(crate) fn spooled(&self) -> Result<Vec<PathBuf>> {
        let places = DaemonPlaces::new(&self.state(), &self.run_folder(), false);
        files(places.spool(), "batch")
    }

    /// What it remembers.
    pub(crate) fn state(&self) -> State {
        State::at(self.state_folder())
    }

    fn command(&self, words: &[&str]) -> Command {
        let state = self.state_folder();
        match std::env::var_os(VARIABLE) {
            Some(program) => {
                let mut command = self.router.command(PathBuf::from(program));
                command.args(words);
                if words.first() != Some(&"run") {
                    command.arg("--state").arg(state);
                }
                command
            }
            None => {
                let mut command = self.router.command(PROGRAM);
                let inmate: [OsString; 4] =
                    ["outside".into(), state.into(), "0".into(), "agent".into()];
                command.args(inmate).args(words);
                command
            }
        }
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("agent.toml")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn state_folder(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn run_folder(&self) -> PathBuf {
        self.folder.path().join("run")
    }
}

impl Daemon<'_> {
    /// Memory that it and its child hold, in bytes: pages of their own and shared ones, counted for each.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        let mut kibibytes = 0;
        for process in self.processes()? {
            let status = fs::read_to_string(format!("/proc/{process}/status"))?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            let amount = line.and_then(|line| line.split_whitespace().next());
            kibibytes += amount.context("memory is told")?.parse::<u64>()?;
        }
        Ok(kibibytes * 1_024)
    }

    /// It and its child.
    fn processes(&self) -> Result<Vec<String>> {
        let main = self.process.0.id();
        let children = fs::read_to_string(format!("/proc/{main}/task/{main}/children"))?;
        let children = children.split_whitespace().map(str::to_owned);
        Ok([main.to_string()].into_iter().chain(children).collect())
    }

    /// Processor time that it and its child have used so far.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        let mut ticks = 0;
        for process in self.processes()? {
            let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
            // The name may hold anything; behind it, utime and stime are the 12th and 13th.
            let (_, fields) = stat.rsplit_once(") ").context("a name in parentheses")?;
            let used = fields.split(' ').skip(11).take(2).map(str::parse::<u64>);
            ticks += used.sum::<Result<u64, _>>()?;
        }
        Ok(Duration::from_millis(
            ticks * 1_000 / rustix::param::clock_ticks_per_second(),
        ))
    }

    /// What it has written of how it fares.
    pub(crate) fn live(&self) -> Result<Option<Value>> {
        let Ok(text) = fs::read_to_string(self.agent.run_folder().join("live.json")) else {
            return Ok(None);
        };
        Ok(Some(serde_json::from_str(&text)?))
    }

    /// Lets the connection table say its last word, and waits until the daemon has heard all of it.
    pub(crate) fn hear_all(&self) -> Result<()> {
        let router = self.agent.router;
        router.run("conntrack", &["-F"])?;
        let mut quiet = 0;
        until("the kernel to be heard", PATIENCE, || {
            // sk, Eth, Pid, Groups, Rmem: what waits to be read.
            let text = router.run("cat", &["/proc/net/netlink"])?;
            let mut rows = text.lines().skip(1);
            let is_quiet = rows.all(|row| row.split_whitespace().nth(4) == Some("0"));
            quiet = if is_quiet { quiet + 1 } else { 0 };
            Ok((quiet >= QUIET).then_some(()))
        })
    }

    /// Whether it says that it is in this phase.
    pub(crate) fn is(&self, phase: &str) -> Result<bool> {
        Ok(self.live()?.is_some_and(|live| live["phase"] == phase))
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.process.0.try_wait()?)
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.0.id()
    }

    /// Ends it, as a service manager does.
    pub(crate) fn end(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.process.0), Signal::TERM)?;
        let status = until("the daemon's end", PATIENCE, || {
            Ok(self.process.0.try_wait()?)
        })?;
        ensure!(status.success(), "{status}: {}", self.said()?);
        Ok(())
    }

    fn reaches(&mut self, phase: &str) -> Result<()> {
        until(phase, PATIENCE, || {
            if let Some(status) = self.ended()? {
                anyhow::bail!("{status}: {}", self.said()?);
            }
            Ok(self.is(phase)?.then_some(()))
        })
        .with_context(|| self.said().unwrap_or_default())
    }

    /// What it has logged.
    fn said(&self) -> Result<String> {
        Ok(fs::read_to_string(self.agent.log())?)
    }
}

/// Names another program to be tried.
const VARIABLE: &str = "PHONEHOME_AGENT";

fn is_named() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// The files of a folder with this ending, sorted; none where there is no folder. One that is being
/// written has another.
fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == ending) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
