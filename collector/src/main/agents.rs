//! `agents`: its arguments, and what they call.

use crate::{ConfigArgument, RowFormat};
use clap::{Subcommand, ValueEnum};
use phonehome_collector::registry::InviteOrder;
use phonehome_collector::run::RunError;
use phonehome_collector::run::commands::Found;
use phonehome_collector::run::commands::agents::{self, HomeDigits, Listing, State};
use phonehome_proto::time::Timestamp;

#[derive(Subcommand)]
pub(crate) enum Agents {
    /// Print invites; each lets homes in until it is used up or expires
    Invite {
        /// How many invites
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        count: u32,
        /// How many homes each lets in; which these are is not kept
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        uses: u32,
        /// Days until it opens nothing any more
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=365))]
        days: u32,
        /// Print the invite for everybody instead, where the configuration's enrolment.mode has one
        #[arg(long, conflicts_with_all = ["count", "uses", "days"])]
        public: bool,
        #[command(flatten)]
        config: ConfigArgument,
    },
    /// List the homes, the day each came, and whether it may report
    List {
        /// Only homes behind this one
        #[arg(long, value_name = "HOME")]
        after: Option<HomeDigits>,
        /// So many homes at most; 0 for all
        #[arg(long, value_name = "N", default_value_t = 1_000)]
        limit: usize,
        /// Only homes in this state
        #[arg(long, value_enum)]
        state: Option<HomeState>,
        /// How to print
        #[arg(long, value_enum, default_value_t = RowFormat::Table)]
        format: RowFormat,
        #[command(flatten)]
        config: ConfigArgument,
    },
    /// Let homes report that wait for it
    Approve {
        /// The first digits of each home's id, as the list shows them
        #[arg(required = true, value_name = "HOME")]
        homes: Vec<HomeDigits>,
        #[command(flatten)]
        config: ConfigArgument,
    },
    /// Take homes out of every week that is not final, and refuse them from now on; for good
    Revoke {
        /// The first digits of each home's id, as the list shows them
        #[arg(required = true, value_name = "HOME")]
        homes: Vec<HomeDigits>,
        #[command(flatten)]
        config: ConfigArgument,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum HomeState {
    /// Waits for 'agents approve'
    Pending,
    /// Reports, and does not count yet
    Probation,
    /// Reports
    Admitted,
    /// Was taken out
    Revoked,
}

impl Agents {
    /// Does what was typed; gives what to print.
    pub(crate) async fn run(self, now: Timestamp) -> Result<Found, RunError> {
        match self {
            Self::Invite {
                public: true,
                config,
                ..
            } => Ok(agents::invite_everybody(&config.open().await?)),
            Self::Invite {
                count,
                uses,
                days,
                config,
                ..
            } => {
                let order = InviteOrder { count, uses, days };
                agents::invite(&config.open().await?, order, now).await
            }
            Self::List {
                after,
                limit,
                state,
                format,
                config,
            } => {
                let state = state.map(|state| match state {
                    HomeState::Pending => State::Pending,
                    HomeState::Probation => State::Probation,
                    HomeState::Admitted => State::Admitted,
                    HomeState::Revoked => State::Revoked,
                });
                let listing = Listing {
                    after,
                    state,
                    limit,
                };
                agents::list(&config.open().await?, listing, format.into(), now).await
            }
            Self::Approve { homes, config } => agents::approve(&config.open().await?, &homes).await,
            Self::Revoke { homes, config } => {
                agents::revoke(&config.open().await?, &homes, now).await
            }
        }
    }
}
