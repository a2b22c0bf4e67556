//! The command line: words to commands, and nothing else.
//!
//! Names, flags and output fields are a contract. [`command`] gives the definition, from which help
//! is made; [`Arguments::run`] calls the one function of `run` that does the work.

use crate::config::{self, Config};
use crate::device::DeviceTag;
use crate::run::endpoints::Answer;
use crate::run::inspect::{Format as Rows, Inspect, screen::Screen};
use crate::run::status::Format as Document;
use crate::run::watch::Stop;
use crate::run::{self, Environment, Failure, household, replay::Replay};
use crate::state::DeviceName;
use crate::uplink::CollectorUrl;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use phonehome_proto::enrolment::Invite;
use phonehome_proto::vendor::Vendor;
use rustix::termios::tcgetwinsize;
use std::io::{self, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Watches which servers the phones of a home contact, and reports a signed daily summary to a
/// collector - if the household wants it to.
///
/// Nothing is observed and nothing is sent before the household has agreed (consent grant), allowed
/// devices by name (device allow), and turned sending on (send on). Looking at your own capture files
/// needs none of this and sends nothing.
#[derive(Debug, Parser)]
#[command(name = "phonehome-agent", version, verbatim_doc_comment)]
pub struct Arguments {
    /// Folder that holds this home's key, decisions and waiting batches
    /// [default: $XDG_STATE_HOME/phonehome or ~/.local/state/phonehome]
    #[arg(long, global = true, value_name = "DIR", verbatim_doc_comment)]
    pub state: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what a capture shows: one row per flow from a phone to a server
    Inspect(InspectArguments),
    /// Show who is on the network in a capture, and how that is known
    Devices(DevicesArguments),
    /// Answer a few questions, and the agent is set up; run it again to go on
    Setup,
    /// Join the collector that gave you this invite
    Enrol {
        /// The invite, phonehome://HOST:PORT/#KEY.TOKEN, or one for everybody, without .TOKEN
        invite: Invite,
    },
    /// Read the consent text, agree to it, or take it back
    #[command(subcommand)]
    Consent(ConsentCommand),
    /// Decide which devices of the household are observed
    #[command(subcommand)]
    Device(DeviceCommand),
    /// See the list of endpoints that may be told of, or load a later one of the project's
    #[command(subcommand)]
    Endpoints(EndpointsCommand),
    /// Turn sending on or off
    Send {
        /// Whether batches are sent
        switch: Switch,
    },
    /// Show or replace the key this home is known by
    #[command(subcommand)]
    Key(KeyCommand),
    /// Show exactly what would be sent: of capture files, or of what waits in the spool
    Preview(PreviewArguments),
    /// Read capture files, send the signed batches, print the receipts
    ///
    /// Every gate must be open. A file replayed twice is reported twice.
    Replay(ReplayArguments),
    /// Watch this router's networks, and send a signed batch a day: the daemon
    ///
    /// Opens no socket before the household has agreed, and gives up every privilege before it reads
    /// the first packet. Ends with SIGTERM or SIGINT, or when the consent is withdrawn and the collector
    /// knows.
    Run {
        /// The configuration; deploy/agent.toml shows every key
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Show where this home stands
    Status {
        /// How it is written
        #[arg(long, value_enum, default_value = "table")]
        format: DocumentWord,
    },
}

#[derive(Debug, Args)]
struct InspectArguments {
    /// Capture files, pcap or pcapng
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Also show devices that are not known to be phones, and flows between any two hosts
    #[arg(long)]
    all: bool,
    /// How rows are written
    #[arg(long, value_enum, default_value = "table")]
    format: RowsWord,
    /// A country database in MaxMind's format, for the country column and a map of the phones' servers
    #[arg(long, value_name = "MMDB")]
    geo: Option<PathBuf>,
    /// Write the map as an SVG picture, too; a file that is there is replaced
    #[arg(long, value_name = "SVG", requires = "geo")]
    map: Option<PathBuf>,
    /// Names in hosts, domain or Adblock form, for the lists column; may be repeated, and widens nothing
    #[arg(long = "list", value_name = "LIST")]
    lists: Vec<PathBuf>,
}

#[derive(Debug, Args)]
struct DevicesArguments {
    /// Capture files, pcap or pcapng
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How rows are written
    #[arg(long, value_enum, default_value = "table")]
    format: RowsWord,
}

#[derive(Debug, Args)]
struct PreviewArguments {
    /// Capture files, pcap or pcapng; without any, what waits in the spool is shown
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How batches are written; json is one array with an object for each batch
    #[arg(long, value_enum, default_value = "table")]
    format: DocumentWord,
}

#[derive(Debug, Args)]
struct ReplayArguments {
    /// Capture files, pcap or pcapng; without any, only what waits in the spool is sent
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where the collector is, https://HOST:PORT; it must hold the key you enrolled with
    #[arg(long, value_name = "URL")]
    collector: CollectorUrl,
    /// Enrol with this invite first, if this home is not enrolled yet
    #[arg(long, value_name = "INVITE")]
    invite: Option<Invite>,
}

#[derive(Debug, Subcommand)]
enum ConsentCommand {
    /// Show the consent text; with --yes, agree to it
    Grant {
        /// We have read the text, and agree
        #[arg(long)]
        yes: bool,
    },
    /// Show the consent text, and whether you agreed to it
    Show,
    /// Take the consent back: nothing is observed or sent any more, and the collector forgets this home
    ///
    /// Deletes what waits to be sent at once; a daemon that runs sees it within seconds, stops observing
    /// and deletes what it had seen. Then keys and decisions are deleted, and the collector's signed
    /// receipt is kept. Without a way to the collector the withdrawal waits: the daemon tells it while it
    /// runs, or repeat the command.
    Withdraw {
        /// Where the collector is now, if it has moved, https://HOST:PORT
        #[arg(long, value_name = "URL")]
        collector: Option<CollectorUrl>,
    },
}

#[derive(Debug, Subcommand)]
enum DeviceCommand {
    /// List the devices you have decided about
    List,
    /// Observe a device; its holder must have agreed
    Allow {
        /// The device's tag, as "phonehome-agent devices" shows it
        tag: DeviceTag,
        /// What you call the device; the name stays in this home
        #[arg(long)]
        name: DeviceName,
        /// The maker of the phone, if its holder says so
        #[arg(long, value_parser = vendor)]
        vendor: Option<Vendor>,
    },
    /// Do not observe a device
    Deny {
        /// The device's tag, as "phonehome-agent devices" shows it
        tag: DeviceTag,
    },
}

#[derive(Debug, Subcommand)]
enum EndpointsCommand {
    /// Show the list this home goes by, row by row
    Show,
    /// Show what a later list changes and, with a yes, go by it
    ///
    /// The list must be signed by the project with a release key that is part of this agent. It can add
    /// endpoints of owners this agent knows, in their domains, and widens nothing else. A daemon that runs
    /// goes by it from the next day on.
    Load {
        /// The list, as the project hands it out
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// We have seen what it changes, and want it; for where nobody can be asked
        #[arg(long)]
        yes: bool,
    },
    /// Go by the list that is part of this agent again
    Forget,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Print the public key, 64 hexadecimal digits
    Show,
    /// Have the collector know this home by a new key; what it has reported stays
    Rotate {
        /// Where the collector is now, if it has moved, https://HOST:PORT
        #[arg(long, value_name = "URL")]
        collector: Option<CollectorUrl>,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RowsWord {
    Table,
    Jsonl,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DocumentWord {
    Table,
    Json,
}

/// The definition of the command line.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command()
}

impl Arguments {
    /// The configuration that counts: the one given to `run`, else, unless a state folder is given,
    /// the one in its usual place, if there is one.
    ///
    /// # Errors
    /// [`Failure`] when it is none.
    pub fn config(&self) -> Result<Option<Config>, Failure> {
        Ok(match (&self.command, &self.state) {
            (Command::Run { config }, _) => Some(Config::load(config)?),
            (_, Some(_)) => None,
            (_, None) => Config::load_if_there(Path::new(config::PLACE))?,
        })
    }

    /// Does what was asked; `config` is what [`Arguments::config`] gave.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn run(
        self,
        environment: &mut Environment,
        config: Option<&Config>,
        out: &mut (dyn Write + Send),
        err: &mut (dyn Write + Send),
    ) -> Result<(), Failure> {
        match self.command {
            Command::Inspect(InspectArguments {
                files,
                all,
                format,
                geo,
                map,
                lists,
            }) => {
                let request = Inspect {
                    files,
                    all,
                    format: format.into(),
                    geo,
                    map,
                    screen: screen(),
                    lists,
                };
                run::inspect::run(environment, &request, out, err)
            }
            Command::Devices(DevicesArguments { files, format }) => {
                run::devices::devices(environment, &files, format.into(), out, err)
            }
            Command::Setup => {
                let mut input = BufReader::new(io::stdin());
                run::setup::setup(environment, &mut input, out, err).await
            }
            Command::Enrol { invite } => {
                run::enrol::enrol(environment, &invite, None, out, err).await
            }
            Command::Consent(ConsentCommand::Grant { yes }) => {
                household::consent_grant(environment, yes, out)
            }
            Command::Consent(ConsentCommand::Show) => household::consent_show(environment, out),
            Command::Consent(ConsentCommand::Withdraw { collector }) => {
                run::withdraw::withdraw(environment, collector, out).await
            }
            Command::Device(DeviceCommand::List) => household::device_list(environment, out, err),
            Command::Device(DeviceCommand::Allow { tag, name, vendor }) => {
                household::device_allow(environment, tag, name, vendor, out)
            }
            Command::Device(DeviceCommand::Deny { tag }) => {
                household::device_deny(environment, tag, out)
            }
            Command::Endpoints(EndpointsCommand::Show) => {
                run::endpoints::show(environment, out, err)
            }
            Command::Endpoints(EndpointsCommand::Load { file, yes }) => {
                let mut input = BufReader::new(io::stdin());
                let answer = if yes {
                    Answer::Yes
                } else if io::stdin().is_terminal() {
                    Answer::Ask(&mut input)
                } else {
                    Answer::Nobody
                };
                run::endpoints::load(environment, &file, answer, out)
            }
            Command::Endpoints(EndpointsCommand::Forget) => {
                run::endpoints::forget(environment, out)
            }
            Command::Send { switch } => {
                household::send(environment, matches!(switch, Switch::On), out)
            }
            Command::Key(KeyCommand::Show) => household::key_show(environment, out),
            Command::Key(KeyCommand::Rotate { collector }) => {
                run::rotate::rotate(environment, collector, out).await
            }
            Command::Preview(PreviewArguments { files, format }) => {
                run::preview::preview(environment, &files, format.into(), out, err)
            }
            Command::Replay(ReplayArguments {
                files,
                collector,
                invite,
            }) => {
                let request = Replay {
                    files,
                    collector,
                    invite,
                };
                run::replay::replay(environment, &request, out, err)
                    .await
                    .map(drop)
            }
            Command::Run { .. } => {
                let config = config.expect("run has one");
                let mut stop = Stop::on_signals()?;
                run::watch::run(environment, config, &mut stop, err).await
            }
            Command::Status { format } => run::status::status(environment, format.into(), out),
        }
    }
}

impl From<RowsWord> for Rows {
    fn from(word: RowsWord) -> Self {
        match word {
            RowsWord::Table => Self::Table,
            RowsWord::Jsonl => Self::Jsonl,
        }
    }
}

impl From<DocumentWord> for Document {
    fn from(word: DocumentWord) -> Self {
        match word {
            DocumentWord::Table => Self::Table,
            DocumentWord::Json => Self::Json,
        }
    }
}

/// Standard output as it is now.
fn screen() -> Screen {
    let size = tcgetwinsize(io::stdout()).ok();
    Screen::of(size.map(|size| size.ws_col), |name| std::env::var_os(name))
}

fn vendor(id: &str) -> Result<Vendor, String> {
    Vendor::from_id(id).ok_or_else(|| {
        let known = Vendor::all().map(Vendor::id).collect::<Vec<_>>().join(" ");
        format!("the vendors known are {known}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_holds_together() {
        command().debug_assert();
    }

    #[test]
    fn the_contracts_command_lines_are_understood() {
        let invite = format!(
            "phonehome://127.0.0.1:4317/#{}.{}",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "0".repeat(32)
        );
        let replay = format!("replay a.pcap --collector https://c.example:1 --invite {invite}");
        for line in [
            "inspect a.pcap b.pcapng --all --format jsonl --geo c.mmdb",
            "inspect a.pcap --geo c.mmdb --map m.svg",
            "inspect a.pcap --list hosts --list easy.txt",
            "devices a.pcap --format jsonl --state s",
            "setup",
            &format!("enrol {invite}"),
            "consent grant",
            "consent grant --yes",
            "consent show",
            "device list",
            "device allow 0123abcd --name Ana --vendor xiaomi",
            "device deny 0123abcd",
            "endpoints show",
            "endpoints load list.bin",
            "endpoints load list.bin --yes",
            "endpoints forget",
            "send on",
            "--state s send off",
            "key show",
            "key rotate",
            "consent withdraw --collector https://c.example:1",
            "preview",
            "preview a.pcap --format json",
            &replay,
            "status --format json",
        ] {
            let words = std::iter::once("phonehome-agent").chain(line.split(' '));
            assert!(Arguments::try_parse_from(words).is_ok(), "{line}");
        }
        for line in [
            "",
            "inspect",
            // Without a country database nothing has a place.
            "inspect a.pcap --map m.svg",
            "replay a.pcap",
            "device allow x --name n",
            "send maybe",
            "device allow 0123abcd --name n --vendor nokia",
            "enrol phonehome://x",
            "run",
            // Lists are for looking at captures: nothing that tells or sends takes one.
            "devices a.pcap --list hosts",
            "preview a.pcap --list hosts",
            "replay a.pcap --collector https://c.example:1 --list hosts",
            "run --config c --list hosts",
            // Who may sign an endpoint list is compiled in.
            "endpoints load list.bin --key 00",
            "endpoints load",
        ] {
            let words = std::iter::once("phonehome-agent").chain(line.split_whitespace());
            let code = Arguments::try_parse_from(words).map_err(|error| error.exit_code());
            assert_eq!(code.err(), Some(2), "{line}");
        }
    }
}
