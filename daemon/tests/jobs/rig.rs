//! Stores, clocks and a source, and what an agent, a front-end and a person would do with them.

use crate::source::{Held, Source, UUID};
use bson::Document;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tidemark_base::bson::Doc;
use tidemark_base::clock::ManualClock;
use tidemark_base::{BlockId, Clock, SeededEntropy, Timestamp, UnixMillis};
use tidemark_blockstore::{MemoryBackend, Store};
use tidemark_daemon::{Config, Daemon, Room};
use tidemark_head::fork::Fork;
use tidemark_head::head::{HeadName, look_up};
use tidemark_head::root::Root;
use tidemark_head::snapshot::{self, Snapshot};
use tidemark_head::state::State;
use tidemark_metadata::{
    BackupConfig, Copies, DaemonName, Event, GroupId, HostName, Job, JobKind, MemoryStore, Metadata, Ordered,
    ReplicaSetId, Seed, SetName, Sight, Status, Subject,
};
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::initial_sync::{BatchId, BatchWriter};
use tidemark_oplog::slice::{Link, SliceWriter};

pub(crate) const GROUP: GroupId = GroupId::from_bytes([0xa1; 12]);
pub(crate) const SET: ReplicaSetId = ReplicaSetId::from_bytes([0xc3; 12]);
/// A Monday, 00:00 UTC.
pub(crate) const START: UnixMillis = UnixMillis(1_795_392_000_000);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

pub(crate) struct Rig {
    pub(crate) backend: Arc<MemoryBackend>,
    pub(crate) store: Store,
    pub(crate) metadata: Metadata,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) source: Source,
    pub(crate) name: HeadName,
    /// How far the source's clock is ahead of ours when that goes wrong, in milliseconds.
    pub(crate) ahead_ms: i64,
    pub(crate) room: Room,
    /// The second at which the source believes to be, if that is not ours.
    pub(crate) written_at: Option<u32>,
}

impl Rig {
    /// A replica set whose backup was ordered.
    pub(crate) fn new() -> Self {
        let backend = Arc::new(MemoryBackend::new(&mut SeededEntropy::new(3)));
        let metadata = Metadata::new(Arc::new(MemoryStore::new()));
        let clock = Arc::new(ManualClock::at(START));
        let rig = Self {
            store: Store::new(backend.clone()),
            backend,
            source: Source::new(300, secs_of(START)),
            name: HeadName::new(&GROUP.to_string(), &SET.to_string()).unwrap(),
            ahead_ms: 0,
            room: Room::plenty(),
            written_at: None,
            metadata,
            clock,
        };
        rig.introduce(&rig.metadata);
        rig
    }

    /// Makes the set and its backup known.
    pub(crate) fn introduce(&self, metadata: &Metadata) {
        let seed = Seed { host: HostName::new("db1").unwrap(), port: 27017 };
        let name = SetName::new("rs0").unwrap();
        metadata.report_replica_set(GROUP, SET, &name, &[seed], START).unwrap();
        let mut backup = BackupConfig::new(GROUP, SET);
        backup.set_status(Status::Provisioning, Ordered::ByUser, START).unwrap();
        metadata.upsert::<BackupConfig>(&BackupConfig::id_of(GROUP, SET), |_| Ok(backup.clone())).unwrap();
    }

    /// A rig with a daemon that follows the source, and has taken the first snapshot.
    pub(crate) fn running() -> (Self, Daemon) {
        let mut rig = Self::new();
        rig.copy();
        let daemon = rig.daemon("d1");
        rig.wait("the first snapshot is proven", |rig| {
            rig.snapshots().iter().any(|(_, it)| it.proven.is_some())
        });
        (rig, daemon)
    }

    pub(crate) fn config(&self, name: &str) -> Config {
        let config = Config::new(DaemonName::new(name).unwrap());
        Config { poll: Duration::from_millis(2), room: self.room.clone(), ..config }
    }

    pub(crate) fn daemon(&self, name: &str) -> Daemon {
        self.daemon_on(name, self.metadata.clone(), self.store.clone())
    }

    pub(crate) fn daemon_on(&self, name: &str, metadata: Metadata, store: Store) -> Daemon {
        // Each start is another life.
        static STARTS: AtomicU64 = AtomicU64::new(0);
        let entropy = Box::new(SeededEntropy::new(STARTS.fetch_add(1, Ordering::Relaxed)));
        Daemon::start(self.config(name), metadata, store, self.clock.clone(), entropy).unwrap()
    }

