//! One record or more of each kind, with every field and every variant filled.

use std::sync::Arc;
use tidemark_base::{ErrorKind, OpTime, SeededEntropy, Timestamp, UnixMillis};
use tidemark_metadata::rules::lease::Lease;
use tidemark_metadata::rules::retention::Retention;
use tidemark_metadata::rules::roles::{Role, Roles};
use tidemark_metadata::rules::schedule::Schedule;
use tidemark_metadata::{
    Agent, AgentKey, ApiKey, BackupConfig, Batch, Code, Collection, Copies, Daemon, DaemonName,
    DeletedSnapshot, Event, EventLog, Group, GroupId, GroupName, Happening, Host, HostName, Invitation, Job,
    JobKind, JobState, Login, LoginName, Matter, MemoryStore, Metadata, Name, Namespace, PasswordHash,
    Progress, Purpose, Record, ReplicaSet, ReplicaSetId, RestoreJob, RestoreJobId, RestoreLink, RestoreState,
    RestoreTarget, Run, Sealed, SealingKey, Secret, Seed, Session, SetName, Sight, Site, SnapshotName,
    Status, Subject, SyncSource, Text, Token, TokenHash, User, UserId, Zone,
};

const AT: UnixMillis = UnixMillis(1_795_341_091_408);
const GROUP: GroupId = GroupId::from_bytes([0xa1; 12]);
const USER: UserId = UserId::from_bytes([0xb2; 12]);
const SET: ReplicaSetId = ReplicaSetId::from_bytes([0xc3; 12]);
const RESTORE: RestoreJobId = RestoreJobId::from_bytes([0xd4; 12]);

type Write = Box<dyn Fn(&mut Batch)>;
type Read = Box<dyn Fn(&Metadata, &str) -> Result<bool, ErrorKind>>;

/// A record without its type.
pub(crate) struct Sample {
    pub(crate) collection: Collection,
    pub(crate) id: String,
    write: Write,
    read: Read,
}

impl Sample {
    fn new<R: Record + Clone + PartialEq + 'static>(record: R) -> Self {
        let (wanted, collection, id) = (record.clone(), R::COLLECTION, record.id());
        let read = move |metadata: &Metadata, id: &str| match metadata.find::<R>(id) {
            Ok(found) => Ok(found.is_some_and(|it| it.record == wanted)),
            Err(error) => Err(error.kind()),
        };
        let write = move |batch: &mut Batch| batch.create(&record).unwrap();
        Self { collection, id, write: Box::new(write), read: Box::new(read) }
    }

    /// Makes the record.
    pub(crate) fn create(&self, store: Arc<MemoryStore>) {
        let mut batch = Batch::new();
        (self.write)(&mut batch);
        Metadata::new(store).commit(&batch).unwrap();
    }

    /// Whether what is stored reads as the record.
    pub(crate) fn read(&self, store: Arc<MemoryStore>) -> Result<bool, ErrorKind> {
        (self.read)(&Metadata::new(store), &self.id)
    }
}

fn token(purpose: Purpose) -> TokenHash {
    Token::generate(purpose, &mut SeededEntropy::new(1)).hash()
}

