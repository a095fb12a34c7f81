//! Sources whose history turns: put back from older files, reconfigured by force after their majority was lost, gone on
//! with while nobody read, and another member to copy from in the middle of a copy. Each is said, healed by itself, and
//! what is restored then is what the source has.

use crate::backup::{Backup, PATIENCE};
use bson::{Binary, Bson, Document, RawDocumentBuf, doc};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use tidemark_base::{Entropy, SeededEntropy, Timestamp};
use tidemark_testkit::live::{Options, ReplicaSet, replica_set_of_one, replica_set_of_three};
use tidemark_testkit::service::{AgentSetUp, Installation, Process, programs, start_agent, wait_for};

/// A backup, its agent, and where both lie.
pub(crate) struct Scene {
    pub(crate) backup: Backup,
    agent: Process,
    set_up: AgentSetUp,
    _folder: TempDir,
}

impl Scene {
    /// An installation and an agent for a set; the backup is not started.
    fn prepare(set: &ReplicaSet) -> (TempDir, Installation, AgentSetUp, Process) {
        let folder = tempfile::tempdir().unwrap();
        let installation = Installation::start(&programs().unwrap(), folder.path()).unwrap();
        let set_up = AgentSetUp { name: "agent".to_owned(), replica_set: set.host(), lines: Vec::new() };
        let agent = start_agent(&installation, &set_up).unwrap().0;
        (folder, installation, set_up, agent)
    }

    /// A backup that runs, with a snapshot of what is there.
    pub(crate) fn start(set: &ReplicaSet) -> Self {
        let (folder, installation, set_up, agent) = Self::prepare(set);
        let scene = Self { backup: Backup::start(installation), agent, set_up, _folder: folder };
        scene.take_in(set);
        scene
    }

    /// Waits until a snapshot holds all that was written.
    pub(crate) fn take_in(&self, set: &ReplicaSet) -> Timestamp {
        self.backup.snapshot_since(set.wait_majority_committed().unwrap().ts).at
    }

    /// Whether a snapshot was said to be of what the source has rolled back.
    pub(crate) fn is_rolled_back(&self, at: Timestamp) -> bool {
        self.backup.snapshots().iter().find(|it| it.at == at).unwrap().is_rolled_back
    }

    pub(crate) fn end(mut self, set: &ReplicaSet) {
        self.backup.assert_is_as(set, "in the end");
        self.backup.await_proofs();
        self.agent.check().unwrap();
        self.backup.installation.check().unwrap();
    }
}

/// Inserts, updates and deletes, durable on a majority when this returns. By a client that knows of no other history.
pub(crate) fn write(set: &ReplicaSet, ids: Range<i32>) {
    let written = set.client().unwrap().database("app").collection::<Document>("written");
    for id in ids {
        written.insert_one(doc! {"_id": id, "text": "some text ".repeat(20)}).run().unwrap();
        written.update_one(doc! {"_id": id / 2}, doc! {"$inc": {"n": 1}}).run().unwrap();
        if id % 7 == 0 {
            written.delete_one(doc! {"_id": id / 3}).run().unwrap();
        }
    }
}

/// So many documents that no compression makes smaller; each time others.
fn fill(set: &ReplicaSet, name: &str, ids: Range<i32>, bytes: usize, seed: u64) {
    let collection = set.client().unwrap().database("app").collection::<RawDocumentBuf>(name);
    let mut entropy = SeededEntropy::new(seed);
    let ids: Vec<i32> = ids.collect();
    for some in ids.chunks((4 << 20) / bytes) {
        let document = |id: &i32| {
            let mut noise = vec![0; bytes];
            entropy.fill(&mut noise);
            let noise = Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: noise };
            RawDocumentBuf::try_from(&doc! {"_id": id, "noise": noise}).unwrap()
        };
        collection.insert_many(some.iter().map(document)).run().unwrap();
    }
}

