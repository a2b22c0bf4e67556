//! `phonehome-collector`: arguments, configuration, exit codes; nothing else.

#[path = "main/agents.rs"]
mod agents;

use agents::Agents;
use clap::{Args, Parser, Subcommand, ValueEnum};
use phonehome_collector::config::Config;
use phonehome_collector::format::table::TableName;
use phonehome_collector::geo::atlas::Atlas;
use phonehome_collector::owners::Address;
use phonehome_collector::query::{self, QueryError, Question, Source, Subject};
use phonehome_collector::run::commands::{self, Found, Restore};
use phonehome_collector::run::ground::Ground;
use phonehome_collector::run::{self, RunError, tables};
use phonehome_proto::chance::{SharedChance, SystemChance};
use phonehome_proto::id::from_hex;
use phonehome_proto::seal::VerifyingKey;
use phonehome_proto::time::{Clock, SystemClock, Week};
use phonehome_proto::vendor::Vendor;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};

/// The observatory's collector: takes signed reports of homes, publishes which phone vendors ship
/// data to which countries.
#[derive(Parser)]
#[command(name = "phonehome-collector", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the collector: gRPC for homes, REST and pages for readers
    Serve(ConfigArgument),
    /// Say what is wrong with a configuration; print nothing if nothing is
    Check(ConfigArgument),
    /// Who may report
    #[command(subcommand)]
    Agents(Agents),
    /// Move the store from its file to a database server, while the collector serves
    Migrate {
        /// The server, like postgresql://USER@HOST/DATABASE?sslmode=require; no password in it
        #[arg(long, value_name = "URL")]
        to: String,
        /// Holds the password and nothing else; mode 0600
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        /// Who may certify the server, in PEM
        #[arg(long, value_name = "FILE")]
        root_certificates: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigArgument,
    },
    /// Close, fold and release a week by hand
    Release {
        /// An ISO week, like 2026-W46
        week: Week,
        /// Count a released week again, by the tables in use now and without revoked homes; once, and until it is final
        #[arg(long)]
        revise: bool,
        #[command(flatten)]
        config: ConfigArgument,
    },
    /// Write every release that is not there yet as a signed folder
    Publish {
        /// The folder that holds the release folders
        #[arg(long, value_name = "DIR", required_unless_present = "site")]
        out: Option<PathBuf>,
        /// Instead, a whole site for any web server: pages, and the release folders in DIR/releases
        #[arg(long, value_name = "DIR", conflicts_with = "out")]
        site: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigArgument,
    },
    /// Check a published release with nothing but its folder
    Verify {
        /// One release folder, or the folder that holds them
        dir: PathBuf,
        /// The collector's public key, 64 hex digits; without it the origin stays unproven
        #[arg(long, value_name = "HEX", value_parser = parse_key)]
        key: Option<VerifyingKey>,
    },
    /// Ask for released numbers
    Query {
        #[command(subcommand)]
        subject: QuerySubject,
    },
    /// Write what the database holds to a file, while the collector runs
    Backup {
        /// Must not be there yet
        file: PathBuf,
        #[command(flatten)]
        config: ConfigArgument,
    },
    /// Make the database from a backup, without the homes that left since
    Restore {
        /// A backup of this collector
        file: PathBuf,
        /// How many links the ledger has at least, where the count beside the week keys is lost
        #[arg(long, value_name = "N")]
        links: Option<u64>,
        #[command(flatten)]
        config: ConfigArgument,
    },
    /// The tables of places: what they know, which they are, newer ones
    #[command(subcommand)]
    Geo(Geo),
    /// Who owns the domains of the endpoint list
    #[command(subcommand)]
    Owners(Owners),
}

#[derive(Args)]
struct ConfigArgument {
    /// The configuration
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/phonehome/collector.toml"
    )]
    config: PathBuf,
}

