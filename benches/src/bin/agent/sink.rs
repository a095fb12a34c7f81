//! A Backup HTTP server that checks what it is sent as far as that can be done without decompressing, and keeps nothing
//! of it but how far it has come.

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use tidemark_base::protocol::{
    BeginSync, ConfRequest, ConfResponse, EndSync, PREFIX, Role, SetOrder, SetState, Sync, SyncCollection,
    SyncSource, Task, Tip,
};
use tidemark_base::{OpTime, Timestamp};
use tidemark_oplog::initial_sync::BatchReader;
use tidemark_oplog::slice::{Digest, SliceReader};
use tokio::runtime::{Builder, Runtime};

pub(crate) const GROUP: &str = "0123456789abcdef01234567";
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(600);

/// What was sent so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) entries: u64,
    pub(crate) documents: u64,
    pub(crate) plain_bytes: u64,
    pub(crate) stored_bytes: u64,
}

struct Kept {
    task: Task,
    tip: Option<Tip>,
    sync: Option<Sync>,
    sent: Sent,
    /// What was wrong with something that was sent.
    fault: Option<String>,
}

type Shared = Arc<(Mutex<Kept>, Condvar)>;

/// The server, on a port of this machine, as long as this value lives.
pub(crate) struct Sink {
    shared: Shared,
    port: u16,
    _runtime: Runtime,
}

impl Sink {
    /// Wants a copy; or, from a position, the oplog alone.
    pub(crate) fn start(tail_from: Option<OpTime>) -> Result<Self> {
        let (task, tip) = match tail_from {
            Some(at) => (Task::Tail, Some(first_tip(at))),
            None => (Task::Copy, None),
        };
        let kept = Kept { task, tip, sync: None, sent: Sent::default(), fault: None };
        let shared: Shared = Arc::new((Mutex::new(kept), Condvar::new()));
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
        let port = listener.local_addr()?.port();
        let router = Router::new().fallback(handle).with_state(Arc::clone(&shared));
        let router = router.layer(DefaultBodyLimit::max(64 << 20));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Ok(Self { shared, port, _runtime: runtime })
    }

    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Waits until the copy has ended; what was sent.
    pub(crate) fn await_copy(&self) -> Result<Sent> {
        self.await_that(|kept| kept.sync.as_ref().is_some_and(|sync| sync.until.is_some()))
    }

    /// Waits until the oplog reaches an entry; what was sent.
    pub(crate) fn await_tip(&self, ts: Timestamp) -> Result<Sent> {
        self.await_that(|kept| kept.tip.as_ref().is_some_and(|tip| tip.at.ts >= ts))
    }

    fn await_that(&self, holds: impl Fn(&Kept) -> bool) -> Result<Sent> {
        let (kept, news) = &*self.shared;
        let kept = kept.lock().ok().context("the sink has panicked")?;
        let waited = news.wait_timeout_while(kept, PATIENCE, |kept| kept.fault.is_none() && !holds(kept));
        let (kept, _) = waited.ok().context("the sink has panicked")?;
        match &kept.fault {
            Some(fault) => bail!("the agent sent what it should not: {fault}"),
            None if holds(&kept) => Ok(kept.sent),
            None => bail!("the agent has not come to the end in {} s", PATIENCE.as_secs()),
        }
    }
}

fn first_tip(at: OpTime) -> Tip {
    Tip { chain: 1, at, digest: Digest::NONE.to_string(), entry: None }
}

