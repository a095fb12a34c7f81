//! A replica set of three with auth and TLS under a random load, while its primary changes, and agents, front-end and daemon
//! are killed: no gap, one copy, every snapshot and the last second are what the source had.
//!
//! The load never stops. A snapshot's moment is the service's choice, so what the source held then is asked afterwards, of
//! the source itself, which can read some minutes back as long as its catalog stays as it was: for so long only documents
//! change.

use crate::backup::{Backup, PATIENCE, Snapshot};
use crate::state::State;
use mongodb::sync::Client;
use serde_json::json;
use std::time::Duration;
use tidemark_base::{Clock, SystemClock};
use tidemark_testkit::live::{Credentials, Options, ReplicaSet, TlsMode, create_user};
use tidemark_testkit::rounds_asked_for;
use tidemark_testkit::service::{AgentSetUp, Installation, Part, Process, programs, start_agent, wait_for};
use tidemark_testkit::workload::{Stage, Workers};

const DATABASES: [&str; 2] = ["load", "more"];
const WORKERS: u64 = 3;
/// After each step: for two cores, which three servers and the service share with it.
const REST: Duration = Duration::from_millis(10);
const STEPS_BEFORE: usize = 100;
/// So many rounds of this length are part of every test run; a long run has as many minutes as rounds.
const ROUNDS: u32 = 5;
const ROUND: Duration = Duration::from_secs(6);
const LONG_ROUND: Duration = Duration::from_secs(60);
/// A transaction that nobody ends after an election stays prepared for ever.
const LEFT_OUT: &[&str] = &["prepared transaction"];
/// What must not have happened.
const NEVER: [&str; 8] = [
    "COPY_ORDERED",
    "RESYNC_REQUIRED",
    "OPLOG_FORKED",
    "ROLLED_BACK",
    "HEAD_DIVERGED",
    "SNAPSHOT_DIVERGED",
    "RESTORE_DIVERGED",
    "STORE_DAMAGED",
];

/// Two agents of one set.
struct Agents {
    set_ups: [AgentSetUp; 2],
    running: [Process; 2],
}

impl Agents {
    fn start(installation: &Installation, set_up: &AgentSetUp) -> Self {
        let named = |name: &str| AgentSetUp { name: name.to_owned(), ..set_up.clone() };
        let set_ups = ["first", "second"].map(named);
        let running = set_ups.each_ref().map(|it| start_agent(installation, it).unwrap().0);
        Self { set_ups, running }
    }

    /// Kills the one that works; which.
    fn kill_active(&mut self, backup: &Backup) -> usize {
        let name = wait_for("an active agent", PATIENCE, || Ok(backup.active_agent())).unwrap();
        let index = self.set_ups.iter().position(|it| it.name == name).unwrap();
        self.running[index].kill();
        index
    }

    fn start_again(&mut self, backup: &Backup, index: usize) {
        // What it checks first may be in the middle of an election.
        let started = wait_for("an agent to find nothing wrong", PATIENCE, || {
            Ok(start_agent(&backup.installation, &self.set_ups[index]).ok())
        });
        self.running[index] = started.unwrap().0;
    }
}

fn source() -> (Stage, AgentSetUp) {
    let options = Options { auth: true, tls: Some(TlsMode::ClientCertificateOptional), ..Stage::options() };
    let set = ReplicaSet::start(3, &options).unwrap();
    let user = Credentials { user: "tidemark".to_owned(), password: "for the backup only".to_owned() };
    let client = set.client().unwrap();
    // As the agent's check says.
    let views = bson::doc! {"resource": {"db": "", "collection": "system.views"}, "actions": ["find"]};
    let role = bson::doc! {"createRole": "tidemarkViews", "roles": [], "privileges": [views]};
    client.database("admin").run_command(role).run().unwrap();
    create_user(&client, &user, &["backup", "clusterMonitor", "tidemarkViews"]).unwrap();
    let set_up = AgentSetUp {
        name: String::new(),
        replica_set: set.host(),
        lines: vec![
            format!("tlsCAFile = {}", set.access().tls.as_ref().unwrap().authority.display()),
            format!("username = {}", user.user),
            format!("password = {}", user.password),
            "authSource = admin".to_owned(),
        ],
    };
    (Stage::on(set, LEFT_OUT), set_up)
}

/// What is under load.
struct Scene {
    stage: Stage,
    client: Client,
    workers: Workers,
    databases: [String; 2],
    agents: Agents,
    backup: Backup,
    clock: SystemClock,
}

