//! A site with two groups, a replica set with a head, and keys of all kinds.

use crate::unreadable::Unreadable;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request, Response, StatusCode};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tidemark_base::bson::{Doc, DocWriter, kind};
use tidemark_base::clock::ManualClock;
use tidemark_base::{Clock as _, CollectionUuid, OpTime, SeededEntropy, Timestamp, UnixMillis};
use tidemark_blockstore::{Expect, MemoryBackend, NewRef, RefChange, Store};
use tidemark_frontend::install::Trust;
use tidemark_frontend::login::Doors;
use tidemark_frontend::site::{Parts, Site};
use tidemark_frontend::{download, page, public};
use tidemark_head::export::{self, Restorable};
use tidemark_head::follow::follow;
use tidemark_head::fork::Fork;
use tidemark_head::head::{Head, HeadName};
use tidemark_head::import::Import;
use tidemark_head::snapshot;
use tidemark_metadata::rules::roles::{Role, Roles};
use tidemark_metadata::{
    Batch, GroupId, HostName, MemoryStore, Metadata, Name, NewApiKey, ReplicaSet, ReplicaSetId, RestoreJob,
    RestoreJobId, RestoreState, SealingKey, Seed, SetName, User, UserId,
};
use tidemark_oplog::catalog::Collection;
use tidemark_oplog::filter::Filter;
use tidemark_oplog::slice::{Link, SliceWriter};
use tower::ServiceExt as _;

/// 2026-11-22T10:00:00Z.
pub(crate) const NOW: UnixMillis = UnixMillis(1_795_341_600_000);
/// The address of the site.
pub(crate) const URL: &str = "https://backup.example.com:8080";
/// The replica set.
pub(crate) const SET: &str = "c3c3c3c3c3c3c3c3c3c3c3c3";
/// A document that must not be lost on the way.
const DOCUMENTS: i32 = 3000;

