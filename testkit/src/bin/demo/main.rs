//! The demo: a real replica set, backed up by a real installation while it is written to, and restored twice.
//!
//! `cargo xtask demo` builds the programs and starts this with their folder; with `--once` it ends when all is shown,
//! else it leaves the page up until Ctrl-C. What is restored is held against the source by the servers' own `dbHash`.

#![expect(clippy::print_stdout, reason = "a program that shows something")]

mod shop;

use serde_json::{Value, json};
use shop::{Hashes, Writer, fill, hashes};
use std::path::Path;
use std::time::{Duration, Instant};
use tidemark_testkit::live::tools::Target;
use tidemark_testkit::live::{replica_set_of_three, standalone};
use tidemark_testkit::service::{AgentSetUp, Installation, Result, restore_into, start_agent, wait_for};

/// How long any one thing may take.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [programs, rest @ ..] = words.as_slice() else {
        return Err("started by `cargo xtask demo`, with the folder of the programs".into());
    };
    run(Path::new(programs), rest.iter().any(|it| it == "--once"))
}

/// Says what happens, and when.
struct Told {
    begun: Instant,
}

impl Told {
    fn say(&self, text: &str) {
        println!("[{:6.1} s] {text}", self.begun.elapsed().as_secs_f64());
    }
}

#[expect(clippy::disallowed_methods, reason = "shows how long things take")]
fn run(programs: &Path, once: bool) -> Result<()> {
    let told = Told { begun: Instant::now() };
    let folder = tempfile::tempdir()?;
    told.say("starting a replica set of three");
    let source = replica_set_of_three()?;
    let client = source.client()?;
    let documents = fill(&client)?;
    told.say(&format!("{} holds {documents} documents in two databases", source.host()));

    let mut installation = Installation::start(programs, folder.path())?;
    let (owner, password) = Installation::owner();
    told.say(&format!(
        "tidemark serves {} (log in as {owner}, password '{password}')",
        installation.api.url()
    ));
    let set_up = AgentSetUp { name: "demo-agent".to_owned(), replica_set: source.host(), lines: Vec::new() };
    let (mut agent, checked) = start_agent(&installation, &set_up)?;
    checked.lines().for_each(|line| told.say(&format!("agent check: {line}")));

    let set = known_set(&installation)?;
    installation.api.patch(&config_of(&installation, &set), &json!({"statusName": "STARTED"}))?;
    told.say("the backup is started: the first copy is made");
    let before = hashes(&client)?;
    let snapshot = first_snapshot(&mut installation, &set)?;
    told.say(&format!("the first snapshot is taken and proven: {}", shown(&snapshot)));

    let writer = Writer::start(&client)?;
    std::thread::sleep(Duration::from_secs(4));
    let (second, then) = writer.still(&client)?;
    std::thread::sleep(Duration::from_secs(3));
    told.say(&format!("writes go on; at second {second} there were {} written", writer.written()));

    let id = snapshot.get("id").and_then(Value::as_str).ok_or("a snapshot without an id")?;
    compare(&told, &installation, &set, "the snapshot", &json!({"snapshotId": id}), &before)?;
    let date = at(second)?;
    compare(&told, &installation, &set, &format!("second {date}"), &json!({"timestamp": date}), &then)?;
    told.say(&format!("{} writes while all of this went on", writer.stop()?));
    agent.check()?;
    installation.check()?;
    if !once {
        told.say(&format!(
            "look at {} (its certificate is of a CA of its own); Ctrl-C ends it all",
            installation.api.url()
        ));
        loop {
            std::thread::sleep(Duration::from_secs(1));
            agent.check()?;
            installation.check()?;
        }
    }
    agent.stop(Duration::from_secs(30))?;
    installation.stop()?;
    told.say("all of it ended in good order");
    Ok(())
}

/// The id of the replica set, once the agent has told of it.
fn known_set(installation: &Installation) -> Result<String> {
    let path = format!("/groups/{}/clusters", installation.group);
    wait_for("the agent to tell of the replica set", PATIENCE, || {
        let sets = installation.api.get(&path)?;
        Ok(sets.pointer("/results/0/id").and_then(Value::as_str).map(ToOwned::to_owned))
    })
}

fn config_of(installation: &Installation, set: &str) -> String {
    format!("/groups/{}/backupConfigs/{set}", installation.group)
}

fn first_snapshot(installation: &mut Installation, set: &str) -> Result<Value> {
    let path = format!("/groups/{}/clusters/{set}/snapshots", installation.group);
    wait_for("the first snapshot to be proven", PATIENCE, || {
        installation.check()?;
        let found = installation.api.get(&path)?;
        let first = found.pointer("/results/0").cloned();
        Ok(first.filter(|it| it.get("stateName").and_then(Value::as_str) == Some("PROVEN")))
    })
}

fn shown(snapshot: &Value) -> String {
    let part =
        |name: &str| snapshot.pointer(&format!("/parts/0/{name}")).and_then(Value::as_u64).unwrap_or(0);
    format!("{} documents, {} KB of them", part("documents"), part("dataSizeBytes") / 1000)
}

/// Restores into a server of its own, and holds it against what the source had.
#[expect(clippy::disallowed_methods, reason = "shows how long things take")]
fn compare(
    told: &Told,
    installation: &Installation,
    set: &str,
    what: &str,
    wish: &Value,
    expected: &Hashes,
) -> Result<()> {
    let (begun, target) = (Instant::now(), standalone()?);
    let bytes = restore_into(installation, set, wish, &Target::from(&target))?;
    let found = hashes(&target.client()?)?;
    if found != *expected {
        return Err(format!("{what}: the restored server has other data: {found:?} for {expected:?}").into());
    }
    let took = begun.elapsed().as_secs_f64();
    told.say(&format!(
        "{what}: {} KB by HTTPS into mongorestore in {took:.1} s; dbHash is equal",
        bytes / 1000
    ));
    Ok(())
}

/// A second as the API takes it.
fn at(second: u32) -> Result<String> {
    let date = mongodb::bson::DateTime::from_millis(i64::from(second) * 1000);
    Ok(date.try_to_rfc3339_string()?)
}
