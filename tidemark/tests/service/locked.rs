//! Metadata that nobody can write to for a minute: the oplog is taken in all the same, and all goes on by itself.

use crate::backup::{Backup, moment};
use crate::state::State;
use crate::writer::Writer;
use rusqlite::Connection;
use serde_json::json;
use std::time::Duration;
use tidemark_testkit::live::replica_set_of_one;
use tidemark_testkit::service::{AgentSetUp, Installation, programs, start_agent};

/// Longer than the leases of jobs, so that all of them end meanwhile.
const LOCKED: Duration = Duration::from_secs(65);

#[test]
fn metadata_that_are_locked_stop_nothing_for_good() {
    let set = replica_set_of_one().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let installation = Installation::start(&programs().unwrap(), folder.path()).unwrap();
    let set_up = AgentSetUp { name: "agent".to_owned(), replica_set: set.host(), lines: Vec::new() };
    let (mut agent, _) = start_agent(&installation, &set_up).unwrap();
    let writer = Writer::start(&set);
    let mut backup = Backup::start(installation);
    writer.go_on_for(50);
    let first = backup.snapshot_since(set.wait_majority_committed().unwrap().ts);

    let database = Connection::open(folder.path().join("data/metadata.sqlite")).unwrap();
    database.busy_timeout(Duration::from_secs(30)).unwrap();
    database.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let before = stored(&folder);
    std::thread::sleep(LOCKED / 2);
    let meanwhile = stored(&folder);
    std::thread::sleep(LOCKED / 2);
    database.execute_batch("ROLLBACK").unwrap();
    assert!(
        meanwhile > before,
        "the oplog is stored although metadata are locked: {before} {meanwhile} bytes"
    );

    writer.go_on_for(50);
    backup.snapshot_since(set.wait_majority_committed().unwrap().ts);
    writer.stop();
    backup.assert_is_as(&set, "after the lock");
    assert!(backup.snapshots().iter().any(|it| it.id == first.id));
    for kind in ["COPY_ORDERED", "RESYNC_REQUIRED", "OPLOG_FORKED", "ROLLED_BACK"] {
        assert_eq!(backup.told(kind), Vec::<String>::new());
    }
    // Any moment can be had, also of the time of the lock.
    let restored = backup.restored(&json!({"timestamp": moment(first.at)}));
    backup.restored(&first.wish()).assert_same(&restored, "the moment of the first snapshot");
    assert_ne!(restored, State::now(&set.client().unwrap()));
    backup.await_proofs();
    agent.check().unwrap();
    backup.installation.check().unwrap();
}

fn stored(folder: &tempfile::TempDir) -> u64 {
    let packs = std::fs::read_dir(folder.path().join("data/blocks/packs")).unwrap();
    packs.map(|it| it.unwrap().metadata().map_or(0, |it| it.len())).sum()
}