impl Scene {
    fn start(folder: &std::path::Path) -> Self {
        let (stage, set_up) = source();
        let databases = DATABASES.map(ToOwned::to_owned);
        let mut world = stage.world(0, &databases);
        (0..STEPS_BEFORE).for_each(|_| world.step());
        let workers = Workers::start(&stage, 1, &databases, WORKERS, REST);
        let installation = Installation::start_apart(&programs().unwrap(), folder).unwrap();
        let agents = Agents::start(&installation, &set_up);
        let backup = Backup::start(installation);
        let client = stage.set().client().unwrap();
        Self { stage, client, workers, databases, agents, backup, clock: SystemClock::new() }
    }

    /// The load goes on for so long.
    fn pass(&self, time: Duration) {
        let until = self.clock.monotonic() + time;
        while self.clock.monotonic() < until {
            self.workers.wait_for(&self.stage, 5);
        }
    }

    fn elect_another(&self) {
        let set = self.stage.set();
        set.elect((set.primary().unwrap() + 1) % 3).unwrap();
    }

    /// A snapshot, and what the source held at its moment.
    fn snapshot(&self) -> (Snapshot, State) {
        let calm = self.stage.calm(&self.databases);
        let snapshot = self.backup.snapshot_since(self.stage.note().ts);
        let held = State::at(&self.client, snapshot.at);
        drop(calm);
        (snapshot, held)
    }

    /// Everything is killed once; the agent may stay dead until the other one has taken over.
    fn round(&mut self, length: Duration, is_handed_over: bool) {
        let part = length / 4;
        self.backup.installation.kill_and_start(Part::Frontend).unwrap();
        self.pass(part);
        self.backup.installation.kill_and_start(Part::Daemon).unwrap();
        self.pass(part);
        let killed = self.agents.kill_active(&self.backup);
        self.pass(part);
        if is_handed_over {
            let other = self.agents.set_ups[1 - killed].name.clone();
            wait_for("the other agent to take over", PATIENCE, || {
                Ok((self.backup.active_agent().as_ref() == Some(&other)).then_some(()))
            })
            .unwrap();
        }
        self.agents.start_again(&self.backup, killed);
        self.pass(part);
    }
}

#[test]
fn under_load_and_kills_every_snapshot_and_the_last_second_are_what_the_source_had() {
    let folder = tempfile::tempdir().unwrap();
    let mut scene = Scene::start(folder.path());
    let (rounds, length) = rounds_asked_for().map_or((ROUNDS, ROUND), |rounds| (rounds, LONG_ROUND));
    let mut taken = Vec::new();
    for round in 0..rounds {
        if round % 2 == 1 {
            scene.elect_another();
        }
        scene.round(length, round == rounds / 2);
        taken.push(scene.snapshot());
    }
    let Scene { stage, client, workers, agents, mut backup, .. } = scene;
    workers.finish();
    let last = stage.set().wait_majority_committed().unwrap().ts;
    let held = State::now(&client).with_users(&client, &["root"]);
    // The whole second of the last write, and nothing of the next.
    std::thread::sleep(Duration::from_millis(1100));
    client
        .database(DATABASES[0])
        .collection::<bson::Document>("later")
        .insert_one(bson::doc! {"_id": "later"})
        .run()
        .unwrap();
    assert_ne!(
        State::now(&client).with_users(&client, &["root"]),
        held,
        "the comparison tells what came later"
    );

    let wish = json!({"timestamp": {"date": crate::backup::moment(last)["date"], "increment": u32::MAX}, "usersAndRoles": true});
    let restored = backup.restored_and(&wish, |target| State::now(target).with_users(target, &["root"]));
    held.assert_same(&restored, "the last second before the writes ended");
    for (number, (snapshot, held)) in taken.iter().enumerate() {
        held.assert_same(
            &backup.restored(&snapshot.wish()),
            &format!("snapshot {number}, of {}", snapshot.at),
        );
    }
    backup.await_proofs();
    for kind in NEVER {
        assert_eq!(backup.told(kind), Vec::<String>::new(), "{kind}");
    }
    assert_eq!(backup.told("BACKUP_STARTED").len(), 1, "one copy");
    backup.installation.check().unwrap();
    for mut agent in agents.running {
        agent.check().unwrap();
        agent.stop(Duration::from_secs(30)).unwrap();
    }
    backup.installation.stop().unwrap();
    let counts = stage.counts();
    for (kind, (accepted, refused)) in &counts {
        println!("{kind:28} {accepted:6} accepted, {refused:6} refused");
    }
}
