//! Questions and answers, on a terminal or through a pipe.
//!
//! An answer is one line without its spaces. The end of the input is the answer of somebody who has
//! left: it ends the command, whatever was asked.

use crate::run::{Exit, Failure};
use std::fmt::Display;
use std::io::{BufRead, Read, Write};
use std::str::FromStr;

/// Somebody who answers, and where they read.
pub(super) struct Dialogue<'a> {
    input: &'a mut (dyn BufRead + Send),
    out: &'a mut (dyn Write + Send),
}

/// Bytes of the longest answer; of a longer line, the rest is another answer. An invite has 200.
const ANSWER_BYTES_MAX: u64 = 1_024;

/// How often a question is asked that has a wrong answer.
const TRIES_MAX: u32 = 3;

impl<'a> Dialogue<'a> {
    pub(super) fn new(
        input: &'a mut (dyn BufRead + Send),
        out: &'a mut (dyn Write + Send),
    ) -> Self {
        Self { input, out }
    }

    /// Where to write besides.
    pub(super) fn out(&mut self) -> &mut (dyn Write + Send) {
        &mut *self.out
    }

    pub(super) fn say(&mut self, text: &str) -> Result<(), Failure> {
        Ok(writeln!(self.out, "{text}")?)
    }

    pub(super) fn head(&mut self, title: &str) -> Result<(), Failure> {
        Ok(writeln!(self.out, "\n== {title} ==\n")?)
    }

    /// One answer.
    ///
    /// # Errors
    /// [`Exit::Unavailable`] when there are no more.
    pub(super) fn ask(&mut self, question: &str) -> Result<String, Failure> {
        write!(self.out, "{question}")?;
        self.out.flush()?;
        let mut line = Vec::new();
        let mut bounded = Read::take(&mut *self.input, ANSWER_BYTES_MAX);
        let read = bounded.read_until(b'\n', &mut line);
        let read = read.map_err(|error| {
            Failure::new(
                Exit::BadInput,
                format!("the answer cannot be read: {error}"),
            )
        })?;
        if read == 0 {
            writeln!(self.out)?;
            let sentence = "the answers ended; what was answered stands, and phonehome-agent setup goes on after it";
            return Err(Failure::new(Exit::Unavailable, sentence));
        }
        Ok(String::from_utf8_lossy(&line).trim().to_owned())
    }

    /// Whether the answer is a yes; everything else is a no.
    pub(super) fn is_yes(&mut self, question: &str) -> Result<bool, Failure> {
        let answer = self.ask(question)?.to_ascii_lowercase();
        Ok(answer == "y" || answer == "yes")
    }

    /// A value, or `None` for Enter; one that is wrong is asked for again, and then left out.
    pub(super) fn ask_for<T: FromStr<Err: Display>>(
        &mut self,
        question: &str,
    ) -> Result<Option<T>, Failure> {
        for _ in 0..TRIES_MAX {
            let answer = self.ask(question)?;
            if answer.is_empty() {
                return Ok(None);
            }
            match answer.parse() {
                Ok(value) => return Ok(Some(value)),
                Err(why) => self.say(&format!("  {why}"))?,
            }
        }
        Ok(None)
    }
}
