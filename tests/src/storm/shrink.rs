//! A failing script becomes a short one that fails as well.
//!
//! Delta debugging (Zeller and Hildebrandt, 2002): halves go, then quarters, down to single operations,
//! until none can go any more; then what is left is made plainer: calmer weather, no power cut, fewer
//! homes. Pure: whether a script fails is an argument.

use super::operation::{Operation, Weather};
use super::script::Script;

/// Tries, at most: a script that takes long to fail is not shrunk for ever.
const TRIES_MAX: usize = 2_000;

/// The shortest script found that `fails`, beginning with one that does.
pub fn shrink(script: &Script, mut fails: impl FnMut(&Script) -> bool) -> Script {
    let mut tries = 0;
    let mut try_it = |candidate: &Script| {
        tries += 1;
        tries <= TRIES_MAX && fails(candidate)
    };
    let mut best = script.clone();
    loop {
        let before = best.clone();
        best = without_operations(best, &mut try_it);
        best = plainer(best, &mut try_it);
        if best == before {
            return best;
        }
    }
}

/// Leaves out pieces, large ones first.
fn without_operations(mut best: Script, fails: &mut impl FnMut(&Script) -> bool) -> Script {
    let mut piece = best.operations.len().div_ceil(2);
    while piece > 0 {
        let mut at = 0;
        while at < best.operations.len() {
            let end = (at + piece).min(best.operations.len());
            let mut candidate = best.clone();
            candidate.operations.drain(at..end);
            if fails(&candidate) {
                best = candidate;
            } else {
                at = end;
            }
        }
        piece = if piece == 1 { 0 } else { piece.div_ceil(2) };
    }
    best
}

/// Puts something simpler in the place of each operation, and leaves out homes.
fn plainer(mut best: Script, fails: &mut impl FnMut(&Script) -> bool) -> Script {
    for at in 0..best.operations.len() {
        for simple in simpler(&best.operations[at]) {
            let mut candidate = best.clone();
            candidate.operations[at] = simple;
            if fails(&candidate) {
                best = candidate;
                break;
            }
        }
    }
    for homes in 1..best.homes {
        let candidate = Script {
            homes,
            ..best.clone()
        };
        if fails(&candidate) {
            return candidate;
        }
    }
    best
}

fn simpler(operation: &Operation) -> Vec<Operation> {
    let calm = |weather: &Weather, make: &dyn Fn(Weather) -> Operation| {
        let mut simple = Vec::new();
        if !weather.0.is_empty() {
            simple.push(make(Weather::default()));
            simple.extend((0..weather.0.len()).map(|at| {
                let mut weather = weather.clone();
                weather.0.remove(at);
                make(weather)
            }));
        }
        simple
    };
    match operation {
        Operation::Join(home, weather) => calm(weather, &|w| Operation::Join(*home, w)),
        Operation::Knock(home, weather) => calm(weather, &|w| Operation::Knock(*home, w)),
        Operation::Send(home, weather) => calm(weather, &|w| Operation::Send(*home, w)),
        Operation::Rotate(home, weather) => calm(weather, &|w| Operation::Rotate(*home, w)),
        Operation::Withdraw(home, weather) => calm(weather, &|w| Operation::Withdraw(*home, w)),
        Operation::Together(homes) => {
            let one = homes
                .iter()
                .map(|home| Operation::Send(*home, Weather::default()));
            let fewer = (0..homes.len()).filter(|_| homes.len() > 2).map(|at| {
                let mut homes = homes.clone();
                homes.remove(at);
                Operation::Together(homes)
            });
            one.chain(fewer).collect()
        }
        Operation::Cut(dice, during) => {
            let mut simple = vec![(**during).clone()];
            let inner = simpler(during).into_iter();
            simple.extend(inner.map(|during| Operation::Cut(*dice, Box::new(during))));
            simple
        }
        Operation::CutInCheckpoint(_) => vec![Operation::Crash],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_it_fail_is_all_that_is_left() {
        // It fails when a home sends after the collector was killed while it had a pending rotation.
        let fails = |script: &Script| {
            let place =
                |wanted: &dyn Fn(&Operation) -> bool| script.operations.iter().position(wanted);
            let rotates = place(&|o| matches!(o, Operation::Rotate(..)));
            let crashes = place(&|o| matches!(o, Operation::Crash | Operation::CutInCheckpoint(_)));
            let sends = script
                .operations
                .iter()
                .rposition(|o| matches!(o, Operation::Send(home, _) if *home < script.homes));
            rotates < crashes && rotates.is_some() && crashes < sends
        };
        let long = (0..1_000).map(Script::draw).find(|script| fails(script));
        let short = shrink(&long.expect("one of them does that"), fails);
        let words: Vec<String> = short.operations.iter().map(Operation::to_string).collect();
        assert_eq!(words.len(), 3, "{words:?}");
        assert!(words[0].starts_with("rotate"), "{words:?}");
        assert_eq!(words[1], "crash");
        assert!(words[2].starts_with("send"), "{words:?}");
    }
}
