//! `setup`: the first run, as questions.
//!
//! It only asks, and then calls the functions behind `consent grant`, `enrol`, `device allow` and
//! `send on`; each keeps its own answer whole or not at all. Enter alone always means no. When the
//! answers end, so does setup: what was answered stands, and the next run goes on after it.

mod dialogue;

use super::{Environment, Exit, Failure, consent_in_force, enrol, household, status};
use crate::consent;
use crate::device::{DeviceTag, MacKind};
use crate::state::{DAYS, DeviceName, REGULAR_DAYS_MIN, Sighting};
use dialogue::Dialogue;
use phonehome_proto::enrolment::Invite;
use phonehome_proto::time::Day;
use phonehome_proto::vendor::Vendor;
use std::io::{BufRead, Write};

/// What must be typed to agree; a habitual Enter or y does not.
const AGREED: &str = "agree";

/// Asks what has not been decided yet.
///
/// # Errors
/// [`Failure`]; [`Exit::Unavailable`] when nobody agreed, or when the answers ended.
pub async fn setup(
    environment: &mut Environment,
    input: &mut (dyn BufRead + Send),
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    let mut dialogue = Dialogue::new(input, out);
    dialogue.say(
        "This sets the agent up. Every question has a safe answer: Enter alone means no.\n\
         You can stop at any time and go on later; nothing is sent before you say so.",
    )?;
    agree(environment, &mut dialogue)?;
    join(environment, &mut dialogue, err).await?;
    choose_devices(environment, &mut dialogue)?;
    turn_on(environment, &mut dialogue)?;
    tell(environment, &mut dialogue)
}

/// The text, part by part, and whether the household agrees to it.
fn agree(environment: &mut Environment, dialogue: &mut Dialogue<'_>) -> Result<(), Failure> {
    dialogue.head("1 of 4: what you agree to")?;
    if let Some(given) = consent_in_force(&environment.state)? {
        let at = given.consent().given_at;
        return dialogue.say(&format!("You agreed at {at}. That stands."));
    }
    let mut parts = consent::TEXT.trim_end().split("\n\n").peekable();
    while let Some(part) = parts.next() {
        dialogue.say(part)?;
        let is_title = part.lines().count() == 1;
        if is_title {
            dialogue.say("")?;
        } else if parts.peek().is_some() {
            dialogue.ask("    [Enter for the next part] ")?;
        }
    }
    let answer = dialogue.ask(&format!(
        "\nIf everybody concerned agrees, type {AGREED}; anything else ends here: "
    ))?;
    if answer != AGREED {
        let sentence = "nothing is recorded, because nobody agreed";
        return Err(Failure::new(Exit::Unavailable, sentence));
    }
    household::consent_grant(environment, true, dialogue.out())
}

/// The invite, and the collector it leads to.
async fn join(
    environment: &mut Environment,
    dialogue: &mut Dialogue<'_>,
    err: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    dialogue.head("2 of 4: your collector")?;
    if let Some(enrolled) = environment.state.enrolled()? {
        return dialogue.say(&format!("This home is enrolled at {}.", enrolled.url));
    }
    dialogue
        .say("Whoever runs the collector gave you an invite, phonehome://HOST:PORT/#KEY.TOKEN, or published \
              one for everybody,\nwhich ends with the KEY.")?;
    let invite: Option<Invite> = dialogue.ask_for("The invite, or Enter to do this later: ")?;
    match invite {
        Some(invite) => enrol::enrol(environment, &invite, None, dialogue.out(), err).await,
        None => {
            dialogue.say("No collector yet. The agent watches, and keeps what it sees at home.")
        }
    }
}

/// Those who live here and have not been decided about.
fn choose_devices(
    environment: &mut Environment,
    dialogue: &mut Dialogue<'_>,
) -> Result<(), Failure> {
    dialogue.head("3 of 4: whose phones")?;
    let today = environment.clock.now().day();
    let (decided, sightings) = (environment.state.devices()?, environment.state.sightings()?);
    let allowed = decided.allowed().count();
    if allowed > 0 {
        dialogue.say(&format!(
            "Allowed so far: {allowed}. \"device list\" shows them."
        ))?;
    }
    let mut here = Vec::new();
    if let Some(today) = today {
        let regular = sightings.regular(today).map(|(tag, seen)| (tag, *seen));
        here.extend(regular.filter(|(tag, _)| decided.get(*tag).is_none()));
    }
    let (Some(today), false) = (today, here.is_empty()) else {
        return dialogue.say(&format!(
            "There is nobody new to ask about: only devices that were here on {REGULAR_DAYS_MIN} of the \
             last {DAYS} days are\noffered, never a guest's. The agent must have run for \
             {REGULAR_DAYS_MIN} days; come back then, with\nphonehome-agent setup. To allow one by its \
             tag now: phonehome-agent device allow TAG --name NAME"
        ));
    };
    dialogue
        .say("Only those you allow are observed. Its holder must have read the text and agreed.")?;
    for (tag, sighting) in here {
        offer(environment, dialogue, (tag, &sighting), today)?;
    }
    Ok(())
}

