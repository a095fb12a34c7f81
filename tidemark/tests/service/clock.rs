//! A service whose clock jumps an hour back and forth: nothing expires that should not, the oplog goes on, and all of the
//! past is there.
//!
//! No other process can be given a clock of its own, so front-end and daemon are put together in this one, as the program
//! does it; the agent is the program, and what is restored comes from `tidemark export`, for the day when only the store is
//! left.

use crate::backup::PATIENCE;
use crate::state::State;
use crate::writer::Writer;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tidemark_base::{Clock, OsEntropy, SystemClock, Timestamp, UnixMillis};
use tidemark_blockstore::{LocalBackend, Store};
use tidemark_daemon::{Config, Daemon};
use tidemark_frontend::ingest::{self, Ingest, Limits};
use tidemark_frontend::metrics::Metrics;
use tidemark_frontend::serve::{Listener, Security, Serving, serve};
use tidemark_frontend::site::{Parts, Site};
use tidemark_head::head::HeadName;
use tidemark_head::snapshot;
use tidemark_metadata::{
    BackupConfig, By, DaemonName, GroupId, Job, JobKind, Metadata, Name, Ordered, ReplicaSet, SealingKey,
    SqliteStore, Status, Subject, UserId,
};
use tidemark_testkit::live::tools::{Target, command};
use tidemark_testkit::live::{ReplicaSet as Source, replica_set_of_one, standalone};
use tidemark_testkit::parts::Part;
use tidemark_testkit::service::{Process, programs, wait_for};
use tokio::runtime::Runtime;

const HOUR_MS: i64 = 3_600_000;

/// The machine's clock, set wrong by an administrator.
struct JumpingClock {
    true_one: SystemClock,
    ahead_ms: AtomicI64,
}

impl Clock for JumpingClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.true_one.now().0.saturating_add_signed(self.ahead_ms.load(Ordering::SeqCst)))
    }

    fn monotonic(&self) -> Duration {
        self.true_one.monotonic()
    }
}

/// Front-end and daemon, on the stores that the program has.
struct Service {
    clock: Arc<JumpingClock>,
    metadata: Metadata,
    store: Store,
    group: GroupId,
    _daemon: Daemon,
    serving: Serving,
    _runtime: Runtime,
    folder: TempDir,
}