fn password() -> PasswordHash {
    let (salt, hash) = ("ab".repeat(16), "cd".repeat(32));
    let text =
        format!(r#"{{"cost":{{"memoryKib":19456,"passes":2,"lanes":1}},"salt":"{salt}","hash":"{hash}"}}"#);
    serde_json::from_str(&text).unwrap()
}

fn sealed(place: &str) -> Sealed {
    let secret = Secret::new(b"secret".to_vec()).unwrap();
    SealingKey::from_bytes(&[1; 32]).seal(place, &secret, &mut SeededEntropy::new(1))
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn subject(text: &str) -> Subject {
    Subject::new(text).unwrap()
}

fn seed() -> Seed {
    Seed { host: HostName::new("db1.example.com").unwrap(), port: 27017 }
}

fn lease() -> Lease {
    Lease { holder: subject("daemon-1"), incarnation: [7; 8], until: AT }
}

/// All samples, in the order of the golden file.
pub(crate) fn all() -> Vec<Sample> {
    let mut samples = of_people();
    samples.extend(of_backups());
    samples.extend(of_work());
    samples
}

fn of_people() -> Vec<Sample> {
    let roles = Roles { global_owner: true, groups: [(GROUP, Role::BackupAdmin)].into() };
    let login = Login::new("Ann@example.com").unwrap();
    vec![
        Sample::new(Site { owners: vec![USER], created_at: AT }),
        Sample::new(Group { id: GROUP, name: name("Ärzte & Co"), created_at: AT }),
        Sample::new(GroupName { name: name("Ärzte & Co"), group: GROUP }),
        Sample::new(User {
            id: USER,
            login: login.clone(),
            password: password(),
            roles,
            generation: 3,
            created_at: AT,
        }),
        Sample::new(LoginName { login, user: USER }),
        Sample::new(Invitation {
            token: token(Purpose::Invitation),
            group: GROUP,
            role: Role::ReadOnly,
            invited_by: USER,
            expires_at: AT,
        }),
        Sample::new(Session {
            token: token(Purpose::Session),
            user: USER,
            generation: 3,
            created_at: AT,
            used_at: AT,
        }),
        Sample::new(ApiKey {
            public: [1; 8],
            digest: sealed("apiKey 0101010101010101"),
            roles: Roles::in_group(GROUP, Role::Owner),
            name: name("script"),
            created_by: USER,
            created_at: AT,
        }),
        Sample::new(AgentKey {
            token: token(Purpose::AgentKey),
            group: GROUP,
            name: name("agents"),
            created_by: USER,
            created_at: AT,
        }),
    ]
}

fn of_backups() -> Vec<Sample> {
    let config = BackupConfig::new(GROUP, SET);
    let full = BackupConfig {
        replica_set: ReplicaSetId::from_bytes([0xc4; 12]),
        status: Status::Terminating,
        terminated_at: Some(AT),
        schedule: Schedule {
            interval_hours: 8,
            reference_hour: 5,
            zone: Zone::new("Europe/Berlin").unwrap(),
        },
        retention: Retention { base_days: 1, daily_days: 2, weekly_weeks: 3, monthly_months: 4 },
        pitr_window_hours: 48,
        excluded_namespaces: vec![Namespace::new("db").unwrap(), Namespace::new("db.c").unwrap()],
        sync_source: SyncSource::Member(seed()),
        connection: Some(sealed("backupConfig")),
        ..config.clone()
    };
    let set = ReplicaSet {
        group: GROUP,
        id: SET,
        name: SetName::new("rs0").unwrap(),
        seeds: vec![seed()],
        created_at: AT,
        active: Some(lease()),
        sight: None,
        former: Vec::new(),
    };
    let host = Host {
        group: GROUP,
        name: seed().host,
        port: 27017,
        replica_set: Some(SET),
        state: Text::fit("PRIMARY"),
        version: Text::fit("6.0.5"),
        seen_at: AT,
    };
    vec![
        Sample::new(Agent {
            group: GROUP,
            agent: subject("agent-1"),
            host: seed().host,
            version: Text::fit("0.1.0"),
            seen_at: AT,
            clock_ahead_ms: -12,
        }),
        Sample::new(Host { replica_set: None, port: 27018, ..host.clone() }),
        Sample::new(host),
        Sample::new(set.clone()),
        Sample::new(ReplicaSet {
            id: ReplicaSetId::from_bytes([0xc4; 12]),
            active: None,
            sight: Some(Sight {
                at: AT,
                source_clock: Some(AT),
                majority: Some(OpTime { ts: Timestamp { secs: 1_795_341_091, ordinal: 408 }, term: 3 }),
                oldest: None,
                problems: vec![Text::fit("the majority point stands")],
            }),
            ..set.clone()
        }),
        Sample::new(ReplicaSet {
            id: ReplicaSetId::from_bytes([0xc5; 12]),
            former: vec![Run([6; 8]), Run([5; 8])],
            ..set
        }),
        Sample::new(BackupConfig {
            replica_set: ReplicaSetId::from_bytes([0xc6; 12]),
            deleted_snapshots: vec![DeletedSnapshot {
                name: SnapshotName::new("0000000000000007").unwrap(),
                at: AT,
            }],
            ..config.clone()
        }),
        Sample::new(BackupConfig {
            replica_set: ReplicaSetId::from_bytes([0xc5; 12]),
            copies: Copies::From(2),
            ..config.clone()
        }),
        Sample::new(BackupConfig {
            replica_set: ReplicaSetId::from_bytes([0xc7; 12]),
            throttle_bytes_per_second: Some(20_000_000),
            ..config.clone()
        }),
        Sample::new(BackupConfig { status: Status::Started, sync_source: SyncSource::Primary, ..config }),
        Sample::new(full),
    ]
}

fn of_work() -> Vec<Sample> {
    let job = Job::new(Some(GROUP), JobKind::Build, subject("rs0"), AT);
    let states = [
        (JobKind::Apply, JobState::Running { lease: lease(), since: AT }),
        (JobKind::Snapshot, JobState::Done { at: AT }),
        (JobKind::Prove, JobState::Failed { at: AT }),
        (JobKind::Compact, JobState::Cancelled { at: AT }),
        (JobKind::Expire, JobState::Queued { not_before: AT }),
        (JobKind::Groom, JobState::Queued { not_before: AT }),
        (JobKind::Verify, JobState::Queued { not_before: AT }),
        (JobKind::Restore, JobState::Queued { not_before: AT }),
        (JobKind::Terminate, JobState::Queued { not_before: AT }),
    ];
    let busy = Job {
        group: None,
        epoch: 4,
        failures: 2,
        last_error: Some(Text::fit("no space left")),
        cancel_requested: true,
        progress: Progress { done: 5, total: Some(9), doing: Some(Text::fit("reading")) },
        ..job.clone()
    };
    let mut samples = vec![Sample::new(job.clone()), Sample::new(busy)];
    samples.extend(states.map(|(kind, state)| Sample::new(Job { kind, state, ..job.clone() })));
    samples.push(Sample::new(Daemon {
        name: DaemonName::new("daemon-1").unwrap(),
        incarnation: [7; 8],
        version: Text::fit("0.1.0"),
        started_at: AT,
        seen_at: AT,
    }));
    samples.extend(of_restores());
    let what = Happening {
        code: Code::new("SNAPSHOT_TAKEN").unwrap(),
        subject: Some(subject("rs0")),
        actor: Some(subject("daemon-1")),
        text: Text::fit("snapshot taken, \"quoted\" \\ ü"),
    };
    samples.push(Sample::new(EventLog { group: Some(GROUP), first: 1, next: 12 }));
    samples.push(Sample::new(Event { group: Some(GROUP), number: 11, at: AT, what: what.clone() }));
    let what = Happening { subject: None, actor: None, ..what };
    samples.push(Sample::new(Event { group: None, number: 0, at: AT, what }));
    samples.extend(added_later(&job));
    samples
}

/// What came after the others, so that their lines stay where they are.
fn added_later(job: &Job) -> Vec<Sample> {
    let matter = Matter {
        group: Some(GROUP),
        code: Code::new("SPACE_LOW").unwrap(),
        subject: Some(subject("rs0")),
        since: AT,
        text: Text::fit("little room"),
    };
    let of_site = Matter { group: None, subject: None, ..matter.clone() };
    let state = JobState::Running { lease: lease(), since: AT };
    vec![
        Sample::new(matter),
        Sample::new(of_site),
        Sample::new(Job {
            kind: JobKind::Snapshot,
            group: None,
            state,
            is_ordered_again: true,
            ..job.clone()
        }),
        Sample::new(RestoreJob {
            group: GROUP,
            id: RestoreJobId::from_bytes([5; 12]),
            replica_set: SET,
            target: RestoreTarget::Snapshot { name: SnapshotName::new("1795341091,408").unwrap() },
            namespaces: Vec::new(),
            users_and_roles: false,
            gzip: false,
            state: RestoreState::Ready { bytes: 9, divergences: 0, is_rolled_back: true },
            created_by: USER,
            created_at: AT,
        }),
    ]
}

fn of_restores() -> Vec<Sample> {
    let job = RestoreJob {
        group: GROUP,
        id: RESTORE,
        replica_set: SET,
        target: RestoreTarget::Snapshot { name: SnapshotName::new("1795341091,408").unwrap() },
        namespaces: vec![Namespace::new("db.c").unwrap()],
        users_and_roles: true,
        gzip: true,
        state: RestoreState::Preparing,
        created_by: USER,
        created_at: AT,
    };
    let timestamp = Timestamp { secs: 1_795_341_091, ordinal: 408 };
    let other = |n: u8, state| RestoreJob {
        id: RestoreJobId::from_bytes([n; 12]),
        target: RestoreTarget::PointInTime { timestamp },
        state,
        ..job.clone()
    };
    let link = RestoreLink {
        token: token(Purpose::Link),
        group: GROUP,
        restore: RESTORE,
        created_at: AT,
        expires_at: UnixMillis(AT.0 + 1000),
        max_uses: 3,
        uses: 1,
        revoked_at: Some(AT),
    };
    vec![
        Sample::new(job.clone()),
        Sample::new(other(1, RestoreState::Ready { bytes: 9, divergences: 0, is_rolled_back: false })),
        Sample::new(other(4, RestoreState::Ready { bytes: 9, divergences: 3, is_rolled_back: false })),
        Sample::new(other(2, RestoreState::Failed { error: Text::fit("no such snapshot") })),
        Sample::new(other(3, RestoreState::Cancelled)),
        Sample::new(link),
    ]
}
