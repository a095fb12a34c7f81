//! The whole service on a disk that is filled to the last page while a replica set is written to, and emptied again: first
//! snapshots wait, then uploads, then nothing works; all goes on by itself, and nothing that was acknowledged is lost.
//!
//! A real file system of its own, in memory, which takes the right to mount one and 3 GiB; so this is listed only when
//! `cargo xtask long service-disk-full` asks for it. In every test run `daemon/tests/jobs` and `blockstore/tests/full_disk`
//! do the same with less. This program starts itself again inside the mount, hence the main function.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test, and one that says what it did")]

#[expect(dead_code, reason = "other tests use the rest")]
#[path = "../service/backup.rs"]
mod backup;
#[expect(dead_code, reason = "other tests use the rest")]
#[path = "../service/state.rs"]
mod state;
#[path = "../service/writer.rs"]
mod writer;

use backup::{Backup, PATIENCE};
use libtest_mimic::{Arguments, Trial};
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;
use tidemark_testkit::live::{ReplicaSet, replica_set_of_one};
use tidemark_testkit::rounds;
use tidemark_testkit::service::{AgentSetUp, Installation, Part, programs, start_agent, wait_for};
use writer::Writer;

const FOLDER: &str = "TIDEMARK_SERVICE_DISK";
/// More than the 2 GiB below which no snapshots are taken.
const SIZE: &str = "2600m";
const NAME: &str = "a_disk_that_is_full_stops_the_service_for_no_longer_than_that";
/// So little room is left that snapshots wait, and so little that uploads are refused.
const LITTLE_BYTES: u64 = 1 << 30;
const VERY_LITTLE_BYTES: u64 = 200 << 20;

fn main() -> ExitCode {
    if let Some(folder) = std::env::var_os(FOLDER) {
        on_a_small_disk(&PathBuf::from(folder));
        return ExitCode::SUCCESS;
    }
    let mut trials = Vec::new();
    if std::env::var_os("TIDEMARK_ROUNDS").is_some() {
        trials.push(Trial::test(NAME, || {
            a_disk_that_is_full_stops_the_service_for_no_longer_than_that();
            Ok(())
        }));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn a_disk_that_is_full_stops_the_service_for_no_longer_than_that() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!("mount -t tmpfs -o size={SIZE} tmpfs \"${FOLDER}\" || exit 77; exec \"$0\"");
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script]).arg(std::env::current_exe().unwrap());
    let status = command.env(FOLDER, folder.path()).status();
    let status = status.unwrap_or_else(|e| panic!("unshare cannot be run ({e}): it comes with util-linux"));
    assert_ne!(
        status.code(),
        Some(77),
        "no file system may be mounted here: run this where user namespaces are allowed, or as root"
    );
    assert!(status.success(), "{status}");
}

/// What fills the disk.
struct Ballast<'a>(&'a Path);

impl Ballast<'_> {
    fn free_bytes(&self) -> u64 {
        let found = statvfs(self.0).unwrap();
        found.f_bavail * found.f_frsize
    }

    /// Leaves this much.
    fn leave(&self, bytes: u64) {
        let file = File::options().create(true).append(true).open(self.0.join("ballast")).unwrap();
        let more = self.free_bytes().saturating_sub(bytes);
        fallocate(&file, FallocateFlags::empty(), file.metadata().unwrap().len(), more).unwrap();
    }

    /// Leaves nothing, whoever gives something back meanwhile.
    fn leave_nothing_for(&self, time: Duration) {
        let mut file = File::options().create(true).append(true).open(self.0.join("dust")).unwrap();
        for _ in 0..time.as_millis() / 100 {
            while file.write_all(&[0x5a; 4096]).is_ok() {}
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn go(&self) {
        for name in ["ballast", "dust"] {
            fs::remove_file(self.0.join(name)).unwrap();
        }
    }
}

fn on_a_small_disk(folder: &Path) {
    let set = replica_set_of_one().unwrap();
    let installation = Installation::start(&programs().unwrap(), folder).unwrap();
    let set_up = AgentSetUp { name: "agent".to_owned(), replica_set: set.host(), lines: Vec::new() };
    let (mut agent, _) = start_agent(&installation, &set_up).unwrap();
    let writer = Writer::start(&set);
    let mut backup = Backup::start(installation);
    writer.go_on_for(50);
    snapshot(&backup, &set);
    let ballast = Ballast(folder);
    for round in 0..usize::try_from(rounds(1)).unwrap() {
        let before = backup.snapshots();
        println!("round {round}: {} bytes are free", ballast.free_bytes());
        ballast.leave(LITTLE_BYTES);
        println!("{}", backup.await_event("SPACE_LOW", round));
        ballast.leave(VERY_LITTLE_BYTES);
        let log = folder.join("agent.log");
        let refused = || fs::read_to_string(&log).unwrap().matches("NoSpace").count();
        let already = refused();
        wait_for("uploads to be refused", PATIENCE, || Ok((refused() > already).then_some(()))).unwrap();
        ballast.leave_nothing_for(Duration::from_secs(20));
        assert_eq!(ballast.free_bytes(), 0);
        writer.go_on_for(100);
        ballast.go();
        if round % 2 == 1 {
            backup.installation.kill_and_start(Part::Serve).unwrap();
        }
        writer.go_on_for(50);
        snapshot(&backup, &set);
        let after: Vec<String> = backup.snapshots().into_iter().map(|it| it.id).collect();
        assert!(before.iter().all(|it| after.contains(&it.id)), "{before:?} {after:?}");
    }
    writer.stop();
    backup.assert_is_as(&set, "after the disk was full");
    for kind in ["COPY_ORDERED", "RESYNC_REQUIRED", "OPLOG_FORKED", "ROLLED_BACK", "STORE_DAMAGED"] {
        assert_eq!(backup.told(kind), Vec::<String>::new());
    }
    backup.await_proofs();
    agent.check().unwrap();
    backup.installation.check().unwrap();
}

fn snapshot(backup: &Backup, set: &ReplicaSet) {
    backup.snapshot_since(set.wait_majority_committed().unwrap().ts);
}
