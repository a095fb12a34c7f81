//! The whole service, as its programs: a replica set of three with auth and TLS is backed up while it is written to, its
//! primary changes, and server and agents are killed; what is restored is what was there.
//!
//! Server and agents run as an operator starts them. Equality is by the servers' own `dbHash`. The long form, with more
//! kills, is `cargo xtask long service`.

#![expect(clippy::unwrap_used, reason = "a test")]

use mongodb::bson::{Document, doc};
use mongodb::sync::Client;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tidemark_testkit::live::dbhash::db_hash;
use tidemark_testkit::live::tools::Target;
use tidemark_testkit::live::{Access, Credentials, Options, ReplicaSet, TlsMode, create_user, standalone};
use tidemark_testkit::rounds;
use tidemark_testkit::service::{
    AgentSetUp, Installation, Process, programs, restore_into, start_agent, wait_for,
};

const PATIENCE: Duration = Duration::from_secs(180);

/// Somebody who writes all the while, and goes on through elections.
struct Writer {
    is_over: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Writer {
    fn start(client: &Client) -> Self {
        let (is_over, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (over, count, client) = (Arc::clone(&is_over), Arc::clone(&written), client.clone());
        let thread = tidemark_base::threads::spawn("writer", move || {
            let orders = client.database("shop").collection::<Document>("orders");
            let mut n = 0;
            while !over.load(Ordering::SeqCst) {
                n += 1;
                // An election makes some of them fail; what is there in the end is what counts.
                let _ =
                    orders.insert_one(doc! {"_id": n, "lines": [n, n * 7], "text": "x".repeat(200)}).run();
                let _ = orders.update_one(doc! {"_id": n / 2}, doc! {"$push": {"lines": n}}).run();
                if n % 5 == 0 {
                    let _ = orders.delete_one(doc! {"_id": n / 3}).run();
                }
                if n % 50 == 0 {
                    let name = format!("c{}", n % 4);
                    let other = client.database("more").collection::<Document>(&name);
                    let _ = if n % 200 == 0 { other.drop().run() } else { Ok(()) };
                    let _ = other.insert_many((0..20).map(|it| doc! {"_id": n * 100 + it})).run();
                }
                count.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(3));
            }
        });
        Self { is_over, written, thread: thread.unwrap() }
    }

    fn go_on_for(&self, rounds: u64) {
        let until = self.written.load(Ordering::SeqCst) + rounds;
        wait_for("writes to go on", PATIENCE, || {
            Ok((self.written.load(Ordering::SeqCst) >= until).then_some(()))
        })
        .unwrap();
    }

    fn stop(self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.thread.join().unwrap();
    }
}

fn hashes(client: &Client) -> BTreeMap<&'static str, BTreeMap<String, String>> {
    ["shop", "more"].into_iter().map(|name| (name, db_hash(client, name).unwrap())).collect()
}

fn source() -> (ReplicaSet, Client, AgentSetUp) {
    let options = Options { auth: true, tls: Some(TlsMode::ClientCertificateOptional), ..Options::default() };
    let source = ReplicaSet::start(3, &options).unwrap();
    let client = source.client().unwrap();
    let user = Credentials { user: "tidemark".to_owned(), password: "for the backup only".to_owned() };
    create_user(&client, &user, &["backup", "clusterMonitor"]).unwrap();
    let ca = ca_file(source.access());
    let set_up = AgentSetUp {
        name: "first".to_owned(),
        replica_set: source.host(),
        lines: vec![
            format!("tlsCAFile = {ca}"),
            format!("username = {}", user.user),
            format!("password = {}", user.password),
            "authSource = admin".to_owned(),
        ],
    };
    (source, client, set_up)
}

fn ca_file(access: &Access) -> String {
    access.tls.as_ref().unwrap().authority.display().to_string()
}