    pub(crate) fn secs(&self) -> u32 {
        secs_of(self.clock.now())
    }

    /// What an agent and a front-end do to copy the source, which is written to meanwhile.
    pub(crate) fn copy(&mut self) {
        let copied = self.begin_copy();
        self.end_copy(copied);
    }

    /// The same, up to its last scan: what would be the next batch.
    pub(crate) fn begin_copy(&mut self) -> BatchId {
        let (syncs, slices) = (self.name.syncs(&self.store), self.name.slices(&self.store));
        let session = self.store.session(&[]).unwrap();
        let last = syncs.state().unwrap().map(|it| it.number);
        let begin = self.source.last;
        let sync = syncs.begin(&session, last, begin).unwrap().number;
        match slices.tip().unwrap() {
            None => slices.start(&session, Link::genesis(begin)).unwrap(),
            Some(tip) => slices.restart(&session, &tip, Link::genesis(begin)).unwrap(),
        };
        self.change_backup(|backup| backup.copies = Copies::From(sync));
        let (database, name) = ("app".to_owned(), "a".to_owned());
        let options = Doc::EMPTY.as_bytes().to_vec();
        let collection = Collection { database, name, options, indexes: Vec::new() };
        syncs.describe(&session, sync, UUID, &collection).unwrap();
        let mut next = BatchId { sync, collection: UUID, scan: 1, number: 0 };
        let count = self.source.held.len();
        for half in [0..count / 2, count / 2..count] {
            let mut writer = BatchWriter::new(next);
            // As a scan does, it sees what is there when it comes by.
            for document in self.source.documents().iter().skip(half.start).take(half.len() + 50) {
                writer.push(Doc::new(document).unwrap()).unwrap();
            }
            syncs.append(&session, &writer.finish().unwrap().bytes, None).unwrap();
            next = writer.next();
            self.write(20);
        }
        next
    }

    pub(crate) fn end_copy(&mut self, next: BatchId) {
        let (syncs, session) = (self.name.syncs(&self.store), self.store.session(&[]).unwrap());
        syncs.end_scan(&session, next).unwrap();
        self.write(1);
        syncs.end(&session, next.sync, self.source.last.ts).unwrap();
    }

    /// The source rolls back, and the front-end lets the chain go on from an earlier end.
    pub(crate) fn roll_back(&mut self, to: Timestamp) {
        let slices = self.name.slices(&self.store);
        let tip = slices.tip().unwrap().unwrap();
        let line = slices.line(&tip, None, tip.link.at.ts).unwrap();
        let end: Link = line.iter().map(|it| it.header.end()).find(|it| it.at.ts == to).unwrap();
        slices.restart(&self.store.session(&[]).unwrap(), &tip, end).unwrap();
        self.source.roll_back(to);
    }

    /// The source is written to, and that becomes a slice.
    pub(crate) fn write(&mut self, entries: usize) {
        let secs = self.written_at.unwrap_or(self.secs());
        let entries: Vec<_> = (0..entries).map(|_| self.source.write(secs)).collect();
        self.send(&entries);
    }

    pub(crate) fn no_op(&mut self) {
        let entry = self.source.no_op(self.secs());
        self.send(&[entry]);
    }

    pub(crate) fn misfit(&mut self) {
        let entry = self.source.misfit(self.secs());
        self.send(&[entry]);
    }

    pub(crate) fn last_part(&mut self) {
        let entry = self.source.last_part(self.secs());
        self.send(&[entry]);
    }

    fn send(&self, entries: &[Vec<u8>]) {
        let slices = self.name.slices(&self.store);
        let mut writer = SliceWriter::new(slices.tip().unwrap().unwrap().link);
        entries.iter().for_each(|entry| writer.push(Doc::new(entry).unwrap()).unwrap());
        slices.append(&self.store.session(&[]).unwrap(), &writer.finish().unwrap().bytes).unwrap();
    }

    /// An agent is heard of, and says what time it is at the source.
    pub(crate) fn hear(&self) {
        let at = self.clock.now();
        let source_clock = Some(UnixMillis(at.0.saturating_add_signed(self.ahead_ms)));
        let sight = Sight { at, source_clock, majority: None, oldest: None, problems: Vec::new() };
        self.metadata.note_sight(GROUP, SET, &sight).unwrap();
    }

