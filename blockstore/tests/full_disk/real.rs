//! A real file system of a few MiB, filled to the last page, SQLite's files included. Each step is done by a
//! process of its own, so that each has to open the store on the full disk.

use crate::scenario::{Scenario, assert_clean};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;
use tidemark_blockstore::disk::OsDisk;

const PART: &str = "TIDEMARK_FULL_DISK_PART";
const FOLDER: &str = "TIDEMARK_FULL_DISK_FOLDER";
const ROUND: &str = "TIDEMARK_FULL_DISK_ROUND";

/// The size of the file system.
const SIZE: &str = "16m";

/// A part of the test that is done by a process of its own.
pub(crate) enum Part {
    /// Inside the mount: all rounds, each step in another process.
    Rounds,
    /// Fills the disk.
    Fill,
    /// Makes room again.
    MakeRoom,
}

pub(crate) fn a_real_full_disk_loses_nothing_and_is_got_out_of() {
    let dir = TempDir::new().unwrap();
    let script = format!("mount -t tmpfs -o size={SIZE} tmpfs \"${FOLDER}\" || exit 77; exec \"$0\"");
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script]).arg(std::env::current_exe().unwrap());
    command.env(PART, "rounds").env(FOLDER, dir.path());
    let status = command.status();
    let status = status.unwrap_or_else(|e| panic!("unshare cannot be run ({e}): it comes with util-linux"));
    let allowed = status.code() != Some(77) && status.code() != Some(1);
    assert!(
        allowed,
        "no file system may be mounted here: run this where user namespaces are allowed, or as root"
    );
    assert!(status.success(), "{status}");
}

impl Part {
    /// What this process was started for, if it was.
    pub(crate) fn from_environment() -> Option<Self> {
        Some(match std::env::var(PART).ok()?.as_str() {
            "rounds" => Self::Rounds,
            "fill" => Self::Fill,
            "make room" => Self::MakeRoom,
            other => panic!("{PART} is {other:?}: the test and the process it started disagree"),
        })
    }

    /// Does it; a failure is a panic.
    pub(crate) fn run(&self) {
        let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
        let scenario = Scenario::new(&folder.join("store"), Arc::new(OsDisk));
        match self {
            Self::Rounds => {
                scenario.create();
                for round in 1..=tidemark_testkit::rounds(1) {
                    step("fill", round);
                    step("make room", round);
                }
                assert_clean(&scenario.open());
            }
            Self::Fill => {
                let refs = scenario.fill(round());
                assert!(refs > 10, "only {refs} refs fit");
            }
            Self::MakeRoom => {
                let refs = scenario.open().list_refs("").unwrap().len();
                scenario.make_room(round(), refs);
            }
        }
    }
}

/// The round that a step belongs to.
fn round() -> u64 {
    std::env::var(ROUND).unwrap().parse().unwrap()
}

/// Starts this program again, in the same mount, for one step.
fn step(part: &str, round: u32) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(PART, part).env(ROUND, round.to_string()).stdin(Stdio::null());
    let status = command.status().unwrap();
    assert!(status.success(), "round {round}, {part}: {status}");
}