fn known_set(installation: &Installation) -> String {
    let path = format!("/groups/{}/clusters", installation.group);
    let id = wait_for("the replica set to be known", PATIENCE, || {
        let sets = installation.api.get(&path)?;
        Ok(sets.pointer("/results/0/id").and_then(Value::as_str).map(ToOwned::to_owned))
    });
    id.unwrap()
}

fn snapshots(installation: &Installation, set: &str) -> Vec<Value> {
    let path = format!("/groups/{}/clusters/{set}/snapshots", installation.group);
    let found = installation.api.get(&path).unwrap();
    found.get("results").and_then(Value::as_array).cloned().unwrap_or_default()
}

#[test]
fn what_is_restored_is_what_was_there_through_kills_and_an_election() {
    let folder = tempfile::tempdir().unwrap();
    let (source, client, set_up) = source();
    let writer = Writer::start(&client);
    let mut installation = Installation::start(&programs().unwrap(), folder.path()).unwrap();
    let (mut first, _) = start_agent(&installation, &set_up).unwrap();
    let second = AgentSetUp { name: "second".to_owned(), ..set_up.clone() };
    let (standby, _) = start_agent(&installation, &second).unwrap();
    let set = known_set(&installation);
    let config = format!("/groups/{}/backupConfigs/{set}", installation.group);
    installation.api.patch(&config, &json!({"statusName": "STARTED"})).unwrap();
    writer.go_on_for(200);

    for _ in 0..rounds(1) {
        installation.kill_and_start().unwrap();
        writer.go_on_for(100);
        // The other one takes over where this one was killed.
        first.kill();
        let primary = source.primary().unwrap();
        source.elect((primary + 1) % 3).unwrap();
        writer.go_on_for(100);
        first = start_agent(&installation, &set_up).unwrap().0;
    }
    wait_for("a snapshot", PATIENCE, || Ok((!snapshots(&installation, &set).is_empty()).then_some(())))
        .unwrap();
    writer.stop();
    let (at, then) = (last_second(&source), hashes(&client));
    client.database("shop").collection::<Document>("orders").insert_one(doc! {"_id": "later"}).run().unwrap();
    assert_ne!(hashes(&client), then, "the comparison tells what came later");

    let wish = json!({"timestamp": {"date": date(at), "increment": u32::MAX}});
    let restored = restore_when_there(&installation, &set, &wish);
    assert_eq!(restored, then, "the last second before the writes ended");
    let snapshot = snapshots(&installation, &set).remove(0);
    let id = snapshot.get("id").and_then(Value::as_str).unwrap();
    let of_snapshot = restore_when_there(&installation, &set, &json!({"snapshotId": id}));
    assert!(of_snapshot["shop"].contains_key("orders"), "{of_snapshot:?}");
    stop([first, standby], installation);
}

/// The second of the last write; what comes next has a later one.
fn last_second(source: &ReplicaSet) -> u32 {
    let at = source.wait_majority_committed().unwrap();
    std::thread::sleep(Duration::from_millis(1100));
    at.ts.secs
}

fn date(second: u32) -> String {
    mongodb::bson::DateTime::from_millis(i64::from(second) * 1000).try_to_rfc3339_string().unwrap()
}

/// Restores into a server of its own; what is not there yet comes with the oplog.
fn restore_when_there(
    installation: &Installation,
    set: &str,
    wish: &Value,
) -> BTreeMap<&'static str, BTreeMap<String, String>> {
    let target = standalone().unwrap();
    let mut refused = String::new();
    let restored = wait_for("a restore", PATIENCE, || {
        match restore_into(installation, set, wish, &Target::from(&target)) {
            Ok(_) => Ok(Some(())),
            Err(error) => {
                refused = error.to_string();
                Ok(None)
            }
        }
    });
    restored.unwrap_or_else(|error| panic!("{error}: {refused}"));
    hashes(&target.client().unwrap())
}

fn stop(agents: [Process; 2], installation: Installation) {
    for mut agent in agents {
        agent.check().unwrap();
        agent.stop(Duration::from_secs(30)).unwrap();
    }
    installation.stop().unwrap();
}
