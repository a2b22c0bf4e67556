//! What can happen in a storm: plain data, one line of text each.
//!
//! An operation that makes no sense where it stands does nothing, so that any part of a script is a
//! script.

use phonehome_proto::manifest::EnrolmentMode;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// So many hours pass everywhere; homes seal the days that are over for them.
    Live(u32),
    /// The collector's clock is set, so many seconds forwards or back.
    Jump(i64),
    /// A home's clock is set.
    Skew(u8, i64),
    /// A home that is not in is given an invite and enrols.
    Join(u8, Weather),
    /// A home that is not in enrols without an invite.
    Knock(u8, Weather),
    /// A home sends what waits in its spool.
    Send(u8, Weather),
    /// These homes send at the same time.
    Together(Vec<u8>),
    /// A request that was taken for lost arrives, and may arrive again.
    Deliver(u32),
    /// A batch that was sealed once is sent again, whatever became of it.
    Replay(u32),
    /// A home seals other bytes under the id of an earlier batch.
    Conflict(u32),
    /// A batch arrives with one bit changed.
    Forge(u32),
    /// A home replaces its key.
    Rotate(u8, Weather),
    /// A home leaves.
    Withdraw(u8, Weather),
    /// The operator takes a home out.
    Revoke(u8),
    /// The operator takes a home in that waits for it.
    Approve(u8),
    /// The operator decides who may come without an invite, and starts the collector anew.
    Mode(EnrolmentMode),
    /// A home's agent ends and starts again.
    Reboot(u8),
    /// The week's clock is asked: closes, releases, destroys.
    Tick,
    /// The collector ends as it should, and starts again.
    Restart,
    /// The collector is killed, and starts again.
    Crash,
    /// The power fails while this happens; what the disk keeps of it is decided by the number.
    Cut(u32, Box<Self>),
    /// The power fails while the database is moving its log into its file.
    CutInCheckpoint(u32),
    /// No more than so many pages are left on the disk.
    Full(u32),
    /// There is room again.
    Free,
    /// Another country database is installed; the next tick, or start, takes it up.
    Atlas,
    /// Every week is counted again that may be, by hand.
    Revise,
    /// The database is copied while the collector serves.
    Backup,
    /// The database is lost, and the last copy of it is put in its place.
    Restore,
    /// Every week that is not final is folded, in one slice and in several.
    Fold,
}

/// What becomes of the next requests of a home, one after the other; later ones arrive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weather(pub Vec<Gust>);

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gust {
    /// It arrives, and so does the answer.
    Calm,
    /// It is lost.
    LosesRequest,
    /// It arrives, and the answer is lost.
    LosesAnswer,
    /// It arrives twice; the second answer is heard.
    Repeats,
    /// It is taken for lost, and arrives some other time.
    Delays,
}

/// A line that is no operation.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("'{0}' is nothing that can happen")]
pub struct NotAnOperation(String);

const GUSTS: [(Gust, char); 5] = [
    (Gust::Calm, '.'),
    (Gust::LosesRequest, '?'),
    (Gust::LosesAnswer, '!'),
    (Gust::Repeats, '+'),
    (Gust::Delays, '~'),
];

// === impl Operation ===

impl Operation {
    /// Its first word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Live(_) => "live",
            Self::Jump(seconds) if *seconds < 0 => "jump back",
            Self::Jump(_) => "jump forwards",
            Self::Skew(..) => "skew",
            Self::Join(..) => "join",
            Self::Knock(..) => "knock",
            Self::Send(..) => "send",
            Self::Together(_) => "together",
            Self::Deliver(_) => "deliver",
            Self::Replay(_) => "replay",
            Self::Conflict(_) => "conflict",
            Self::Forge(_) => "forge",
            Self::Rotate(..) => "rotate",
            Self::Withdraw(..) => "withdraw",
            Self::Revoke(_) => "revoke",
            Self::Approve(_) => "approve",
            Self::Mode(_) => "mode",
            Self::Reboot(_) => "reboot",
            Self::Tick => "tick",
            Self::Restart => "restart",
            Self::Crash => "crash",
            Self::Cut(..) => "cut",
            Self::CutInCheckpoint(_) => "cut-in-checkpoint",
            Self::Full(_) => "full",
            Self::Free => "free",
            Self::Atlas => "atlas",
            Self::Revise => "revise",
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::Fold => "fold",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Live(hours) => write!(f, "live {hours}"),
            Self::Jump(seconds) => write!(f, "jump {seconds}"),
            Self::Skew(home, seconds) => write!(f, "skew {home} {seconds}"),
            Self::Join(home, weather) => write!(f, "join {home}{weather}"),
            Self::Knock(home, weather) => write!(f, "knock {home}{weather}"),
            Self::Send(home, weather) => write!(f, "send {home}{weather}"),
            Self::Together(homes) => {
                write!(f, "together")?;
                homes.iter().try_for_each(|home| write!(f, " {home}"))
            }
            Self::Deliver(which) => write!(f, "deliver {which}"),
            Self::Replay(which) => write!(f, "replay {which}"),
            Self::Conflict(which) => write!(f, "conflict {which}"),
            Self::Forge(which) => write!(f, "forge {which}"),
            Self::Rotate(home, weather) => write!(f, "rotate {home}{weather}"),
            Self::Withdraw(home, weather) => write!(f, "withdraw {home}{weather}"),
            Self::Revoke(home) => write!(f, "revoke {home}"),
            Self::Approve(home) => write!(f, "approve {home}"),
            Self::Mode(mode) => write!(f, "mode {}", mode.as_str()),
            Self::Reboot(home) => write!(f, "reboot {home}"),
            Self::Tick => write!(f, "tick"),
            Self::Restart => write!(f, "restart"),
            Self::Crash => write!(f, "crash"),
            Self::Cut(dice, during) => write!(f, "cut {dice} {during}"),
            Self::CutInCheckpoint(dice) => write!(f, "cut-in-checkpoint {dice}"),
            Self::Full(pages) => write!(f, "full {pages}"),
            Self::Free => write!(f, "free"),
            Self::Atlas => write!(f, "atlas"),
            Self::Revise => write!(f, "revise"),
            Self::Backup => write!(f, "backup"),
            Self::Restore => write!(f, "restore"),
            Self::Fold => write!(f, "fold"),
        }
    }
}

