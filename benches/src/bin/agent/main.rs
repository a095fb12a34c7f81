//! The agent against a real replica set and a Backup HTTP server that only checks and discards: `cargo xtask bench agent
//! [copy] [tail] [--quick]`.
//!
//! The copy beside `mongodump --archive >/dev/null` of the same member, in turns; and a tail that catches up with a burst
//! of entries. The agent is the released program in a process of its own, which is all that is counted: its memory is
//! `VmHWM`. Both speak without TLS. The agent compresses what it sends and mongodump does not: what compression costs is
//! measured on the same bytes in the same way, on one thread, and figures stand with it and without.

#![expect(clippy::print_stdout, reason = "a command-line program talks to its user")]

mod copy;
mod sink;
mod source;
mod tail;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use sink::Sink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tidemark_benches::process::{self, Which};
use tidemark_benches::targets;
use tidemark_benches::{child, is_quick, keep};

type Case = (&'static str, fn(bool) -> Result<Value>);

const CASES: [Case; 2] = [("copy", copy::run), ("tail", tail::run)];

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    if let Some(word) = words.iter().find(|word| !CASES.iter().any(|(name, _)| name == word)) {
        bail!("there is no case {word:?}; there are: {}", CASES.map(|(name, _)| name).join(", "));
    }
    for (name, case) in CASES.iter().filter(|(name, _)| words.is_empty() || words.iter().any(|it| it == name))
    {
        println!("\n{name}");
        let figures = case(is_quick())?;
        println!("{}", keep("agent", name, &figures)?);
        targets::verdicts("agent", name, &figures).for_each(|line| println!("{line}"));
    }
    Ok(())
}

/// The agent at work; it dies with this value.
struct Agent(Child);

impl Agent {
    fn start(folder: &Path, sink: &Sink, set: &str) -> Result<Self> {
        let config = folder.join("agent.config");
        let text = format!(
            "mmsGroupId={}\nmmsApiKey=a-key\nmothership={}\nreplicaSets={set}\n",
            sink::GROUP,
            sink.address()
        );
        std::fs::write(&config, text)?;
        let mut command: Command = child::own("tidemark-agent")?;
        command.arg("--config").arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // What is in the file is no secret here.
        std::fs::set_permissions(
            folder.join("agent.config"),
            std::os::unix::fs::PermissionsExt::from_mode(0o600),
        )?;
        Ok(Self(command.spawn().context("cannot start tidemark-agent")?))
    }

    /// Seconds of processor time and MiB of memory so far.
    fn took(&self) -> (f64, u64) {
        let which = Which::Of(self.0.id());
        (process::cpu_secs(which), process::peak_rss_mib(which))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Fails only if it is dead already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