/// One device: whether its holder agrees, what it is called, who made it.
fn offer(
    environment: &mut Environment,
    dialogue: &mut Dialogue<'_>,
    (tag, sighting): (DeviceTag, &Sighting),
    today: Day,
) -> Result<(), Failure> {
    dialogue.say(&format!("\n{tag}: {}", describe(sighting, today)))?;
    if !dialogue.is_yes("  Does its holder agree? [y/N] ")? {
        return dialogue.say("  Not observed.");
    }
    let name: Option<DeviceName> =
        dialogue.ask_for("  What do you call it? The name stays in this home: ")?;
    let Some(name) = name else {
        return dialogue.say("  Not observed: it needs a name.");
    };
    let ids = Vendor::all().map(Vendor::id).collect::<Vec<_>>().join(" ");
    dialogue.say(&format!("  Makers: {ids}"))?;
    let maker: Option<Maker> = dialogue.ask_for("  Its maker, or Enter if you are not sure: ")?;
    let maker = maker.map(|Maker(vendor)| vendor);
    household::device_allow(environment, tag, name, maker, dialogue.out())
}

/// What a device seems to be, in words.
fn describe(sighting: &Sighting, today: Day) -> String {
    let looks = &sighting.looks;
    let kind = match looks.is_phone {
        Some(true) => "a phone",
        Some(false) => "probably no phone",
        None => "perhaps a phone",
    };
    let maker = looks.vendor.map_or_else(
        || "maker unknown".to_owned(),
        |vendor| format!("perhaps of {}", vendor.name()),
    );
    let address = match looks.mac_kind {
        MacKind::Global => "its maker's hardware address",
        MacKind::Randomised => "a random hardware address",
        MacKind::None => "no hardware address",
    };
    format!(
        "{kind}, {maker}, {address}; here since {}, on {} of the last {DAYS} days",
        sighting.since,
        sighting.days_until(today)
    )
}

/// The last gate.
fn turn_on(environment: &mut Environment, dialogue: &mut Dialogue<'_>) -> Result<(), Failure> {
    dialogue.head("4 of 4: sending")?;
    let state = &environment.state;
    if state.sending()? {
        return dialogue.say("Sending is on.");
    }
    if state.enrolled()?.is_none() || state.devices()?.allowed().next().is_none() {
        return dialogue
            .say("Sending stays off: it takes a collector and an allowed device first.");
    }
    dialogue.say("\"phonehome-agent preview\" shows, byte for byte, what would be sent.")?;
    if dialogue.is_yes("Send a summary once a day? [y/N] ")? {
        household::send(environment, true, dialogue.out())
    } else {
        dialogue.say("Sending stays off. To turn it on: phonehome-agent send on")
    }
}

/// What happens next, and where this home stands.
fn tell(environment: &Environment, dialogue: &mut Dialogue<'_>) -> Result<(), Failure> {
    dialogue.head("What happens now")?;
    let state = &environment.state;
    if !state.is_running()? {
        dialogue.say(
            "The daemon is not running. To start it, on OpenWrt: service phonehome start; with systemd:\n\
             systemctl start phonehome-agent. Once it runs:",
        )?;
    }
    let is_watched = state.devices()?.allowed().next().is_some();
    dialogue.say(match (is_watched, state.sending()?) {
        (false, _) => {
            "The agent notes which devices are here, on which days, and observes none of them."
        }
        (true, false) => {
            "The agent observes the phones you allowed, adds a day up after midnight UTC, and sends \
             nothing."
        }
        (true, true) => {
            "The agent observes the phones you allowed, adds a day up after midnight UTC, and sends \
             the sums."
        }
    })?;
    dialogue.say(
        "To stop sending: phonehome-agent send off. To take it all back: phonehome-agent consent withdraw.\n",
    )?;
    status::status(environment, status::Format::Table, dialogue.out())
}

/// A maker, by its id.
struct Maker(Vendor);

impl std::str::FromStr for Maker {
    type Err = &'static str;

    fn from_str(id: &str) -> Result<Self, Self::Err> {
        let vendor = Vendor::from_id(&id.to_ascii_lowercase());
        vendor.map(Self).ok_or("that is none of these makers")
    }
}
