//! The Backup HTTP server: what agents say and send (`docs/protocol.md`), on port 8081.
//!
//! Every request goes the same way: the key decides the group, the path names the set, the status of its backup is
//! looked at, there is room for the body, it is read, and what blocks is done on a thread that may. Nothing is kept in
//! memory that an answer depends on: the stores are the truth, so any number of front-ends may serve one agent. What is
//! acknowledged is durable; what is not may be sent again.
//!
//! Deliberately not here: what slices and batches mean (`head`), and work on them (the daemon's).

mod appends;
mod body;
mod caller;
mod conf;
mod limits;
mod place;
mod refused;
mod release;
mod seen;
mod slices;
mod state;
mod syncs;
mod turns;

pub use limits::Limits;
pub(crate) use place::head_name;
pub(crate) use refused::RefusalCode;

use crate::metrics::{Metrics, measure};
use crate::site::{Parts, Site};
use appends::Appends;
use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post, put};
use body::Room;
use refused::{Refused, Result};
use std::sync::Arc;
use tidemark_base::protocol::{Code, PREFIX};

/// What the Backup HTTP server works with. Cheap to clone.
#[derive(Clone)]
pub struct Ingest {
    inner: Arc<Inner>,
}

/// How much room the store has, and how much of it uploads leave free.
pub struct Space {
    /// What is free, in bytes; none if that cannot be said.
    pub free: Box<dyn Fn() -> Option<u64> + Send + Sync>,
    /// Below this, uploads are refused.
    pub floor_bytes: u64,
}

struct Inner {
    site: Site,
    appends: Appends,
    room: Room,
    space: Option<Space>,
    metrics: Metrics,
}

impl Ingest {
    /// A server of this site.
    #[must_use]
    pub fn new(site: Site, metrics: Metrics, space: Option<Space>, limits: Limits) -> Self {
        let inner = Inner { site, appends: Appends::default(), room: Room::new(limits), space, metrics };
        Self { inner: Arc::new(inner) }
    }

    /// Does something that blocks, on a thread that may.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner, &Parts) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = Arc::clone(&self.inner);
        self.inner.site.run(move |parts| work(&inner, parts)).await
    }
}

impl Inner {
    /// Refuses an upload for which there is no room, before the disk is full and nothing else works either.
    fn check_space(&self) -> Result<()> {
        let free = self.space.as_ref().and_then(|it| Some(((it.free)()?, it.floor_bytes)));
        match free {
            Some((free, floor)) if free < floor => {
                tracing::warn!(free, floor, "an upload was refused: too little room is left");
                Err(Refused::full())
            }
            _ => Ok(()),
        }
    }
}

/// Everything that agents may ask for.
pub fn router(ingest: Ingest) -> Router {
    let sets = Router::new()
        .route("/", get(state::state))
        .route("/syncs", post(syncs::begin))
        .route("/syncs/{sync}/end", post(syncs::end))
        .route("/syncs/{sync}/collections/{uuid}", put(syncs::describe))
        .route("/syncs/{sync}/collections/{uuid}/batches", post(syncs::append))
        .route("/syncs/{sync}/collections/{uuid}/rescan", post(syncs::rescan))
        .route("/syncs/{sync}/collections/{uuid}/end", post(syncs::end_scan))
        .route("/slices", post(slices::append))
        .route("/ends", get(slices::ends))
        .route("/fork", post(turns::fork))
        .route("/lost", post(turns::lost))
        .route("/release", post(release::release));
    let (metrics, site) = (ingest.inner.metrics.clone(), ingest.inner.site.clone());
    Router::new()
        .route(&format!("{PREFIX}/conf"), post(conf::conf))
        .nest(&format!("{PREFIX}/sets/{{set}}"), sets)
        .fallback(|| async { Refused::new(Code::NotFound, "there is no such request; see docs/protocol.md") })
        .method_not_allowed_fallback(|| async {
            let refused = Refused::invalid("this is not how it is asked for; see docs/protocol.md");
            refused.with_status(StatusCode::METHOD_NOT_ALLOWED)
        })
        .layer(from_fn_with_state((metrics, site), measure))
        .with_state(ingest)
}