async fn handle(State(shared): State<Shared>, method: Method, uri: Uri, body: Bytes) -> Response {
    let (kept, news) = &*shared;
    let Ok(mut kept) = kept.lock() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let path = uri.path().strip_prefix(PREFIX).unwrap_or_default().to_owned();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let answer = kept.answer(method.as_str(), &parts, &body);
    news.notify_all();
    answer.map(IntoResponse::into_response).unwrap_or_else(|error| {
        kept.fault = Some(format!("{method} {path}: {error:#}"));
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).context("a message that is not understood")
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    Ok(serde_json::to_vec(value)?)
}

impl Kept {
    fn answer(&mut self, method: &str, parts: &[&str], body: &[u8]) -> Result<Vec<u8>> {
        match (method, parts) {
            ("POST", ["conf"]) => json(&self.conf(read(body)?)),
            ("GET", ["sets", _]) => {
                json(&SetState { task: self.task, tip: self.tip.clone(), sync: self.sync.clone() })
            }
            ("POST", ["sets", _, "syncs"]) => self.begin(&read(body)?),
            ("PUT", ["sets", _, "syncs", _, "collections", uuid]) => self.describe(uuid),
            ("POST", ["sets", _, "syncs", _, "collections", uuid, "batches"]) => self.batch(uuid, body),
            ("POST", ["sets", _, "syncs", _, "collections", uuid, "end"]) => {
                let collection = self.collection(uuid)?;
                collection.is_done = true;
                json(collection)
            }
            ("POST", ["sets", _, "syncs", _, "end"]) => {
                let end: EndSync = read(body)?;
                let sync = self.sync.as_mut().context("no copy was begun")?;
                sync.until = Some(end.until);
                self.task = Task::Tail;
                json(sync)
            }
            ("POST", ["sets", _, "slices"]) => self.slice(body),
            _ => bail!("a sink has no answer to that"),
        }
    }

    fn conf(&self, request: ConfRequest) -> ConfResponse {
        let order = |id| SetOrder {
            id,
            role: Role::Active,
            task: self.task,
            excluded_namespaces: Vec::new(),
            sync_source: SyncSource::Secondary,
            throttle_bytes_per_second: None,
            connection: None,
        };
        let sets = request.sets.into_iter().map(|set| order(set.id)).collect();
        ConfResponse { group: GROUP.to_owned(), clock_ms: request.clock_ms, next_ms: 5000, sets }
    }

    fn begin(&mut self, request: &BeginSync) -> Result<Vec<u8>> {
        self.tip = Some(first_tip(request.at));
        let sync = Sync { number: 1, at: request.at, until: None, is_wanted: true, collections: Vec::new() };
        json(self.sync.insert(sync))
    }

    fn collection(&mut self, uuid: &str) -> Result<&mut SyncCollection> {
        let sync = self.sync.as_mut().context("no copy was begun")?;
        let found = sync.collections.iter_mut().find(|it| it.uuid.to_string() == uuid);
        found.context("a collection that was not described")
    }

    fn describe(&mut self, uuid: &str) -> Result<Vec<u8>> {
        let uuid = uuid.parse().ok().context("no UUID")?;
        let (database, name) = (String::new(), String::new());
        let collection = SyncCollection {
            uuid,
            database,
            name,
            scan: 1,
            next: 0,
            is_done: false,
            documents: 0,
            bytes: 0,
            resume: None,
        };
        let answer = json(&collection);
        self.sync.as_mut().context("no copy was begun")?.collections.push(collection);
        answer
    }

    fn batch(&mut self, uuid: &str, body: &[u8]) -> Result<Vec<u8>> {
        let header = *BatchReader::open(body)?.header();
        self.sent.documents += u64::from(header.documents);
        self.sent.plain_bytes += u64::from(header.plain_len);
        self.sent.stored_bytes += body.len() as u64;
        let collection = self.collection(uuid)?;
        if header.id.number != collection.next {
            bail!("batch {} comes where {} should", header.id.number, collection.next);
        }
        collection.next += 1;
        json(collection)
    }

    fn slice(&mut self, body: &[u8]) -> Result<Vec<u8>> {
        let header = *SliceReader::open(body)?.header();
        let tip = self.tip.as_mut().context("no chain was begun")?;
        if header.previous.at != tip.at {
            bail!("a slice after {} comes where the tip is {}", header.previous.at, tip.at);
        }
        self.sent.entries += u64::from(header.entries);
        self.sent.plain_bytes += u64::from(header.plain_len);
        self.sent.stored_bytes += body.len() as u64;
        *tip = Tip { chain: 1, at: header.last, digest: header.digest.to_string(), entry: None };
        json(tip)
    }
}
