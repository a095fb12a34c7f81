//! `fuzz`: hostile bytes for every decoder of a format of ours, made by libFuzzer.
//!
//! Needs the program cargo-fuzz, which no test needs: the kept corpus goes through the targets in
//! `cargo xtask test`. Works with the stable compiler, without sanitizers, which code without `unsafe` can do
//! without. What the fuzzer finds interesting stays under `target/fuzz/`, so that the next run goes on from
//! there; an input that breaks something is kept there too, and belongs into `fuzz/corpus/` with its repair.

use crate::steps::{Invocation, Steps};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Stdio;
use tidemark_testkit::parts;

/// How long one target runs unless said otherwise.
const MINUTES: u32 = 1;
/// Longest input that is tried, in bytes: decoders meet all their cases in less.
const MAX_LEN_BYTES: u32 = 8192;

/// Runs one target, or lists all.
pub(crate) fn run(target: Option<&str>, minutes: Option<u32>) -> Result<()> {
    let targets = targets(&parts::workspace())?;
    let Some(target) = target else {
        println!("cargo xtask fuzz <target> [--minutes N]\n\n{}", targets.join("\n"));
        return Ok(());
    };
    if !targets.iter().any(|it| it == target) {
        bail!("there is no fuzz target {target:?}; there are:\n{}", targets.join("\n"));
    }
    fuzz(&[target.to_owned()], minutes.unwrap_or(MINUTES))
}

/// Runs every target for so many minutes each.
pub(crate) fn run_all(minutes: u32) -> Result<()> {
    fuzz(&targets(&parts::workspace())?, minutes)
}

fn fuzz(targets: &[String], minutes: u32) -> Result<()> {
    check_cargo_fuzz()?;
    let mut steps = Steps::new();
    for target in targets {
        for folder in ["corpus", "artifacts"] {
            let folder = parts::workspace().join(format!("target/fuzz/{folder}/{target}"));
            std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        steps.command("fuzz", &invocation(target, minutes)).with_context(|| {
            format!(
                "{target}: if an input broke it, the input is in target/fuzz/artifacts/{target}: mend the \
                 decoder and keep the input in fuzz/corpus/{target}"
            )
        })?;
    }
    steps.summary();
    Ok(())
}

/// The targets: the files of `fuzz/fuzz_targets`.
fn targets(workspace: &Path) -> Result<Vec<String>> {
    let folder = workspace.join("fuzz/fuzz_targets");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut targets = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        targets.extend(name.strip_suffix(".rs").map(str::to_owned));
    }
    targets.sort_unstable();
    Ok(targets)
}

fn check_cargo_fuzz() -> Result<()> {
    let mut command = Invocation::from(["cargo", "fuzz", "--version"]).command()?;
    let found = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        bail!("cargo-fuzz is not there: install it with `cargo install cargo-fuzz --locked`, then try again");
    }
    Ok(())
}

/// The first corpus is the one that libFuzzer writes to, the second one the seeds that are kept.
fn invocation(target: &str, minutes: u32) -> Invocation {
    let found = format!("target/fuzz/corpus/{target}");
    let seeds = format!("fuzz/corpus/{target}");
    let seconds = format!("-max_total_time={}", minutes.saturating_mul(60));
    let artifacts = format!("-artifact_prefix=target/fuzz/artifacts/{target}/");
    let max_len = format!("-max_len={MAX_LEN_BYTES}");
    let options = ["cargo", "fuzz", "run", "--sanitizer", "none", "--features", "libfuzzer", target];
    let words = [&found, &seeds, "--", &seconds, &max_len, &artifacts, "-print_final_stats=1"];
    Invocation::new(options.into_iter().chain(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_targets_are_those_of_the_fuzz_crate() {
        let targets = targets(&parts::workspace()).unwrap();
        let manifest = std::fs::read_to_string(parts::workspace().join("fuzz/Cargo.toml")).unwrap();
        assert!(targets.len() >= 6, "{targets:?}");
        for target in targets {
            assert!(manifest.contains(&format!("name = \"{target}\"")), "{target} has no [[bin]]");
        }
    }

    #[test]
    fn an_unknown_target_is_answered_with_the_list() {
        let text = run(Some("no such"), None).unwrap_err().to_string();
        assert!(text.contains("refs_log") && text.contains("superblock"), "{text}");
    }

    #[test]
    fn the_command_line_keeps_findings_apart_from_seeds() {
        assert_eq!(
            invocation("row", 2).to_string(),
            "cargo fuzz run --sanitizer none --features libfuzzer row target/fuzz/corpus/row fuzz/corpus/row \
             -- -max_total_time=120 -max_len=8192 -artifact_prefix=target/fuzz/artifacts/row/ \
             -print_final_stats=1"
        );
    }
}
