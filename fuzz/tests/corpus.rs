//! Every kept input goes through its target, and the targets, their files and their corpora are complete.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tidemark_base::{Entropy as _, SeededEntropy};
use tidemark_fuzz::TARGETS;
use tidemark_testkit::rounds;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = folder("corpus").join(target);
    names_in(&folder)
        .into_iter()
        .map(|name| (name.clone(), std::fs::read(folder.join(name)).unwrap()))
        .collect()
}

#[test]
fn every_kept_input_passes_and_whole_ones_decode() {
    for (name, target) in TARGETS {
        let corpus = corpus(name);
        let decoded = corpus.iter().filter(|(file, bytes)| {
            println!("{name}/{file}");
            target(bytes)
        });
        // The seeds come in pairs: a whole structure that must decode, and its first half.
        let decoded = decoded.count();
        assert!(decoded > 0 && decoded * 2 >= corpus.len(), "{name}: {decoded} of {}", corpus.len());
    }
}

#[test]
fn every_target_has_a_file_and_a_corpus_and_none_has_more() {
    let names: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names_in(&folder("corpus")), names);
    let files: BTreeSet<_> = names.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(names_in(&folder("fuzz_targets")), files);
}

#[test]
fn kept_inputs_are_named_in_hexadecimal_and_small() {
    for (target, _) in TARGETS {
        for (name, bytes) in corpus(target) {
            assert!(name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{target}/{name}");
            assert!(bytes.len() <= 4096, "{target}/{name}");
        }
    }
}

/// A poor man's fuzzer, for machines without the real one: changed, cut and lengthened seeds.
#[test]
fn changed_seeds_pass() {
    let mut random = SeededEntropy::new(1);
    for (name, target) in TARGETS {
        for (_, seed) in corpus(name) {
            for _ in 0..rounds(2000) {
                let mut bytes = seed.clone();
                for _ in 0..=random.below(3) {
                    change(&mut bytes, &mut random);
                }
                let _ = target(&bytes);
            }
        }
    }
}

fn change(bytes: &mut Vec<u8>, random: &mut SeededEntropy) {
    let mut below = |bound: usize| usize::try_from(random.below(bound as u64)).unwrap();
    let (at, how) = (below(bytes.len().max(1)), below(4));
    match how {
        0 => bytes.truncate(at),
        1 => {
            let from = below(bytes.len().max(1)).min(bytes.len());
            bytes.extend_from_within(from..);
        }
        _ => {
            let mut noise = [0; 4];
            random.fill(&mut noise);
            // Small numbers and edges find more than any numbers.
            let value = if how == 2 { noise[0] } else { [0, 1, 0x7f, 0xff][usize::from(noise[1] & 3)] };
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
    }
}