pub(crate) fn files(set: &ReplicaSet, member: usize) -> PathBuf {
    set.member(member).folder().join("db")
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

/// A copy of the files of a set of one, as of now.
fn keep(set: &mut ReplicaSet) -> TempDir {
    let kept = tempfile::tempdir().unwrap();
    set.stop(0).unwrap();
    copy_folder(&files(set, 0), &kept.path().join("db"));
    set.restart(0).unwrap();
    set.primary().unwrap();
    kept
}

fn put_back(set: &mut ReplicaSet, kept: &TempDir) {
    set.stop(0).unwrap();
    fs::remove_dir_all(files(set, 0)).unwrap();
    copy_folder(&kept.path().join("db"), &files(set, 0));
    set.restart(0).unwrap();
    set.primary().unwrap();
}

/// Lets a member forget all it has and copy it from the others.
fn wipe(set: &mut ReplicaSet, member: usize) {
    set.stop(member).unwrap();
    fs::remove_dir_all(files(set, member)).unwrap();
    fs::create_dir(files(set, member)).unwrap();
    set.restart(member).unwrap();
}

#[test]
fn a_source_put_back_from_older_files_is_followed_back_or_copied_anew() {
    let mut set = replica_set_of_one().unwrap();
    write(&set, 0..50);
    let before_all = keep(&mut set);
    let scene = Scene::start(&set);
    write(&set, 50..100);
    let common = scene.take_in(&set);
    let older = keep(&mut set);
    write(&set, 100..150);
    let gone = scene.take_in(&set);
    // So the elections that follow are of terms that have been: a client may take them for old news.
    for _ in 0..3 {
        set.restart(0).unwrap();
        set.primary().unwrap();
    }

    put_back(&mut set, &older);
    write(&set, 1000..1050);
    let text = scene.backup.await_event("OPLOG_FORKED", 0);
    assert!(text.contains("rolled back"), "{text}");
    scene.backup.await_event("ROLLED_BACK", 0);
    scene.backup.assert_is_as(&set, "after the files were put back");
    assert!(scene.is_rolled_back(gone) && !scene.is_rolled_back(common));
    assert_eq!(scene.backup.told("COPY_ORDERED"), Vec::<String>::new());

    put_back(&mut set, &before_all);
    write(&set, 2000..2050);
    let text = scene.backup.await_event("COPY_ORDERED", 0);
    assert!(text.contains("a new copy is made"), "{text}");
    scene.backup.await_event("BACKUP_STARTED", 1);
    assert!(scene.backup.snapshots().iter().any(|it| it.at == common), "earlier snapshots stay");
    scene.take_in(&set);
    scene.end(&set);
}

#[test]
fn a_set_that_lost_its_majority_and_was_reconfigured_by_force_is_followed_back() {
    let mut set = replica_set_of_three().unwrap();
    set.elect(0).unwrap();
    write(&set, 0..50);
    let scene = Scene::start(&set);
    let common = scene.take_in(&set);
    set.stop(2).unwrap();
    write(&set, 50..100);
    let gone = scene.take_in(&set);
    set.kill(0);
    set.kill(1);
    set.restart(2).unwrap();
    reconfigure(&set, |members| members.retain(|it| port(it) == set.member(2).port()));
    assert_eq!(set.primary().unwrap(), 2);
    write(&set, 1000..1050);
    scene.backup.await_event("OPLOG_FORKED", 0);
    scene.backup.await_event("ROLLED_BACK", 0);
    scene.backup.assert_is_as(&set, "of the one that was left");
    assert!(scene.is_rolled_back(gone) && !scene.is_rolled_back(common));

    // The others come back with nothing.
    wipe(&mut set, 0);
    wipe(&mut set, 1);
    let hosts = [0, 1].map(|member| format!("127.0.0.1:{}", set.member(member).port()));
    reconfigure(&set, |members| {
        members.extend((10..).zip(hosts).map(|(id, host)| Bson::from(doc! {"_id": id, "host": host})));
    });
    set.await_all_members().unwrap();
    write(&set, 2000..2050);
    assert_eq!(scene.backup.told("COPY_ORDERED"), Vec::<String>::new());
    scene.end(&set);
}

fn port(member: &Bson) -> u16 {
    let host = member.as_document().unwrap().get_str("host").unwrap();
    host.rsplit_once(':').unwrap().1.parse().unwrap()
}

/// Gives a set other members, without asking a majority.
fn reconfigure(set: &ReplicaSet, change: impl FnOnce(&mut Vec<Bson>)) {
    let admin = set.direct(2).database("admin");
    let mut config = admin
        .run_command(doc! {"replSetGetConfig": 1})
        .run()
        .unwrap()
        .get_document("config")
        .unwrap()
        .clone();
    let version = config.get_i32("version").unwrap();
    config.insert("version", version + 1);
    change(config.get_array_mut("members").unwrap());
    wait_for("a forced configuration to be taken", PATIENCE, || {
        let command = doc! {"replSetReconfig": config.clone(), "force": true};
        Ok(admin.run_command(command).run().is_ok().then_some(()))
    })
    .unwrap();
}

#[test]
fn a_source_that_went_on_without_its_agent_until_its_oplog_was_lost_is_copied_anew() {
    // What no checkpoint has is not let go, so there is one every second.
    let extra_args = ["--syncdelay", "1"].map(ToOwned::to_owned).to_vec();
    let options = Options { oplog_size_mb: 10, extra_args, ..Options::default() };
    let set = ReplicaSet::start(1, &options).unwrap();
    write(&set, 0..50);
    let mut scene = Scene::start(&set);
    let last = scene.take_in(&set);
    scene.agent.kill();
    let oldest = || {
        let oplog = set.direct(0).database("local").collection::<Document>("oplog.rs");
        let first = oplog.find_one(doc! {}).sort(doc! {"$natural": 1}).run().unwrap().unwrap();
        first.get_timestamp("ts").unwrap().time
    };
    for round in 0.. {
        fill(&set, "noise", round * 100..round * 100 + 100, 100 << 10, 7);
        if oldest() > last.secs {
            break;
        }
        assert!(round < 60, "the oplog keeps everything");
    }
    scene.agent = start_agent(&scene.backup.installation, &scene.set_up).unwrap().0;
    let text = scene.backup.await_event("COPY_ORDERED", 0);
    assert!(text.contains("no longer has the oplog"), "{text}");
    scene.backup.await_event("BACKUP_STARTED", 1);
    scene.take_in(&set);
    assert!(scene.backup.snapshots().iter().any(|it| it.at == last), "earlier snapshots stay");
    write(&set, 1000..1010);
    scene.end(&set);
}

#[test]
fn a_copy_goes_on_from_another_member_whose_record_ids_are_others() {
    let mut set = replica_set_of_three().unwrap();
    set.elect(0).unwrap();
    fill(&set, "large", 0..30_000, 2000, 1);
    let large = set.client().unwrap().database("app").collection::<Document>("large");
    large.delete_many(doc! {"_id": {"$mod": [3, 0]}}).run().unwrap();
    // The copy of another has no holes.
    wipe(&mut set, 2);
    set.await_all_members().unwrap();
    write(&set, 0..50);
    let (folder, installation, set_up, agent) = Scene::prepare(&set);
    let source = |member: usize| format!("127.0.0.1:{}", set.member(member).port());
    let sources = [source(1), source(2)];
    let backup = Backup::known(installation);
    backup.change(&serde_json::json!({"statusName": "STARTED", "syncSource": sources[0]}));
    wait_for("a part of the copy", PATIENCE, || Ok((stored(folder.path()) > 4 << 20).then_some(()))).unwrap();
    // It would be done before anybody could change his mind.
    set.pause(1).unwrap();
    backup.change(&serde_json::json!({"syncSource": sources[1]}));
    let log = folder.path().join("agent.log");
    wait_for("the agent to begin anew", PATIENCE, || {
        Ok(fs::read_to_string(&log)?.contains("another order").then_some(()))
    })
    .unwrap();
    set.resume(1);
    backup.await_status("STARTED");
    write(&set, 1000..1050);
    let scene = Scene { backup, agent, set_up, _folder: folder };
    scene.take_in(&set);
    assert_eq!(scene.backup.told("COPY_ORDERED"), Vec::<String>::new(), "what was begun is gone on with");
    scene.end(&set);
}

/// How many bytes the packs of an installation have.
fn stored(folder: &Path) -> u64 {
    let packs = fs::read_dir(folder.join("data/blocks/packs")).unwrap();
    packs.map(|it| it.unwrap().metadata().map_or(0, |it| it.len())).sum()
}