#[derive(Subcommand)]
enum Geo {
    /// Say where addresses stand, by every source
    Lookup {
        /// IPv4 or IPv6 addresses
        #[arg(required = true, value_name = "IP")]
        addresses: Vec<IpAddr>,
        /// How to print
        #[arg(long, value_enum, default_value_t = RowFormat::Table)]
        format: RowFormat,
        /// Ask the databases of this configuration too
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// List every table with its build, its licence and where it came from
    Status(ConfigArgument),
    /// Install country databases in MaxMind's format, all or none; none older than the one in use
    Update {
        /// The databases
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        config: ConfigArgument,
    },
}

#[derive(Subcommand)]
enum Owners {
    /// Ask the registries, slowly, who registered each domain; keep and show what is new
    Update {
        /// Where to ask: IANA's list of services, or one service for all [default: the configuration's]
        #[arg(long, value_name = "URL")]
        rdap: Option<Address>,
        #[command(flatten)]
        config: ConfigArgument,
    },
}

#[derive(Subcommand)]
enum QuerySubject {
    /// Vendors by countries
    Matrix(QueryArguments),
    /// One country's row of each vendor
    Country {
        /// ISO alpha-2, XK, anycast or unknown
        country: String,
        #[command(flatten)]
        question: QueryArguments,
    },
    /// One vendor's row of each country
    Vendor {
        /// The vendor's id, like xiaomi
        #[arg(value_parser = parse_vendor)]
        vendor: Vendor,
        #[command(flatten)]
        question: QueryArguments,
    },
    /// Vendors by listed endpoints
    Endpoints(QueryArguments),
}

#[derive(Args)]
struct QueryArguments {
    /// A running collector
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Ask the database of this configuration instead
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    config: Option<PathBuf>,
    /// An ISO week; the newest released one if none is given
    #[arg(long, value_name = "WEEK")]
    week: Option<Week>,
    /// Whose country: the server's, the network operator's or the domain owner's
    #[arg(long, value_enum, default_value_t = By::Server)]
    by: By,
    /// How to print
    #[arg(long, value_enum, default_value_t = QueryFormat::Table)]
    format: QueryFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum By {
    Server,
    Network,
    Owner,
}

#[derive(Clone, Copy, ValueEnum)]
enum RowFormat {
    Table,
    Json,
}

#[derive(Clone, Copy, ValueEnum)]
enum QueryFormat {
    Table,
    Json,
    Csv,
}

/// Why a command ended early.
#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error("the runtime cannot be started: {0}")]
    Runtime(io::Error),
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let level = match arguments.command {
        Command::Serve(_) => tracing::Level::INFO,
        _ => tracing::Level::WARN,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_ansi(false)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let ended = runtime.map_err(Failure::Runtime).and_then(|runtime| {
        let found = runtime.block_on(run(arguments.command))?;
        io::stdout().write_all(found.text.as_bytes())?;
        Ok(u8::from(found.is_finding))
    });
    match ended {
        Ok(code) => code.into(),
        // Whoever read us has seen enough.
        Err(Failure::Print(error) | Failure::Query(QueryError::Print(error)))
            if error.kind() == io::ErrorKind::BrokenPipe =>
        {
            ExitCode::SUCCESS
        }
        Err(failure) => {
            // Nobody is left to tell if this fails.
            let _ = writeln!(io::stderr(), "phonehome-collector: {failure}");
            failure.exit_code().into()
        }
    }
}

async fn run(command: Command) -> Result<Found, Failure> {
    let now = SystemClock.now();
    Ok(match command {
        Command::Serve(config) => serve(config.load()?).await?,
        Command::Check(config) => {
            let config = config.load()?;
            commands::check(&config)?;
            commands::check_server(&config).await?;
            Found::default()
        }
        Command::Agents(command) => command.run(now).await?,
        Command::Migrate {
            to,
            password_file,
            root_certificates,
            config,
        } => {
            let config = config.load()?;
            commands::migrate(&config, &to, password_file, root_certificates).await?
        }
        Command::Release {
            week,
            revise,
            config,
        } => {
            let ground = config.open().await?;
            if revise {
                commands::revise(&ground, week, now).await?
            } else {
                commands::release(&ground, week, now).await?
            }
        }
        Command::Publish { out, site, config } => {
            let ground = config.open().await?;
            match (out, site) {
                (_, Some(site)) => commands::publish_site(&ground, &site).await?,
                (out, None) => commands::publish(&ground, &out.unwrap_or_default()).await?,
            }
        }
        Command::Backup { file, config } => {
            commands::backup(&config.open().await?, &file, now).await?
        }
        Command::Restore {
            file,
            links,
            config,
        } => commands::restore(&config.load()?, &Restore { file, links }, now).await?,
        Command::Verify { dir, key } => commands::verify(&dir, key.as_ref())?,
        Command::Query { subject } => ask(subject).await?,
        Command::Geo(Geo::Status(config)) => commands::geo_status(&config.load()?)?,
        Command::Geo(Geo::Update { files, config }) => {
            commands::geo_update(&config.load()?, &files)?
        }
        Command::Owners(Owners::Update { rdap, config }) => {
            let config = config.load()?;
            let address = rdap.as_ref().unwrap_or(&config.owners);
            commands::owners_update(&config, address, now, run::wait).await?
        }
        Command::Geo(Geo::Lookup {
            addresses,
            format,
            config,
        }) => {
            let atlas = match config {
                Some(file) => tables::load(&Config::load(&file).map_err(RunError::from)?)?.atlas,
                None => Atlas::embedded(),
            };
            commands::geo_lookup(&atlas, &addresses, format.into())
        }
    })
}

/// Serves until told to stop by a signal, or until it cannot go on.
async fn serve(config: Config) -> Result<Found, Failure> {
    let mut terminated = signal(SignalKind::terminate()).map_err(Failure::Runtime)?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(Failure::Runtime)?;
    let chance = SharedChance::new(SystemChance);
    let mut collector = run::serve(config, Arc::new(SystemClock), chance).await?;
    let failure = tokio::select! {
        failure = collector.failed() => Some(failure),
        _ = terminated.recv() => None,
        _ = interrupted.recv() => None,
    };
    collector.stop().await;
    failure.map_or_else(|| Ok(Found::default()), |failure| Err(failure.into()))
}

async fn ask(subject: QuerySubject) -> Result<Found, Failure> {
    let (subject, arguments) = match subject {
        QuerySubject::Matrix(arguments) => (Subject::Matrix, arguments),
        QuerySubject::Country { country, question } => {
            let column = query::parse_column(&country).map_err(QueryError::from)?;
            (Subject::Country(column), question)
        }
        QuerySubject::Vendor { vendor, question } => (Subject::Vendor(vendor), question),
        QuerySubject::Endpoints(arguments) => (Subject::Endpoints, arguments),
    };
    let QueryArguments {
        url,
        config,
        week,
        by,
        format,
    } = arguments;
    let by = match by {
        By::Server => TableName::Server,
        By::Network => TableName::Network,
        By::Owner => TableName::Owner,
    };
    let format = match format {
        QueryFormat::Table => query::Format::Table,
        QueryFormat::Json => query::Format::Json,
        QueryFormat::Csv => query::Format::Csv,
    };
    let releases = match config {
        Some(config) => {
            let ground = ConfigArgument { config }.open().await?;
            Some(
                ground
                    .weeks(ground.keys())
                    .releases()
                    .await
                    .map_err(RunError::from)?,
            )
        }
        None => None,
    };
    let source = releases
        .as_deref()
        .map_or(Source::Url(&url), Source::Releases);
    let mut text = Vec::new();
    query::run(&Question { subject, by, week }, source, format, &mut text).await?;
    Ok(Found {
        text: String::from_utf8_lossy(&text).into_owned(),
        is_finding: false,
    })
}

impl From<RowFormat> for commands::Format {
    fn from(format: RowFormat) -> Self {
        match format {
            RowFormat::Table => Self::Table,
            RowFormat::Json => Self::Json,
        }
    }
}

impl ConfigArgument {
    fn load(&self) -> Result<Config, RunError> {
        Ok(Config::load(&self.config)?)
    }

    async fn open(&self) -> Result<Ground, RunError> {
        Ground::open(self.load()?, SharedChance::new(SystemChance)).await
    }
}

impl Failure {
    /// 1 finding, 64 bad configuration, 65 bad input, 69 unavailable, 70 our bug.
    const fn exit_code(&self) -> u8 {
        match self {
            Self::Run(error) => error.exit_code(),
            Self::Query(QueryError::Refused(_) | QueryError::Problem(_)) => 1,
            Self::Query(QueryError::NotATable(_)) => 65,
            Self::Query(QueryError::Client(_) | QueryError::Print(_))
            | Self::Runtime(_)
            | Self::Print(_) => 69,
        }
    }
}

fn parse_key(text: &str) -> Result<VerifyingKey, String> {
    let key = from_hex(text).and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok());
    key.ok_or_else(|| "a public key is 64 hex digits".to_owned())
}

fn parse_vendor(text: &str) -> Result<Vendor, String> {
    Vendor::from_id(text).ok_or_else(|| {
        let ids: Vec<&str> = Vendor::all().map(Vendor::id).collect();
        format!("the vendors are: {}", ids.join(" "))
    })
}
