//! A Backup HTTP server in memory: it keeps what it is sent, if it fits, and does what a test says.

use crate::agent::{GROUP, KEY, wait};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tidemark_base::protocol::{
    BeginSync, Code, ConfRequest, ConfResponse, Connection, End, EndScan, EndSync, ForkRequest, LostRequest,
    RESUME_HEADER, Refusal, ReleaseRequest, Rescan, ResumePoint, Role, SetOrder, SetState, Sync,
    SyncCollection, SyncSource, Task, Tip,
};
use tidemark_base::{Clock, CollectionUuid, SystemClock, Timestamp};
use tidemark_oplog::initial_sync::BatchReader;
use tidemark_oplog::slice::{Digest, SliceReader};
use tokio::runtime::{Builder, Runtime};

/// All that a server knows.
pub(crate) struct Kept {
    pub(crate) group: String,
    pub(crate) clock_ahead_ms: u64,
    /// The agent that is active; the first one if none is named.
    pub(crate) active: Option<String>,
    /// How to connect to a set that no agent has in its own file.
    pub(crate) connection: Option<Connection>,
    pub(crate) order: SetOrder,
    pub(crate) task: Task,
    pub(crate) tip: Option<Tip>,
    pub(crate) ends: Vec<End>,
    /// Plain entries of each slice, in order.
    pub(crate) slices: Vec<Vec<Vec<u8>>>,
    pub(crate) sync: Option<Sync>,
    pub(crate) descriptions: BTreeMap<CollectionUuid, Vec<u8>>,
    /// Documents by collection and scan.
    pub(crate) documents: BTreeMap<(CollectionUuid, u32), Vec<Vec<u8>>>,
    pub(crate) batches: usize,
    pub(crate) confs: Vec<ConfRequest>,
    pub(crate) forks: Vec<ForkRequest>,
    pub(crate) losses: Vec<LostRequest>,
    /// How many requests are refused as busy from now on.
    pub(crate) busy: u32,
    /// How many more acknowledgements are lost on their way.
    pub(crate) unheard: u32,
    /// Whether copies that have ended are still ordered, as long as no head is built of them.
    pub(crate) builds_slowly: bool,
    /// Another replica set, and all that is known of it.
    pub(crate) second: Option<(String, Box<Kept>)>,
}

/// The server, on a port of this machine.
pub(crate) struct Server {
    kept: Arc<Mutex<Kept>>,
    runtime: Option<Runtime>,
    port: u16,
}

type Answer = Result<Response, Box<Refused>>;
type Refused = (u16, Refusal);

fn refused<T>(status: u16, code: Code) -> Result<T, Box<Refused>> {
    let message = "no".to_owned();
    Err(Box::new((status, Refusal { code, message, tip: None, collection: None })))
}

fn ok(value: &impl Serialize) -> Answer {
    Ok((StatusCode::OK, serde_json::to_vec(value).unwrap()).into_response())
}

/// What the agent says is always understood.
fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> T {
    serde_json::from_slice(body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(body)))
}

impl Server {
    /// A server that wants each set copied.
    pub(crate) fn start() -> Self {
        let mut server = Self { kept: Arc::new(Mutex::new(Kept::new())), runtime: None, port: 0 };
        server.up();
        server
    }

    /// Listens, on the same port as before.
    pub(crate) fn up(&mut self) {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (port, kept) = (self.port, Arc::clone(&self.kept));
        let listener = wait("the server's port", || {
            let bound = runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", port)));
            bound.map_err(|error| error.to_string())
        });
        self.port = listener.local_addr().unwrap().port();
        let router = Router::new().fallback(handle).with_state(kept).layer(DefaultBodyLimit::max(64 << 20));
        runtime.spawn(async move { axum::serve(listener, router).await });
        self.runtime = Some(runtime);
    }

    /// Is gone, with all connections; what it has kept stays.
    pub(crate) fn down(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap()
    }

