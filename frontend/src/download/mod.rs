//! Restore links: whoever holds one fetches a prepared restore as an archive of mongodump, and needs nothing else.
//!
//! A download uses a link once, when its first byte is about to be sent; looking (HEAD) uses nothing. The stream takes
//! bounded memory, and one that cannot be sent to its end is cut, never ended as if it were whole. Every link that opens
//! nothing reads the same. No ranges. The token is in the path, so the path goes into no log and no referrer.

mod body;
mod source;

use crate::actions::Problem;
use crate::site::{Parts, Site};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use body::Pipe;
use source::Prepared;
use std::sync::Arc;
use tidemark_base::ErrorKind;
use tidemark_metadata::{Error, RestoreJob};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Downloads at once: each has a thread, and some MiB.
const AT_ONCE: usize = 16;

#[derive(Clone)]
struct Counter {
    site: Site,
    places: Arc<Semaphore>,
}

/// The restore links of a site.
pub fn router(site: Site) -> Router {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    Router::new().route("/restore/{token}", get(fetch).head(look)).with_state(Counter { site, places })
}

async fn look(State(counter): State<Counter>, Path(token): Path<String>) -> Response {
    let found =
        counter.site.run(move |site| open(site, &token).map(|(job, prepared)| about(&job, &prepared)));
    match found.await {
        Ok(headers) => headers.into_response(),
        Err(problem) => refused(&problem),
    }
}

async fn fetch(State(counter): State<Counter>, Path(token): Path<String>) -> Response {
    // Before the link is used: who has to come again must still have it.
    let Ok(place) = Arc::clone(&counter.places).try_acquire_owned() else { return busy() };
    let opened = counter.site.run(move |site| {
        let (job, prepared) = open(site, &token)?;
        site.metadata.use_link(&token, site.clock.now())?;
        tracing::info!(group = %job.group, restore = %job.id, "a restore is being fetched");
        Ok((about(&job, &prepared), job, prepared))
    });
    match opened.await {
        Ok((headers, job, prepared)) => (headers, stream(job, prepared, place)).into_response(),
        Err(problem) => refused(&problem),
    }
}

/// What is behind a link, opened.
fn open(site: &Parts, token: &str) -> Result<(RestoreJob, Prepared), Problem> {
    let job = site.metadata.look_at_link(token, site.clock.now())?;
    let prepared = source::open(site, &job)?;
    Ok((job, prepared))
}

/// Sends it from a thread of its own, as fast as it is taken.
fn stream(job: RestoreJob, prepared: Prepared, place: OwnedSemaphorePermit) -> axum::body::Body {
    let known = (!job.gzip).then_some(prepared.bytes());
    let (mut pipe, body) = Pipe::new(known);
    // Not awaited: it ends with the body, or when nobody takes it any more.
    drop(tokio::task::spawn_blocking(move || {
        let _place = place;
        match prepared.write(&mut pipe, job.gzip) {
            Ok(()) => pipe.end(),
            Err(error) => {
                tracing::warn!(group = %job.group, restore = %job.id, %error, "a download was cut");
                pipe.cut();
            }
        }
    }));
    axum::body::Body::new(body)
}

fn about(job: &RestoreJob, prepared: &Prepared) -> HeaderMap {
    let ending = if job.gzip { ".archive.gz" } else { ".archive" };
    let name = format!("{}-{}{ending}", job.replica_set, prepared.at().ts.secs);
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    let mut headers = private();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("none"));
    if let Ok(disposition) = disposition {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    if !job.gzip {
        headers.insert(header::CONTENT_LENGTH, prepared.bytes().into());
    }
    headers
}

/// For every answer: nobody keeps it, and nobody is told where it came from.
fn private() -> HeaderMap {
    let fixed = [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("content-security-policy"), "default-src 'none'; frame-ancestors 'none'"),
    ];
    fixed.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect()
}

fn refused(problem: &Problem) -> Response {
    match problem {
        Problem::Metadata(Error::NotFound { .. }) => {
            let text =
                "no such restore link: it is wrong, used up, revoked or has expired: ask for a new one\n";
            (StatusCode::NOT_FOUND, private(), text).into_response()
        }
        other if other.kind() == ErrorKind::Retry => busy(),
        other => {
            tracing::error!(error = %other, "a prepared restore cannot be opened");
            let text = "this restore cannot be read: the server's log says why. The link was not used up\n";
            (StatusCode::INTERNAL_SERVER_ERROR, private(), text).into_response()
        }
    }
}

fn busy() -> Response {
    let mut headers = private();
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("10"));
    let text = "too many downloads at once: try again in a moment. The link was not used up\n";
    (StatusCode::SERVICE_UNAVAILABLE, headers, text).into_response()
}
