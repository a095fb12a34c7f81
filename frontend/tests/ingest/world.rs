//! A site with two groups, each with an agent's key, and short words for asking it.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::{Arc, Mutex};
use tidemark_base::clock::ManualClock;
use tidemark_base::protocol::{BeginSync, ConfRequest, ConfResponse, Refusal, SetReport, SetState, Sync};
use tidemark_base::{SeededEntropy, UnixMillis};
use tidemark_blockstore::{Backend, MemoryBackend, Store};
use tidemark_frontend::ingest::{Ingest, Limits, Space, router};
use tidemark_frontend::metrics::Metrics;
use tidemark_frontend::site::{Parts, Site};
use tidemark_metadata::{
    BackupConfig, GroupId, MemoryStore, Metadata, Name, Ordered, ReplicaSetId, SealingKey, Status, UserId,
};
use tower::ServiceExt as _;

pub(crate) const NOW: UnixMillis = UnixMillis(1_795_341_091_408);
pub(crate) const SET: &str = "0123456789abcdef01234567";

pub(crate) struct World {
    pub(crate) site: Site,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) metrics: Metrics,
    pub(crate) router: Router,
    pub(crate) group: GroupId,
    pub(crate) key: String,
    pub(crate) other_key: String,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub(crate) fn ok<T: DeserializeOwned>(&self) -> T {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        serde_json::from_slice(&self.bytes).unwrap()
    }

    #[track_caller]
    pub(crate) fn refusal(&self) -> (u16, Refusal) {
        assert!(!self.status.is_success(), "{}", self.text());
        let refusal: Refusal = serde_json::from_slice(&self.bytes).unwrap();
        assert!(refusal.message.len() > 10, "{refusal:?}");
        (self.status.as_u16(), refusal)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

pub(crate) fn memory() -> Arc<MemoryBackend> {
    Arc::new(MemoryBackend::new(&mut SeededEntropy::new(1)))
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(memory(), None, Limits::default())
    }

    pub(crate) fn with(backend: Arc<dyn Backend>, space: Option<Space>, limits: Limits) -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        let metadata = Metadata::new(Arc::new(MemoryStore::new()));
        let mut random = SeededEntropy::new(7);
        let mut group = |name: &str| {
            let group = metadata.create_group(Name::new(name).unwrap(), NOW, &mut random).unwrap();
            let (by, name) = (UserId::from_bytes([1; 12]), Name::new("key").unwrap());
            let key = metadata.create_agent_key(group.id, name, by, NOW, &mut random).unwrap();
            (group.id, key.reveal().to_owned())
        };
        let ((ours, key), (_, other_key)) = (group("ours"), group("theirs"));
        let site = Site::new(Parts {
            metadata,
            store: Store::new(backend),
            sealing: SealingKey::from_bytes(&[5; 32]),
            clock: clock.clone(),
            entropy: Mutex::new(Box::new(random)),
            public_url: "https://backup.example.com:8080".to_owned(),
        });
        let metrics = Metrics::new();
        let router = router(Ingest::new(site.clone(), metrics.clone(), space, limits));
        Self { site, clock, metrics, router, group: ours, key, other_key }
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        &self.site.parts().metadata
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, bytes }
    }

    /// Asks with the key of our group; a body says how long it is.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Vec<u8>) -> Answer {
        self.ask_with(&self.key, method, path, body).await
    }

    pub(crate) async fn ask_with(&self, key: &str, method: Method, path: &str, body: Vec<u8>) -> Answer {
        self.send(request(key, method, path, body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, Vec::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &impl Serialize) -> Answer {
        self.ask(Method::POST, path, serde_json::to_vec(body).unwrap()).await
    }

    pub(crate) async fn conf(&self, request: &ConfRequest) -> ConfResponse {
        self.post("/agent/v1/conf", request).await.ok()
    }

    pub(crate) async fn state(&self) -> SetState {
        self.get(&of_set("")).await.ok()
    }

    /// Changes the status, as a person or the daemon would.
    pub(crate) fn becomes(&self, status: Status, ordered: Ordered) {
        let change =
            |config: &mut BackupConfig| config.set_status(status, ordered, self.site.parts().clock.now());
        self.metadata().change(&self.config_id(), change).unwrap();
    }

    pub(crate) fn config_id(&self) -> String {
        BackupConfig::id_of(self.group, SET.parse::<ReplicaSetId>().unwrap())
    }

    pub(crate) fn config(&self) -> BackupConfig {
        self.metadata().get::<BackupConfig>(&self.config_id()).unwrap().record
    }

    /// A set that is known, and whose copy is ordered.
    pub(crate) async fn ordered(&self) {
        self.conf(&call("a", vec![report(SET)])).await;
        self.becomes(Status::Provisioning, Ordered::ByUser);
    }

    /// The same, and the copy is begun at second 5.
    pub(crate) async fn begun(&self) -> Sync {
        self.ordered().await;
        self.post(&of_set("/syncs"), &BeginSync { after: None, at: crate::make::at(5) }).await.ok()
    }

    /// The backup of a set that is known is started, and a head stands.
    pub(crate) async fn tailing_from_rest(&self) {
        self.becomes(Status::Provisioning, Ordered::ByUser);
        self.becomes(Status::Started, Ordered::ByService);
    }

    /// A set whose backup follows the oplog, from second 5 on.
    pub(crate) async fn tailing(&self) {
        self.begun().await;
        self.becomes(Status::Started, Ordered::ByService);
    }
}

pub(crate) fn request(key: &str, method: Method, path: &str, body: Vec<u8>) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
    request.header(header::CONTENT_LENGTH, body.len()).body(Body::from(body)).unwrap()
}

pub(crate) fn of_set(rest: &str) -> String {
    format!("/agent/v1/sets/{SET}{rest}")
}

pub(crate) fn call(agent: &str, sets: Vec<SetReport>) -> ConfRequest {
    ConfRequest {
        agent: agent.to_owned(),
        incarnation: "0011223344556677".to_owned(),
        host: "Agent1.example.com".to_owned(),
        version: "0.1.0".to_owned(),
        clock_ms: NOW.0 + 1500,
        is_check: false,
        sets,
    }
}

pub(crate) fn report(id: &str) -> SetReport {
    use tidemark_base::protocol::Member;
    let member = |host: &str, state: &str| Member {
        host: host.to_owned(),
        port: 27017,
        state: state.to_owned(),
        version: "6.0.5".to_owned(),
    };
    SetReport {
        id: id.to_owned(),
        name: "rs0".to_owned(),
        members: vec![member("db1", "PRIMARY"), member("db2", "SECONDARY")],
        source_clock_ms: Some(NOW.0 - 2000),
        majority: Some(crate::make::at(9)),
        oldest: Some(crate::make::at(1)),
        problems: vec!["db2 lags".to_owned()],
    }
}