    /// Time passes; the daemon looks meanwhile.
    pub(crate) fn pass(&self, time: Duration) {
        let step = Duration::from_secs(1800);
        let mut rest = time;
        while rest > Duration::ZERO {
            self.clock.advance(rest.min(step));
            rest = rest.saturating_sub(step);
            self.hear();
            std::thread::sleep(Duration::from_millis(12));
        }
    }

    /// Waits until something is so; in vain for half a minute at most.
    pub(crate) fn wait(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..3000 {
            if is_so(self) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("in vain: {what}; events: {:#?}; jobs: {:#?}", self.events(), self.jobs());
    }

    /// The same, while time passes.
    pub(crate) fn wait_while_time_passes(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..1000 {
            if is_so(self) {
                return;
            }
            self.pass(Duration::from_secs(60));
        }
        panic!("in vain: {what}; events: {:#?}; jobs: {:#?}", self.events(), self.jobs());
    }

    /// Waits until all that was sent is in the head's root.
    pub(crate) fn settle(&self) {
        self.wait_while_time_passes("the head stands at the end of the oplog", |rig| {
            let root = look_up(&rig.store, &rig.name).ok().map(|it| it.root);
            root.is_some_and(|root| Root::read(&rig.store, root).unwrap().at == rig.source.last)
        });
    }

    pub(crate) fn backup(&self) -> BackupConfig {
        self.metadata.get::<BackupConfig>(&BackupConfig::id_of(GROUP, SET)).unwrap().record
    }

    pub(crate) fn change_backup(&self, change: impl Fn(&mut BackupConfig)) {
        let id = BackupConfig::id_of(GROUP, SET);
        self.metadata
            .change::<BackupConfig, _>(&id, |it| {
                change(it);
                Ok(())
            })
            .unwrap();
    }

    pub(crate) fn order(&self, status: Status) {
        let now = self.clock.now();
        self.change_backup(|it| it.set_status(status, Ordered::ByUser, now).unwrap());
    }

    pub(crate) fn queue(&self, kind: JobKind) {
        let subject = Subject::new(SET.to_string()).unwrap();
        self.metadata.queue_job(Some(GROUP), kind, &subject, self.clock.now()).unwrap();
    }

    pub(crate) fn job(&self, kind: JobKind) -> Option<Job> {
        let id = Job::id_of(Some(GROUP), kind, &Subject::new(SET.to_string()).unwrap());
        self.metadata.find::<Job>(&id).unwrap().map(|it| it.record)
    }

    fn jobs(&self) -> Vec<Job> {
        self.metadata
            .all::<Job>(tidemark_metadata::By::IdPrefix(""))
            .unwrap()
            .into_iter()
            .map(|it| it.record)
            .collect()
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.metadata.events(Some(GROUP), None, 1000).unwrap()
    }

    pub(crate) fn has_event(&self, code: &str) -> bool {
        self.events().iter().any(|it| it.what.code.as_str() == code)
    }

    pub(crate) fn snapshots(&self) -> Vec<(u64, Snapshot)> {
        snapshot::list(&self.store, &self.name).unwrap()
    }

    /// What a root holds.
    pub(crate) fn held(&self, root: BlockId) -> Held {
        held(&State::open(&self.store, root).unwrap(), &self.store)
    }

    pub(crate) fn head_held(&self) -> Held {
        self.held(look_up(&self.store, &self.name).unwrap().root)
    }

    pub(crate) fn held_at(&self, until: Timestamp) -> Result<Held, tidemark_head::HeadError> {
        let fork = Fork::at(&self.store, &self.name, until)?;
        Ok(held(fork.state(), fork.session()))
    }

    /// Every snapshot of the living branch holds what the source held there.
    pub(crate) fn assert_snapshots(&self) {
        for (id, taken) in self.snapshots().into_iter().filter(|(_, it)| !it.is_dead_branch) {
            assert_eq!(self.held(taken.root), self.source.past[&taken.at.ts], "snapshot {id}");
            assert_eq!(taken.known_divergences(), 0, "snapshot {id}");
        }
    }
}

pub(crate) fn secs_of(at: UnixMillis) -> u32 {
    u32::try_from(at.0 / 1000).unwrap()
}

pub(crate) fn held(state: &State, source: &dyn tidemark_head::run::Source) -> Held {
    let mut found = Held::new();
    state
        .for_each(source, UUID, &mut |document| {
            let document = Document::from_reader(document).unwrap();
            found.insert(document.get_i32("_id").unwrap(), document.get_i32("x").unwrap());
            Ok(())
        })
        .unwrap();
    found
}