impl Service {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(JumpingClock { true_one: SystemClock::new(), ahead_ms: AtomicI64::new(0) });
        let metadata =
            Metadata::new(Arc::new(SqliteStore::open(&folder.path().join("metadata.sqlite")).unwrap()));
        let blocks = folder.path().join("blocks");
        let store = Store::new(Arc::new(LocalBackend::create(&blocks).unwrap()));
        let group = metadata.create_group(Name::new("g").unwrap(), clock.now(), &mut OsEntropy).unwrap().id;
        let config = Config::new(DaemonName::new("d").unwrap());
        let daemon =
            Daemon::start(config, metadata.clone(), store.clone(), clock.clone(), Box::new(OsEntropy))
                .unwrap();
        let runtime = Runtime::new().unwrap();
        let site = Site::new(Parts {
            metadata: metadata.clone(),
            store: store.clone(),
            sealing: SealingKey::from_bytes(&[7; 32]),
            clock: clock.clone(),
            entropy: Mutex::new(Box::new(OsEntropy)),
            public_url: String::new(),
        });
        let router = ingest::router(Ingest::new(site, Metrics::new(), None, Limits::default()));
        let security = Security::Plain { behind_proxy: false };
        let entered = runtime.enter();
        let serving = serve(Listener { address: "127.0.0.1:0".parse().unwrap(), security }, router).unwrap();
        drop(entered);
        Self { clock, metadata, store, group, _daemon: daemon, serving, _runtime: runtime, folder }
    }

    fn start_agent(&self, source: &Source) -> Process {
        let (name, user) = (Name::new("k").unwrap(), UserId::from_bytes([1; 12]));
        let key = self.metadata.create_agent_key(self.group, name, user, self.clock.now(), &mut OsEntropy);
        let lines = [
            "agent = agent".to_owned(),
            format!("mmsGroupId = {}", self.group),
            format!("mmsApiKey = {}", key.unwrap().reveal()),
            format!("mothership = http://{}", self.serving.address()),
            format!("replicaSets = {}", source.host()),
        ];
        let file = self.folder.path().join("agent.conf");
        fs::write(&file, lines.join("\n") + "\n").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let mut agent = Command::new(programs().unwrap().join("tidemark-agent"));
        Process::start(agent.arg("--config").arg(&file), &self.folder.path().join("agent.log")).unwrap()
    }

    fn set(&self) -> ReplicaSet {
        wait_for("the replica set to be known", PATIENCE, || {
            let found = self.metadata.all::<ReplicaSet>(By::IdPrefix(""))?;
            Ok(found.into_iter().next().map(|it| it.record))
        })
        .unwrap()
    }

    /// Starts the backup, with a window as short as can be: an hour, after which oplog goes.
    fn order_copy(&self, set: &ReplicaSet) {
        let (id, now) = (BackupConfig::id_of(set.group, set.id), self.clock.now());
        self.metadata
            .change::<BackupConfig, _>(&id, |it| {
                it.pitr_window_hours = 1;
                it.retention.base_days = 1;
                it.set_status(Status::Provisioning, Ordered::ByUser, now)
            })
            .unwrap();
    }

    fn name(set: &ReplicaSet) -> HeadName {
        HeadName::new(&set.group.to_string(), &set.id.to_string()).unwrap()
    }

    fn queue(&self, set: &ReplicaSet, kind: JobKind) {
        let subject = Subject::new(set.id.to_string()).unwrap();
        self.metadata.queue_job(Some(set.group), kind, &subject, self.clock.now()).unwrap();
    }

    fn snapshots(&self, set: &ReplicaSet) -> Vec<(u64, Timestamp)> {
        let found = snapshot::list(&self.store, &Self::name(set)).unwrap();
        found.into_iter().map(|(id, it)| (id, it.at.ts)).collect()
    }

    fn snapshot_since(&self, set: &ReplicaSet, at: Timestamp) {
        wait_for(&format!("a snapshot since {at}"), PATIENCE, || {
            let is_there = self.snapshots(set).iter().any(|(_, it)| *it >= at);
            if !is_there {
                self.queue(set, JobKind::Snapshot);
            }
            Ok(is_there.then_some(()))
        })
        .unwrap_or_else(|error| panic!("{error}; {:#?}", self.events()));
    }

    /// Lets the daemon look once more what may expire.
    fn expire(&self, set: &ReplicaSet) {
        let id = Job::id_of(Some(set.group), JobKind::Expire, &Subject::new(set.id.to_string()).unwrap());
        let is_done = || {
            wait_for("what may expire to be looked for", PATIENCE, || {
                let job = self.metadata.find::<Job>(&id)?;
                Ok(job.is_some_and(|it| !it.record.is_open()).then_some(()))
            })
        };
        is_done().unwrap();
        self.queue(set, JobKind::Expire);
        is_done().unwrap();
    }

    fn events(&self) -> Vec<(String, String)> {
        let found = self.metadata.events(Some(self.group), None, 500).unwrap();
        found.into_iter().map(|it| (it.what.code.as_str().to_owned(), it.what.text.to_string())).collect()
    }

    fn has_event(&self, kind: &str) -> bool {
        self.events().iter().any(|(it, _)| it == kind)
    }

    /// What is restored of a moment.
    fn restored(&self, set: &ReplicaSet, at: Timestamp) -> State {
        let target = standalone().unwrap();
        let store = format!("--store={}", self.folder.path().join("blocks").display());
        let head = format!("--name={}/{}", set.group, set.id);
        let time = format!("--time={},{}", at.secs, at.ordinal);
        let archive = self.folder.path().join("archive");
        run(Command::new(programs().unwrap().join("tidemark")).args([
            "export",
            &store,
            &head,
            &time,
            "--archive",
            path(&archive),
        ]));
        let archive = format!("--archive={}", path(&archive));
        run(&mut command(Part::Mongorestore, &Target::from(&target), &[&archive]).unwrap());
        fs::remove_file(self.folder.path().join("archive")).unwrap();
        State::now(&target.client().unwrap())
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_clock_that_jumps_an_hour_back_and_forth_costs_nothing() {
    let source = replica_set_of_one().unwrap();
    let service = Service::start();
    let mut agent = service.start_agent(&source);
    let set = service.set();
    service.order_copy(&set);
    let writer = Writer::start(&source);
    service.snapshot_since(&set, source.wait_majority_committed().unwrap().ts);
    writer.go_on_for(20);
    writer.stop();
    let early = (source.wait_majority_committed().unwrap().ts, State::now(&source.client().unwrap()));
    service.snapshot_since(&set, early.0);

    let writer = Writer::start(&source);
    let mut seen = Vec::new();
    for hours in [1, -1, -1, 1, 1] {
        seen.extend(service.snapshots(&set));
        service.clock.ahead_ms.fetch_add(hours * HOUR_MS, Ordering::SeqCst);
        service.expire(&set);
        writer.go_on_for(20);
        service.snapshot_since(&set, source.wait_majority_committed().unwrap().ts);
        service.expire(&set);
    }
    writer.stop();
    agent.check().unwrap();
    let last = (source.wait_majority_committed().unwrap().ts, State::now(&source.client().unwrap()));
    service.snapshot_since(&set, last.0);
    assert!(service.has_event("EXPIRY_PAUSED"), "{:#?}", service.events());
    for kind in ["COPY_ORDERED", "RESYNC_REQUIRED", "OPLOG_FORKED", "ROLLED_BACK"] {
        assert!(!service.has_event(kind), "{kind}: {:#?}", service.events());
    }
    let left = service.snapshots(&set);
    assert!(seen.iter().all(|it| left.contains(it)), "{seen:?} {left:?}");
    for (at, held) in [early, last] {
        held.assert_same(&service.restored(&set, at), &at.to_string());
    }
}
