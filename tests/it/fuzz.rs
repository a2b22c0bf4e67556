//! The fuzz targets over their corpus: what was found once stays found.

use phonehome_tests::fuzz::TARGETS;
use phonehome_tests::{golden, seeds};
use std::collections::BTreeSet;
use std::fs;

#[test]
fn the_seeds_are_the_generators() {
    for seed in seeds::all() {
        golden::check(
            &format!("tests/fuzz/corpus/{}/{}", seed.target, seed.name),
            &seed.bytes,
        );
    }
}

#[test]
fn every_target_holds_over_its_corpus() {
    let corpus = golden::root().join("tests/fuzz/corpus");
    for (target, body) in TARGETS {
        let files = fs::read_dir(corpus.join(target)).expect("every target has a corpus");
        let mut tried = 0;
        for file in files {
            let bytes = fs::read(file.expect("a file").path()).expect("a file can be read");
            body(&bytes);
            // Also cut anywhere, and with each byte of the beginning flipped.
            for cut in 0..bytes.len().min(300) {
                body(&bytes[..cut]);
                let mut flipped = bytes.clone();
                flipped[cut] ^= 0xff;
                body(&flipped);
            }
            tried += 1;
        }
        assert!(tried > 0, "{target} has a seed");
    }
}

#[test]
fn every_target_is_a_binary_of_the_fuzz_crate() {
    let folder = golden::root().join("tests/fuzz/fuzz_targets");
    let binaries: BTreeSet<_> = fs::read_dir(folder)
        .expect("the fuzz crate")
        .map(|file| {
            file.expect("a file")
                .file_name()
                .to_string_lossy()
                .replace(".rs", "")
        })
        .collect();
    let targets: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(binaries, targets);
    let manifest = fs::read_to_string(golden::root().join("tests/fuzz/Cargo.toml"));
    let manifest = manifest.expect("the fuzz crate's manifest");
    for target in &targets {
        assert!(
            manifest.contains(&format!("name = \"{target}\"")),
            "{target}"
        );
    }
}
