//! Devices in captures written by others, against what is known of them; and devices that look like
//! somebody's phone and are not, in captures of our own.

mod traps;

use anyhow::{Result, ensure};
use phonehome_tests::identification::{self, Addresses};

#[test]
#[allow(clippy::print_stdout, reason = "the figures, with --nocapture")]
fn nobody_is_called_what_they_are_not() -> Result<()> {
    for addresses in [Addresses::AsCaptured, Addresses::Masked] {
        let Some(score) = identification::score(addresses)? else {
            return Ok(());
        };
        println!("identification, {addresses}: {score}");
        ensure!(
            score.wrong.is_empty(),
            "{addresses}: {score}: {:#?}",
            score.wrong
        );
        ensure!(
            score.right > 0 || addresses == Addresses::Masked,
            "nothing at all was told: {score}"
        );
    }
    Ok(())
}