/// A site and what is in it.
pub(crate) struct Rig {
    pub(crate) site: Site,
    backend: Arc<MemoryBackend>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) router: Router,
    pub(crate) group: GroupId,
    pub(crate) other: GroupId,
    pub(crate) head: Mutex<Head>,
    pub(crate) snapshot: String,
    /// Public and private halves.
    pub(crate) keys: BTreeMap<&'static str, (String, String)>,
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with_doors(Doors::new(false, false))
    }

    pub(crate) fn with_doors(doors: Doors) -> Self {
        Self::at(doors, URL)
    }

    /// A site that is reached by an address.
    pub(crate) fn at(doors: Doors, url: &str) -> Self {
        let metadata = Metadata::new(Arc::new(MemoryStore::new()));
        let backend = Arc::new(MemoryBackend::new(&mut SeededEntropy::new(3)));
        let store = Store::new(backend.clone());
        let clock = Arc::new(ManualClock::at(NOW));
        let sealing = SealingKey::from_bytes(&[7; 32]);
        let mut entropy = SeededEntropy::new(5);
        let owner = UserId::from_bytes([0xee; 12]);
        let group = |name: &str, entropy: &mut SeededEntropy| {
            metadata.create_group(Name::new(name).unwrap(), NOW, entropy).unwrap().id
        };
        let (own, other) = (group("Ärzte & Co <b>", &mut entropy), group("Others", &mut entropy));
        let roles = [
            ("reader", Roles::in_group(own, Role::ReadOnly)),
            ("admin", Roles::in_group(own, Role::BackupAdmin)),
            ("owner", Roles::in_group(own, Role::Owner)),
            ("other", Roles::in_group(other, Role::Owner)),
            ("site", Roles::global()),
        ];
        let mut keys = BTreeMap::new();
        for (name, roles) in roles {
            let made =
                metadata.create_api_key(Name::new(name).unwrap(), roles, owner, &sealing, NOW, &mut entropy);
            let NewApiKey { record, private } = made.unwrap();
            let private = String::from_utf8(private.reveal().to_vec()).unwrap();
            keys.insert(name, (hex::encode(record.public), private));
        }
        let set: ReplicaSetId = SET.parse().unwrap();
        let seeds = [Seed { host: HostName::new("db1.example.com").unwrap(), port: 27017 }];
        metadata.report_replica_set(own, set, &SetName::new("rs<0>").unwrap(), &seeds, NOW).unwrap();
        let mut head = head(&store, &HeadName::new(&own.to_string(), SET).unwrap());
        let (number, _) = head.snapshot(&*clock).unwrap();
        let site = Site::new(Parts {
            metadata,
            store,
            sealing,
            clock: Arc::clone(&clock) as Arc<dyn tidemark_base::Clock>,
            entropy: Mutex::new(Box::new(entropy)),
            public_url: url.to_owned(),
        });
        let trust = Trust { public_url: url.to_owned(), fingerprint: Some("5e".repeat(32)) };
        let router = public::router(site.clone())
            .merge(page::router(site.clone(), doors, trust))
            .merge(download::router(site.clone()));
        let snapshot = format!("{number:016x}");
        Self { site, backend, clock, router, group: own, other, head: Mutex::new(head), snapshot, keys }
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        &self.site.parts().metadata
    }

    pub(crate) fn set(&self) -> ReplicaSet {
        let id = ReplicaSet::id_of(self.group, SET.parse().unwrap());
        self.metadata().get::<ReplicaSet>(&id).unwrap().record
    }

    /// Sends a request as it is.
    pub(crate) async fn raw(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Sends a request and takes the whole answer.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (head, body) = self.raw(request).await.into_parts();
        let body = to_bytes(body, 64 << 20).await.unwrap();
        Answer { status: head.status, headers: head.headers, body }
    }

    /// Does the daemon's work on a restore: prepares the head's state under its id. `lie` changes the length told.
    pub(crate) fn prepare(&self, id: &str, lie: i64) -> u64 {
        let store = &self.site.parts().store;
        let name = HeadName::new(&self.group.to_string(), SET).unwrap();
        let record = RestoreJob::id_of(self.group, id.parse::<RestoreJobId>().unwrap());
        let job = self.metadata().get::<RestoreJob>(&record).unwrap().record;
        let fork = Fork::of_head(store, &name).unwrap();
        let mut restorable = Restorable {
            root: self.head.lock().unwrap().root(),
            at: fork.state().at(),
            namespaces: job.namespaces.iter().map(ToString::to_string).collect(),
            with_users: job.users_and_roles,
            bytes: 0,
            divergences: 0,
            server: Some("6.0.5".to_owned()),
            prepared: self.clock.now(),
        };
        let plan = restorable.plan(&fork).unwrap();
        let prepared = export::prepare(fork.state(), fork.session(), &plan).unwrap();
        let bytes = restorable.archive_bytes(&plan, &prepared).unwrap();
        restorable.bytes = bytes.strict_add_signed(lie);
        restorable.put(fork.session(), &name, id).unwrap();
        let ready = RestoreState::Ready { bytes, divergences: 0, is_rolled_back: false };
        self.metadata().change::<RestoreJob, _>(&record, |it| it.set_state(ready.clone())).unwrap();
        bytes
    }

    /// A no-op comes so many seconds after what the snapshot is of, and is applied.
    pub(crate) fn go_on(&self, secs: u32) {
        let (store, mut head) = (&self.site.parts().store, self.head.lock().unwrap());
        let slices = HeadName::new(&self.group.to_string(), SET).unwrap().slices(store);
        let entry = no_op(Timestamp { secs: head.at().ts.secs + secs, ordinal: 1 });
        let mut writer = SliceWriter::new(slices.tip().unwrap().unwrap().link);
        writer.push(Doc::new(&entry).unwrap()).unwrap();
        slices.append(&store.session(&[]).unwrap(), &writer.finish().unwrap().bytes).unwrap();
        let (tip, position) = (slices.tip().unwrap().unwrap(), head.state().position());
        follow(&slices, &tip, position, Timestamp::MAX, &mut |entries, end| {
            head.apply(entries)?;
            end.into_iter().try_for_each(|end| head.pass_slice(end))
        })
        .unwrap();
    }

    /// Lets a proof of the snapshot have failed.
    pub(crate) fn damage_snapshot(&self) {
        let name = HeadName::new(&self.group.to_string(), SET).unwrap();
        let id = u64::from_str_radix(&self.snapshot, 16).unwrap();
        snapshot::prove(&Store::new(Arc::new(Unreadable(self.backend.clone()))), &name, id).unwrap_err();
    }

    /// Makes what the refs under a part of the head say something that nobody understands.
    pub(crate) fn garble(&self, part: &str) {
        let (store, name) = (&self.site.parts().store, HeadName::new(&self.group.to_string(), SET).unwrap());
        let session = store.session(&[]).unwrap();
        let refs = store.list_refs(&format!("{}/{part}/", name.prefix())).unwrap();
        assert!(!refs.is_empty());
        for (name, found) in refs {
            let set = Some(NewRef { roots: found.roots, value: b"?".to_vec() });
            let expect = Expect::Version(found.version);
            session.publish(&[RefChange { name, expect, set }]).unwrap();
        }
    }

    /// Somebody with a role in the group, and the password `correct horse`.
    pub(crate) fn person(&self, login: &str, role: Option<Role>) -> User {
        let hasher = tidemark_metadata::PasswordHasher::new(1, 1);
        let password = tidemark_metadata::Password::new("correct horse".to_owned()).unwrap();
        let password = hasher.hash(&password, &mut SeededEntropy::new(9)).unwrap();
        let new =
            tidemark_metadata::NewUser { login: tidemark_metadata::Login::new(login).unwrap(), password };
        let now = self.clock.now();
        self.site.parts().with_entropy(|entropy| {
            let user = match self.metadata().is_new().unwrap() {
                true => self.metadata().sign_up_first(&new, now, entropy).unwrap(),
                false => self.metadata().sign_up(&new, now, entropy).unwrap(),
            };
            if let Some(role) = role {
                self.metadata().set_role(user.id, self.group, Some(role)).unwrap();
            }
            user
        })
    }

    /// The cookie of a session of theirs, and the token their forms carry.
    pub(crate) fn session(&self, user: &User) -> (String, String) {
        let now = self.clock.now();
        let user = self.metadata().get::<User>(&user.id.to_string()).unwrap().record;
        let token =
            self.site.parts().with_entropy(|it| self.metadata().begin_session(&user, now, it)).unwrap();
        (format!("__Host-tidemark={}", token.reveal()), tidemark_metadata::csrf_token(token.reveal()))
    }

    /// Changes a record that is there.
    pub(crate) fn put<R: tidemark_metadata::Record>(&self, record: &R) {
        let old = self.metadata().find::<R>(&record.id()).unwrap();
        let mut batch = Batch::new();
        batch.set(old.as_ref(), record).unwrap();
        self.metadata().commit(&batch).unwrap();
    }
}

