//! Whether it works, and how well: `/health` for load balancers, `/metrics` for Prometheus.
//!
//! Counts are kept in memory and of this process alone. How far each backup is comes out of the stores at the moment it
//! is asked for, so any front-end says the same. Metrics name groups and replica sets, so they need a token; health says
//! nothing but whether.

mod sets;

use crate::ingest::RefusalCode;
use crate::site::Site;
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::sync::Arc;
use tidemark_metadata::Site as SiteRecord;
use tokio::sync::Semaphore;

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is counted. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

struct Inner {
    registry: Registry,
    uploads: Family<Kind, Counter>,
    upload_bytes: Family<Kind, Counter>,
    upload_items: Family<Kind, Counter>,
    refusals: Family<Why, Counter>,
    requests: Family<Route, Histogram>,
    /// Whoever looks at all sets does so alone.
    looking: Semaphore,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Why {
    code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    method: String,
    route: String,
    status: u16,
}

const SLICE: Kind = Kind { kind: "slice" };
const BATCH: Kind = Kind { kind: "batch" };

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("tidemark");
        let (uploads, upload_bytes, upload_items) = (Family::default(), Family::default(), Family::default());
        let refusals = Family::default();
        // From a millisecond to half a minute.
        let latency = || Histogram::new(exponential_buckets(0.001, 2.0, 16));
        let requests = Family::<Route, Histogram>::new_with_constructor(latency);
        registry.register("uploads", "Slices and batches that were stored", uploads.clone());
        registry.register("upload_bytes", "Their length as they were sent", upload_bytes.clone());
        registry.register("upload_items", "Oplog entries and documents in them", upload_items.clone());
        registry.register("refusals", "Requests of agents that were refused", refusals.clone());
        registry.register("request_seconds", "How long requests took", requests.clone());
        let looking = Semaphore::new(1);
        let inner = Inner { registry, uploads, upload_bytes, upload_items, refusals, requests, looking };
        Self { inner: Arc::new(inner) }
    }
}

impl Metrics {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn slice(&self, bytes: usize, entries: u32) {
        self.stored(&SLICE, bytes, entries);
    }

    pub(crate) fn batch(&self, bytes: usize, documents: u32) {
        self.stored(&BATCH, bytes, documents);
    }

    fn stored(&self, kind: &Kind, bytes: usize, items: u32) {
        self.inner.uploads.get_or_create(kind).inc();
        self.inner.upload_bytes.get_or_create(kind).inc_by(bytes as u64);
        self.inner.upload_items.get_or_create(kind).inc_by(items.into());
    }
}

/// Counts a request, and how long it took: for a layer. Paths are counted as they are written in the router, so that
/// nobody can make up new ones.
pub(crate) async fn measure(
    State((metrics, site)): State<(Metrics, Site)>,
    request: Request,
    next: Next,
) -> Response {
    let began = site.parts().clock.monotonic();
    let method = request.method().to_string();
    let route = request.extensions().get::<MatchedPath>().map(|it| it.as_str().to_owned());
    let response = next.run(request).await;
    if let Some(RefusalCode(code)) = response.extensions().get() {
        let code = serde_json::to_value(code).ok().and_then(|it| it.as_str().map(str::to_owned));
        metrics.inner.refusals.get_or_create(&Why { code: code.unwrap_or_default() }).inc();
    }
    if let Some(route) = route {
        let took = site.parts().clock.monotonic().saturating_sub(began);
        let route = Route { method, route, status: response.status().as_u16() };
        metrics.inner.requests.get_or_create(&route).observe(took.as_secs_f64());
    }
    response
}

#[derive(Clone)]
struct Watched {
    site: Site,
    metrics: Metrics,
    /// The hash of the token, so that comparing takes as long whatever is shown.
    token: Option<blake3::Hash>,
}

/// `/health`, and `/metrics` for whoever shows the token; without one there is no `/metrics`.
pub fn router(site: Site, metrics: Metrics, token: Option<&str>) -> Router {
    let token = token.map(|it| blake3::hash(it.as_bytes()));
    Router::new().route("/health", get(health)).route("/metrics", get(show)).with_state(Watched {
        site,
        metrics,
        token,
    })
}

/// Whether both stores answer.
async fn health(State(Watched { site, .. }): State<Watched>) -> Response {
    let failed = site
        .run(|parts| {
            let metadata = parts.metadata.page::<SiteRecord>(tidemark_metadata::By::IdPrefix(""), None, 1);
            let metadata =
                metadata.inspect_err(|error| tracing::error!(%error, "the metadata do not answer"));
            let store = parts.store.get_ref("health");
            let store = store.inspect_err(|error| tracing::error!(%error, "the blockstore does not answer"));
            [metadata.is_err().then_some("metadata"), store.is_err().then_some("blockstore")]
        })
        .await;
    let failed: Vec<&str> = failed.into_iter().flatten().collect();
    if failed.is_empty() {
        return (StatusCode::OK, "ok\n").into_response();
    }
    let text = format!("failing: {}; the log says why\n", failed.join(", "));
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

async fn show(State(watched): State<Watched>, headers: HeaderMap) -> Response {
    let Some(token) = watched.token else {
        return (StatusCode::NOT_FOUND, "no token for metrics is set\n").into_response();
    };
    let shown = headers.get(header::AUTHORIZATION).and_then(|it| it.as_bytes().strip_prefix(b"Bearer "));
    // Hashes compare in constant time.
    if shown.map(blake3::hash) != Some(token) {
        let refused = (StatusCode::UNAUTHORIZED, "metrics need the token that was set for them\n");
        return ([(header::WWW_AUTHENTICATE, "Bearer")], refused).into_response();
    }
    let Ok(_alone) = watched.metrics.inner.looking.try_acquire() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "somebody else is asking just now\n").into_response();
    };
    let sets = watched.site.run(sets::figures).await;
    let mut text = String::new();
    let mut encoded = encode_both(&mut text, &watched.metrics, &sets);
    if sets.is_err() {
        encoded = encoded.and(Err(std::fmt::Error));
    }
    match encoded {
        Ok(()) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "the stores do not answer; the log says why\n").into_response()
        }
    }
}

fn encode_both(
    text: &mut String,
    metrics: &Metrics,
    sets: &Result<Registry, tidemark_metadata::Error>,
) -> std::fmt::Result {
    prometheus_client::encoding::text::encode_registry(text, &metrics.inner.registry)?;
    match sets {
        Ok(sets) => encode(text, sets),
        Err(error) => {
            tracing::error!(%error, "the metadata do not answer");
            Ok(())
        }
    }
}
