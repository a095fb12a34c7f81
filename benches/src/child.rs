//! Running another program and measuring it: wall, processor time, memory, and the bytes it gives.
//!
//! Used for all peers and for our own binary, so that all are measured alike. What a program writes to
//! standard output goes through a pipe to a thread that only counts; what it says is kept for the failure.

use crate::process::{self, Which};
use crate::{Stopwatch, results};
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tidemark_base::threads;

/// How often the memory of a program is looked at; what it takes in its last moments is not seen.
const LOOK_MS: u64 = 4;
/// How much is read from a pipe at once, in bytes.
const PIPE_BYTES: usize = 1 << 20;

/// What a program took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Took {
    /// Seconds from its start to its end.
    pub wall_s: f64,
    /// Seconds of processor time, user and system.
    pub cpu_s: f64,
    /// The most memory it had.
    pub peak_rss_mib: u64,
    /// Bytes it wrote to standard output.
    pub out_bytes: u64,
}

impl Took {
    /// Two programs, one after the other.
    #[must_use]
    pub fn then(self, other: Self) -> Self {
        Self {
            wall_s: self.wall_s + other.wall_s,
            cpu_s: self.cpu_s + other.cpu_s,
            peak_rss_mib: self.peak_rss_mib.max(other.peak_rss_mib),
            out_bytes: self.out_bytes + other.out_bytes,
        }
    }
}

/// Several runs as figures: medians of the times, the most memory, and each wall time.
#[must_use]
pub fn figures(runs: &[Took]) -> Value {
    json!({
        "wall_s": results::median(runs.iter().map(|it| it.wall_s)),
        "cpu_s": results::median(runs.iter().map(|it| it.cpu_s)),
        "peak_rss_mib": runs.iter().map(|it| it.peak_rss_mib).max().filter(|most| *most > 0),
        "walls_s": runs.iter().map(|it| it.wall_s).collect::<Vec<_>>(),
    })
}

/// Our own binary, which was built beside this program.
///
/// # Errors
/// If it is not there.
pub fn tidemark() -> Result<Command> {
    own("tidemark")
}

/// A binary of ours by its name, which is its package's too.
///
/// # Errors
/// If it is not there.
pub fn own(name: &str) -> Result<Command> {
    let own = std::env::current_exe().context("this program does not know where it is")?;
    // Tests lie one folder deeper.
    let places = own.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    let found: Option<PathBuf> = places.into_iter().find(|place| place.is_file());
    let found = found.with_context(|| format!("{name} is not built: cargo build --release -p {name}"))?;
    Ok(Command::new(found))
}

/// Runs a program to its end.
///
/// # Errors
/// If it is missing, with what to install, or fails, with what it said.
pub fn run(command: &mut Command) -> Result<Took> {
    let shown = command.get_program().to_string_lossy().into_owned();
    let mut said = tempfile::tempfile()?;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(said.try_clone()?);
    let mut watch = Stopwatch::default();
    let (mut child, out_bytes, cpu_s, peak_rss_mib) = watch.time(|| watched(command))?;
    let status = child.wait()?;
    if !status.success() {
        let mut text = String::new();
        let len = said.seek(SeekFrom::End(0))?;
        said.seek(SeekFrom::Start(len.saturating_sub(4000)))?;
        let _ = said.read_to_string(&mut text);
        let words: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
        bail!("{shown} {}: {status}\n{text}", words.join(" "));
    }
    Ok(Took { wall_s: watch.secs(), cpu_s, peak_rss_mib, out_bytes })
}

/// Starts a program and waits until it has ended, but leaves it to be waited for. Returns with it the bytes it
/// wrote, its processor time and its memory.
fn watched(command: &mut Command) -> Result<(Child, u64, f64, u64)> {
    let mut child = command.spawn().map_err(|error| missing(command, error))?;
    let out = child.stdout.take().context("the pipe was asked for")?;
    let drain = threads::spawn("drain", move || drained(out))?;
    let which = Which::Of(child.id());
    let ended = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&ended);
    let memory = threads::spawn("look", move || {
        let mut most = 0;
        while !seen.load(Ordering::Relaxed) {
            most = process::peak_rss_mib(which).max(most);
            std::thread::sleep(Duration::from_millis(LOOK_MS));
        }
        most
    })?;
    let pid = Pid::from_child(&child);
    waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
    let cpu_s = process::cpu_secs(which);
    ended.store(true, Ordering::Relaxed);
    let out_bytes = drain.join().ok().context("reading a pipe failed")??;
    // Looks every few milliseconds: this costs no more than that.
    let most = memory.join().ok().context("looking at memory failed")?;
    Ok((child, out_bytes, cpu_s, most))
}

/// Reads to the end and counts.
///
/// # Errors
/// Those of reading.
pub fn drained(mut from: impl Read) -> std::io::Result<u64> {
    let (mut buffer, mut bytes) = (vec![0; PIPE_BYTES], 0);
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(bytes),
            len => bytes += len as u64,
        }
    }
}

fn missing(command: &Command, error: std::io::Error) -> anyhow::Error {
    let program = command.get_program().to_string_lossy();
    match (error.kind(), program.as_ref()) {
        (ErrorKind::NotFound, "restic" | "borg") => {
            anyhow::anyhow!("{program} is missing, one of the peers: apt-get install restic borgbackup")
        }
        _ => anyhow::Error::new(error).context(format!("cannot start {program}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_writes_is_counted_and_its_time_and_memory_taken() {
        let took = run(Command::new("sh").args(["-c", "head -c 3000000 /dev/zero; sleep 0.05"])).unwrap();
        assert_eq!(took.out_bytes, 3_000_000);
        assert!(took.wall_s >= 0.05 && took.cpu_s <= took.wall_s && took.peak_rss_mib > 0, "{took:?}");
    }

    #[test]
    fn a_failure_says_what_the_program_said() {
        let error = run(Command::new("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.ends_with("why\n"), "{error}");
    }

    #[test]
    fn a_missing_peer_is_told_with_what_to_install() {
        let gone = std::io::Error::from(ErrorKind::NotFound);
        let text = missing(&Command::new("borg"), gone).to_string();
        assert_eq!(text, "borg is missing, one of the peers: apt-get install restic borgbackup");
    }
}