/// A head an hour ago with two collections.
fn head(store: &Store, name: &HeadName) -> Head {
    let secs = u32::try_from(NOW.0 / 1000 - 3600).unwrap();
    let at = OpTime { ts: Timestamp { secs, ordinal: 2 }, term: 1 };
    let mut import = Import::begin(store, at, Filter::default(), usize::MAX).unwrap();
    for (uuid, collection) in [(1, "orders"), (2, "people")] {
        let uuid = CollectionUuid::from_bytes([uuid; 16]);
        let (database, options) = ("shop".to_owned(), Doc::EMPTY.as_bytes().to_vec());
        let described = Collection { database, name: collection.to_owned(), options, indexes: Vec::new() };
        import.collection(uuid, described).unwrap();
        for id in 0..DOCUMENTS {
            let text = SeededEntropy::new(id.unsigned_abs().into()).next_u64().to_string().repeat(10);
            let document = document(id, &text);
            import.documents(uuid, &[Doc::new(&document).unwrap()]).unwrap();
        }
    }
    let head = import.finish(name, None).unwrap();
    name.slices(store).start(&store.session(&[]).unwrap(), Link::genesis(at)).unwrap();
    head
}

/// An entry of the oplog that does nothing.
fn no_op(at: Timestamp) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut doc = DocWriter::new(&mut bytes);
    let open = doc.begin();
    doc.string(b"op", b"n");
    doc.string(b"ns", b"");
    doc.raw(kind::OBJECT, b"o", Doc::EMPTY.as_bytes());
    doc.timestamp(b"ts", at);
    doc.int64(b"t", 1);
    doc.int64(b"v", 2);
    doc.end(open);
    bytes
}

/// `{_id: id, text: text}` as BSON.
fn document(id: i32, text: &str) -> Vec<u8> {
    let mut body = vec![0x10];
    body.extend(b"_id\0");
    body.extend(id.to_le_bytes());
    body.push(0x02);
    body.extend(b"text\0");
    body.extend(u32::try_from(text.len() + 1).unwrap().to_le_bytes());
    body.extend(text.as_bytes());
    body.extend([0, 0]);
    let mut document = u32::try_from(body.len() + 4).unwrap().to_le_bytes().to_vec();
    document.extend(body);
    document
}
