//! An agent that ends in good order says so, and the next one to call takes over: nobody waits until its lease is over.
//!
//! Asked by the active agent once all it held is sent. It gives back what is its own and no more: a run that another has
//! taken over from is refused, and changes nothing. An agent that dies says nothing, and its lease ends by time.

use super::Ingest;
use super::caller::OfSet;
use super::conf::incarnation;
use super::refused::{Refused, Result};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use tidemark_base::protocol::{Code, ReleaseRequest};
use tidemark_metadata::Subject;
use tidemark_metadata::rules::lease::Holder;

/// `POST /agent/v1/sets/{set}/release`
pub(crate) async fn release(
    State(ingest): State<Ingest>,
    of: OfSet,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<()>> {
    let request: ReleaseRequest = ingest.inner.room.read_json(&headers, body).await?;
    let incarnation = incarnation(&request.incarnation)?;
    let agent = Holder { name: Subject::new(request.agent)?, incarnation };
    ingest
        .run(move |_, parts| {
            if parts.metadata.release_agent(of.group, of.set, &agent, parts.clock.now())? {
                return Ok(Json(()));
            }
            let why =
                "another agent, or a later start of this one, reads the replica set: nothing is given back";
            Err(Refused::new(Code::NotActive, why))
        })
        .await
}