    /// Waits until the oplog that is kept reaches an entry.
    pub(crate) fn await_tip(&self, ts: Timestamp) {
        wait(&format!("the tip to reach {ts}"), || match &self.kept().tip {
            Some(tip) if tip.at.ts >= ts => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }

    /// Waits until the copy has ended.
    pub(crate) fn await_copy(&self) {
        self.await_copy_after(0);
    }

    /// Waits until a copy with a greater number has ended.
    pub(crate) fn await_copy_after(&self, number: u32) {
        wait("the copy to end", || match &self.kept().sync {
            Some(sync) if sync.until.is_some() && sync.number > number => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }
}

async fn handle(
    State(kept): State<Arc<Mutex<Kept>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut kept = kept.lock().unwrap();
    let key = headers.get("authorization").and_then(|it| it.to_str().ok());
    let answer = if key != Some(&format!("Bearer {KEY}")) {
        refused(401, Code::UnknownKey)
    } else if kept.busy > 0 {
        kept.busy -= 1;
        refused(503, Code::Busy)
    } else {
        let path = uri.path().strip_prefix("/agent/v1/").expect("the agent asks for nothing else");
        let parts: Vec<&str> = path.split('/').collect();
        let answer = kept.answer(&method, &parts, uri.query(), &headers, &body);
        if kept.unheard > 0 && answer.is_ok() && method == Method::POST {
            kept.unheard -= 1;
            refused(500, Code::Internal)
        } else {
            answer
        }
    };
    answer.unwrap_or_else(|refused| {
        let (status, refusal) = *refused;
        (StatusCode::from_u16(status).unwrap(), serde_json::to_vec(&refusal).unwrap()).into_response()
    })
}

impl Kept {
    pub(crate) fn new() -> Self {
        let order = SetOrder {
            id: String::new(),
            role: Role::Active,
            task: Task::Copy,
            excluded_namespaces: Vec::new(),
            sync_source: SyncSource::Secondary,
            throttle_bytes_per_second: None,
            connection: None,
        };
        Self {
            group: GROUP.to_owned(),
            clock_ahead_ms: 0,
            active: None,
            connection: None,
            order,
            task: Task::Copy,
            tip: None,
            ends: Vec::new(),
            slices: Vec::new(),
            sync: None,
            descriptions: BTreeMap::new(),
            documents: BTreeMap::new(),
            batches: 0,
            confs: Vec::new(),
            forks: Vec::new(),
            losses: Vec::new(),
            busy: 0,
            unheard: 0,
            builds_slowly: false,
            second: None,
        }
    }

    fn answer(
        &mut self,
        method: &Method,
        parts: &[&str],
        query: Option<&str>,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Answer {
        if let ["sets", id, ..] = parts
            && let Some((second, kept)) = &mut self.second
            && second == id
        {
            return kept.answer(method, parts, query, headers, body);
        }
        match (method.as_str(), parts) {
            ("POST", ["conf"]) => self.conf(read(body)),
            ("GET", ["sets", _]) => ok(&self.state()),
            ("POST", ["sets", _, "syncs"]) => self.begin(&read(body)),
            ("PUT", ["sets", _, "syncs", n, "collections", uuid]) => self.describe(n, uuid, body),
            ("POST", ["sets", _, "syncs", n, "collections", uuid, "batches"]) => {
                let resume = headers.get(RESUME_HEADER).map(|value| {
                    let json = base64::engine::general_purpose::STANDARD.decode(value.as_bytes()).unwrap();
                    serde_json::from_slice(&json).unwrap()
                });
                self.batch(n, uuid, body, resume)
            }
            ("POST", ["sets", _, "syncs", n, "collections", uuid, "rescan"]) => {
                self.rescan(n, uuid, &read(body))
            }
            ("POST", ["sets", _, "syncs", n, "collections", uuid, "end"]) => {
                self.end_scan(n, uuid, &read(body))
            }
            ("POST", ["sets", _, "syncs", n, "end"]) => self.end(n, &read(body)),
            ("POST", ["sets", _, "slices"]) => self.slice(body),
            ("GET", ["sets", _, "ends"]) => self.ends_before(query.unwrap()),
            ("POST", ["sets", _, "fork"]) => self.fork(read(body)),
            ("POST", ["sets", _, "lost"]) => self.lost(read(body)),
            ("POST", ["sets", _, "release"]) => self.release(&read(body)),
            other => panic!("the agent asks {other:?}"),
        }
    }

    fn conf(&mut self, request: ConfRequest) -> Answer {
        let active = match &self.active {
            Some(active) => active.clone(),
            None if request.sets.is_empty() => String::new(),
            None => self.active.insert(request.agent.clone()).clone(),
        };
        let role = if active == request.agent { Role::Active } else { Role::Standby };
        let order = |id: &str| SetOrder {
            id: id.to_owned(),
            role,
            task: self
                .second
                .as_ref()
                .filter(|(second, _)| second == id)
                .map_or(self.task, |(_, it)| it.task),
            connection: self.connection.clone(),
            ..self.order.clone()
        };
        let mut sets: Vec<SetOrder> = request.sets.iter().map(|set| order(&set.id)).collect();
        if sets.is_empty() && self.connection.is_some() {
            sets.push(order(""));
        }
        self.confs.push(request);
        let clock_ms = SystemClock::new().now().0 + self.clock_ahead_ms;
        ok(&ConfResponse { group: self.group.clone(), clock_ms, next_ms: 200, sets })
    }

    fn state(&self) -> SetState {
        SetState { task: self.task, tip: self.tip.clone(), sync: self.sync.clone() }
    }

    fn begin(&mut self, request: &BeginSync) -> Answer {
        assert_eq!(request.after, self.sync.as_ref().map(|sync| sync.number));
        let number = request.after.unwrap_or(0) + 1;
        let chain = self.tip.as_ref().map_or(0, |tip| tip.chain) + 1;
        self.tip = Some(Tip { chain, at: request.at, digest: Digest::NONE.to_string(), entry: None });
        self.slices.clear();
        self.ends.clear();
        let sync = Sync { number, at: request.at, until: None, is_wanted: true, collections: Vec::new() };
        ok(self.sync.insert(sync))
    }

    fn of_sync(&mut self, number: &str) -> Result<&mut Sync, Box<Refused>> {
        match &mut self.sync {
            Some(sync) if sync.number.to_string() == number && sync.until.is_none() => Ok(sync),
            _ => refused(409, Code::OtherSync),
        }
    }

    fn collection(&mut self, number: &str, uuid: &str) -> Result<&mut SyncCollection, Box<Refused>> {
        let found = self.of_sync(number)?.collections.iter_mut().find(|it| it.uuid.to_string() == uuid);
        found.map_or_else(|| refused(404, Code::NotFound), Ok)
    }

    fn describe(&mut self, number: &str, uuid: &str, body: &[u8]) -> Answer {
        let text = |field| {
            let document = bson::RawDocument::from_bytes(body).unwrap();
            document.get_str(field).unwrap().to_owned()
        };
        let uuid: CollectionUuid = uuid.parse().unwrap();
        let sync = self.of_sync(number)?;
        if let Some(found) = sync.collections.iter().find(|it| it.uuid == uuid) {
            return ok(found);
        }
        let collection = SyncCollection {
            uuid,
            database: text("db"),
            name: text("name"),
            scan: 1,
            next: 0,
            is_done: false,
            documents: 0,
            bytes: 0,
            resume: None,
        };
        sync.collections.push(collection.clone());
        self.descriptions.insert(uuid, body.to_vec());
        ok(&collection)
    }

    fn batch(&mut self, number: &str, uuid: &str, body: &[u8], resume: Option<ResumePoint>) -> Answer {
        let mut plain = Vec::new();
        let reader = BatchReader::open(body).unwrap();
        let id = reader.header().id;
        let documents: Vec<Vec<u8>> =
            reader.decode(&mut plain).unwrap().iter().map(|it| it.as_bytes().to_vec()).collect();
        assert_eq!((id.sync.to_string().as_str(), id.collection.to_string().as_str()), (number, uuid));
        let collection = self.collection(number, uuid)?;
        if id.scan == collection.scan && id.number + 1 == collection.next {
            // A resend of the last one, as after an answer that was lost.
            return ok(collection);
        }
        if (id.scan, id.number, collection.is_done) != (collection.scan, collection.next, false) {
            let refusal = Refusal {
                code: Code::OtherBatch,
                message: "another".to_owned(),
                tip: None,
                collection: Some(collection.clone()),
            };
            return Err(Box::new((409, refusal)));
        }
        collection.next += 1;
        collection.documents += documents.len() as u64;
        collection.bytes += plain.len() as u64;
        collection.resume = resume;
        let answer = ok(collection);
        self.batches += 1;
        self.documents.entry((id.collection, id.scan)).or_default().extend(documents);
        answer
    }

    fn rescan(&mut self, number: &str, uuid: &str, request: &Rescan) -> Answer {
        let collection = self.collection(number, uuid)?;
        if collection.scan == request.scan {
            collection.scan += 1;
            (collection.next, collection.is_done, collection.resume) = (0, false, None);
        }
        ok(collection)
    }

    fn end_scan(&mut self, number: &str, uuid: &str, request: &EndScan) -> Answer {
        let collection = self.collection(number, uuid)?;
        assert_eq!((request.scan, request.batches), (collection.scan, collection.next));
        collection.is_done = true;
        collection.resume = None;
        ok(collection)
    }

    fn end(&mut self, number: &str, request: &EndSync) -> Answer {
        let tip = self.tip.clone().unwrap();
        let sync = self.of_sync(number)?;
        if tip.at.ts < request.until || sync.collections.iter().any(|it| !it.is_done) {
            return refused(409, Code::NotDone);
        }
        sync.until = Some(request.until);
        if !self.builds_slowly {
            self.task = Task::Tail;
        }
        ok(self.sync.as_ref().unwrap())
    }

    fn slice(&mut self, body: &[u8]) -> Answer {
        let mut plain = Vec::new();
        let reader = SliceReader::open(body).unwrap();
        let header = *reader.header();
        let entries: Vec<Vec<u8>> =
            reader.decode(&mut plain).unwrap().iter().map(|it| it.as_bytes().to_vec()).collect();
        let tip = self.tip.clone().unwrap();
        let digest = header.digest.to_string();
        if tip.digest == digest {
            return ok(&tip);
        }
        if (header.previous.at, header.previous.digest.to_string()) != (tip.at, tip.digest.clone()) {
            let message = "another".to_owned();
            return Err(Box::new((
                409,
                Refusal { code: Code::NotNext, message, tip: Some(tip), collection: None },
            )));
        }
        let entry = blake3::hash(entries.last().unwrap()).to_hex().to_string();
        self.ends.push(End { at: header.last, entry: entry.clone() });
        self.slices.push(entries);
        ok(self.tip.insert(Tip { chain: tip.chain, at: header.last, digest, entry: Some(entry) }))
    }

    fn ends_before(&self, query: &str) -> Answer {
        let before: Timestamp = query.strip_prefix("before=").unwrap().parse().unwrap();
        let ends: Vec<&End> = self.ends.iter().rev().filter(|end| end.at.ts < before).take(2).collect();
        ok(&ends)
    }

    fn fork(&mut self, request: ForkRequest) -> Answer {
        let common = request.common.clone();
        self.forks.push(request);
        let chain = self.tip.as_ref().unwrap().chain + 1;
        let digest = Digest::NONE.to_string();
        ok(self.tip.insert(Tip { chain, at: common.at, digest, entry: Some(common.entry) }))
    }

    /// The next one to call is active.
    fn release(&mut self, request: &ReleaseRequest) -> Answer {
        let last = self.confs.iter().rev().find(|it| it.agent == request.agent);
        let is_its_run = last.is_some_and(|it| it.incarnation == request.incarnation);
        if !is_its_run || self.active.as_ref() != Some(&request.agent) {
            return refused(409, Code::NotActive);
        }
        self.active = None;
        ok(&())
    }

    fn lost(&mut self, request: LostRequest) -> Answer {
        self.losses.push(request);
        if let Some(sync) = &mut self.sync {
            sync.is_wanted = false;
        }
        self.task = Task::Copy;
        ok(&self.state())
    }
}