impl FromStr for Operation {
    type Err = NotAnOperation;

    fn from_str(line: &str) -> Result<Self, NotAnOperation> {
        parse(line).ok_or_else(|| NotAnOperation(line.to_owned()))
    }
}

fn parse(line: &str) -> Option<Operation> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let number = || rest.parse::<u32>().ok();
    let home = || rest.parse::<u8>().ok();
    let with_weather = || {
        let (home, weather) = rest.split_once(' ').unwrap_or((rest, ""));
        Some((home.parse::<u8>().ok()?, weather.parse::<Weather>().ok()?))
    };
    let plain = |operation| rest.is_empty().then_some(operation);
    match verb {
        "live" => number().map(Operation::Live),
        "jump" => rest.parse().ok().map(Operation::Jump),
        "skew" => {
            let (home, seconds) = rest.split_once(' ')?;
            Some(Operation::Skew(home.parse().ok()?, seconds.parse().ok()?))
        }
        "join" => with_weather().map(|(home, weather)| Operation::Join(home, weather)),
        "knock" => with_weather().map(|(home, weather)| Operation::Knock(home, weather)),
        "send" => with_weather().map(|(home, weather)| Operation::Send(home, weather)),
        "together" => {
            let homes = rest.split(' ').map(|home| home.parse().ok());
            homes.collect::<Option<_>>().map(Operation::Together)
        }
        "deliver" => number().map(Operation::Deliver),
        "replay" => number().map(Operation::Replay),
        "conflict" => number().map(Operation::Conflict),
        "forge" => number().map(Operation::Forge),
        "rotate" => with_weather().map(|(home, weather)| Operation::Rotate(home, weather)),
        "withdraw" => with_weather().map(|(home, weather)| Operation::Withdraw(home, weather)),
        "revoke" => home().map(Operation::Revoke),
        "approve" => home().map(Operation::Approve),
        "mode" => {
            let mut modes = EnrolmentMode::ALL.into_iter();
            modes
                .find(|mode| mode.as_str() == rest)
                .map(Operation::Mode)
        }
        "reboot" => home().map(Operation::Reboot),
        "tick" => plain(Operation::Tick),
        "restart" => plain(Operation::Restart),
        "crash" => plain(Operation::Crash),
        "cut" => {
            let (dice, during) = rest.split_once(' ')?;
            Some(Operation::Cut(dice.parse().ok()?, Box::new(parse(during)?)))
        }
        "cut-in-checkpoint" => number().map(Operation::CutInCheckpoint),
        "full" => number().map(Operation::Full),
        "free" => plain(Operation::Free),
        "atlas" => plain(Operation::Atlas),
        "revise" => plain(Operation::Revise),
        "backup" => plain(Operation::Backup),
        "restore" => plain(Operation::Restore),
        "fold" => plain(Operation::Fold),
        _ => None,
    }
}

// === impl Gust ===

impl Gust {
    /// What it does, if it does anything.
    #[must_use]
    pub const fn word(self) -> Option<&'static str> {
        match self {
            Self::Calm => None,
            Self::LosesRequest => Some("request lost"),
            Self::LosesAnswer => Some("answer lost"),
            Self::Repeats => Some("request repeated"),
            Self::Delays => Some("request delayed"),
        }
    }
}

// === impl Weather ===

impl fmt::Display for Weather {
    /// With a space before it, so that calm weather is nothing at all.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        let sign = |gust: &Gust| GUSTS.iter().find(|(other, _)| other == gust);
        let signs: String = self
            .0
            .iter()
            .filter_map(sign)
            .map(|(_, sign)| sign)
            .collect();
        write!(f, " {signs}")
    }
}

impl FromStr for Weather {
    type Err = NotAnOperation;

    fn from_str(text: &str) -> Result<Self, NotAnOperation> {
        let gust = |sign| GUSTS.iter().find(|(_, other)| *other == sign);
        let gusts = text.chars().map(|sign| gust(sign).map(|(gust, _)| *gust));
        let gusts: Option<Vec<Gust>> = gusts.collect();
        gusts
            .map(Self)
            .ok_or_else(|| NotAnOperation(text.to_owned()))
    }
}
