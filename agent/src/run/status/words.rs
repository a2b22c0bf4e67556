//! What the daemon sees and lost, in plain words.

use crate::run::watch::live::{Live, Phase};
use crate::spool::Lost;
use crate::tally::Reason;
use phonehome_proto::batch::Loss;
use std::io::Write;

/// Writes what the daemon does, a line for each thing.
pub(super) fn write(live: &Live, out: &mut dyn Write) -> std::io::Result<()> {
    let doing = match live.phase {
        Phase::Starting => "starting".to_owned(),
        Phase::WaitingForConsent => "running, and waiting for the household's consent".to_owned(),
        Phase::WaitingForNetworks => "running, and waiting for a network".to_owned(),
        Phase::Leaving => {
            "running, watching nothing, and telling the collector that you have left".to_owned()
        }
        Phase::Watching => match &live.watching_since {
            Some(since) => format!("watching since {since}"),
            None => "watching; nothing has a date yet".to_owned(),
        },
    };
    writeln!(out, "daemon         {doing}")?;
    if live.phase == Phase::Watching {
        watching(live, out)?;
    }
    if let Some(trouble) = &live.trouble {
        let (kind, sentence) = (&trouble.kind, &trouble.sentence);
        let since = trouble.since.as_ref();
        let since = since.map_or_else(String::new, |since| format!(" (since {since})"));
        writeln!(out, "trouble        {kind}: {sentence}{since}")?;
    }
    for note in &live.notes {
        writeln!(out, "note           {note}")?;
    }
    match &live.protections {
        Some(protections) => writeln!(out, "protections    {protections}"),
        None => Ok(()),
    }
}

fn watching(live: &Live, out: &mut dyn Write) -> std::io::Result<()> {
    let source = live.source.as_deref().unwrap_or("none");
    writeln!(out, "source         {source}")?;
    let networks = if live.networks.is_empty() {
        "none; the interfaces are gone, and are listened to again when they are back".to_owned()
    } else {
        live.networks.join(", ")
    };
    writeln!(out, "networks       {networks}")?;
    for unheard in &live.unheard {
        writeln!(out, "not heard      {unheard}")?;
    }
    let clock = match live.clock.as_deref() {
        None => "not set: what is seen gets its date when it is, and nothing is sent before",
        Some("collector") => "not set; the collector's time is used",
        Some("marker") => "set, as the marker file says",
        Some(_) => "set, as the kernel says",
    };
    writeln!(out, "clock          {clock}")?;
    writeln!(
        out,
        "seen           {} devices in ten days, {} today, of which {} are observed; {} conversations \
         going on",
        live.devices, live.devices_today, live.allowed_today, live.flows
    )?;
    writeln!(
        out,
        "observed       {} of {} conversations",
        live.observed, live.contacts
    )?;
    let last = live.last_day.as_deref().unwrap_or("none yet");
    writeln!(out, "last day told  {last}")?;
    if live.kept_home > 0 {
        writeln!(
            out,
            "kept at home   {}: days, or parts of days, that were over while a gate was shut",
            live.kept_home
        )?;
    }
    let next = match &live.next_upload {
        Some(next) => format!("about {next}"),
        None => "when there is something to send".to_owned(),
    };
    writeln!(out, "next upload    {next}")?;
    for (word, count) in &live.missed {
        let meaning = loss(word).unwrap_or("missed");
        writeln!(out, "missed         {word} {count}: {meaning}")?;
    }
    Ok(())
}

/// What a word of the ledger means; `None` for one that this version does not know.
pub(super) fn loss(word: &str) -> Option<&'static str> {
    let spool = |lost: Lost| match lost {
        Lost::Full => "batches that went because the spool was full and they were the oldest",
        Lost::Damaged => "batches whose file did not hold what was written into it",
        Lost::Misdated => "batches that went because the clock their day is from proved wrong",
        Lost::Denied => "batches that stayed at home because a device in them was denied",
        Lost::Unlisted => {
            "batches that stayed at home because your endpoint list has no more what they told of"
        }
    };
    if let Some(lost) = Lost::ALL.iter().find(|lost| lost.as_str() == word) {
        return Some(spool(*lost));
    }
    let loss = Loss::ALL.into_iter().find(|loss| loss.as_str() == word);
    Some(match loss {
        Some(Loss::CapturePackets) => "frames that the kernel or a file did not give us",
        Some(Loss::UnreadablePackets) => "frames that could not be read",
        Some(Loss::ShedFlows) => "conversations cut short because there were too many",
        Some(Loss::ShedDevices) => "devices passed over because there were too many",
        Some(Loss::ShedObservations) => "conversations left out because a day had too many kinds",
        Some(Loss::DroppedBatches) => "batches that were dropped",
        Some(Loss::CounterGaps) => {
            "times that the kernel could not tell all about connections, so that volumes may be too low"
        }
        Some(Loss::UndatedFlows) => {
            "conversations from before the clock was set that no day could be given"
        }
        Some(Loss::InterfaceGaps) => "times that an interface of the home was away",
        None if word.starts_with("refused_") => "batches that the collector does not take",
        None => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::watch::live::LiveTrouble;

    fn said(live: &Live) -> String {
        let mut out = Vec::new();
        write(live, &mut out).expect("memory takes it");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn every_loss_has_a_meaning() {
        let words = Lost::ALL.iter().map(|lost| lost.as_str());
        for word in words.chain(Loss::ALL.map(Loss::as_str)) {
            assert!(loss(word).is_some(), "{word}");
        }
        assert!(loss("refused_too_late").is_some());
        assert_eq!(loss("moonlight"), None);
    }

    #[test]
    fn what_is_amiss_is_said_with_what_is_not() {
        let waiting = Live {
            phase: Phase::WaitingForConsent,
            notes: vec!["do this".to_owned()],
            ..Live::default()
        };
        let text = said(&waiting);
        assert!(text.contains("waiting for the household's consent") && text.contains("do this"));
        assert!(!text.contains("networks"), "{text}");

        let watching = Live {
            phase: Phase::Watching,
            clock: Some("kernel".to_owned()),
            trouble: Some(LiveTrouble {
                kind: "wrong_key".to_owned(),
                sentence: "somebody else answers".to_owned(),
                since: Some("2026-11-22T00:00:00Z".to_owned()),
            }),
            missed: [("interface_gaps".to_owned(), 2)].into(),
            unheard: vec!["br-guest: it is made of wood".to_owned()],
            ..Live::default()
        };
        let text = said(&watching);
        for part in [
            "wrong_key: somebody else answers (since 2026",
            "the interfaces are gone",
            "not heard      br-guest: it is made of wood\n",
            "interface_gaps 2: times that an interface",
            "set, as the kernel says",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
}
