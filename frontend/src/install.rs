//! What an agent's host needs: the agent itself, the CA, a systemd unit, and a script that puts them in place.
//!
//! Nothing here is secret, so nothing asks who comes; nothing here is to be trusted, either, before the CA is: the lines
//! of [`snippet`], which people copy from a page they have logged in to, fetch the CA first, hold it against its
//! fingerprint, and trust the server by it for all the rest.

use crate::site::Site;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::fs::File;
use tokio_util::io::ReaderStream;

const UNIT: &str = include_str!("install/tidemark-agent.service");
const SCRIPT: &str = include_str!("install/agent.sh");

/// What is served.
pub struct Parcel {
    /// The agent's program, if this installation has it.
    pub agent: Option<PathBuf>,
    /// The CA's certificate, as PEM; none if the server's certificate comes from elsewhere.
    pub ca_pem: Option<String>,
    /// How agents reach 8081, for instance `https://backup.example.com:8081`.
    pub mothership: String,
}

#[derive(Clone)]
struct Shop {
    site: Site,
    parcel: Arc<Parcel>,
}

/// `/install/agent`, `/install/agent.sh`, `/install/ca.pem`, `/install/unit`.
pub fn router(site: Site, parcel: Parcel) -> Router {
    Router::new()
        .route("/install/agent", get(agent))
        .route("/install/agent.sh", get(script))
        .route("/install/ca.pem", get(ca))
        .route("/install/unit", get(|| async { text(UNIT.to_owned()) }))
        .with_state(Shop { site, parcel: Arc::new(parcel) })
}

/// The lines that install an agent on a host, for people to copy. The agent's key is asked for at the end, and is in
/// none of them.
#[must_use]
pub fn snippet(public_url: &str, fingerprint: Option<&str>, group: &str) -> String {
    let Some(fingerprint) = fingerprint else {
        return format!("curl -fsS {public_url}/install/agent.sh | sudo sh -s -- {group}\n");
    };
    // The sum of the certificate itself, whatever lines it is written in; needs no openssl.
    format!(
        "curl -fsSk {public_url}/install/ca.pem -o tidemark-ca.pem &&\n\
         test \"$(sed '/-----/d' tidemark-ca.pem | base64 -d | sha256sum | cut -d' ' -f1)\" = {fingerprint} &&\n\
         curl -fsS --cacert tidemark-ca.pem {public_url}/install/agent.sh -o tidemark-agent.sh &&\n\
         sudo sh tidemark-agent.sh {group} tidemark-ca.pem\n"
    )
}

async fn script(State(shop): State<Shop>) -> Response {
    let script = SCRIPT.replace("@PUBLIC_URL@", &shop.site.parts().public_url);
    text(script.replace("@MOTHERSHIP@", &shop.parcel.mothership))
}

async fn ca(State(shop): State<Shop>) -> Response {
    match &shop.parcel.ca_pem {
        Some(pem) => text(pem.clone()),
        None => gone("this server's certificate is not of a CA of its own"),
    }
}

async fn agent(State(shop): State<Shop>) -> Response {
    let Some(path) = &shop.parcel.agent else { return gone("this installation has no agent to hand out") };
    let opened = async {
        let file = File::open(path).await?;
        let len = file.metadata().await?.len();
        Ok::<_, std::io::Error>((file, len))
    };
    match opened.await {
        Ok((file, len)) => {
            let headers = [
                (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
                (header::CONTENT_LENGTH, len.to_string()),
            ];
            (headers, Body::from_stream(ReaderStream::new(file))).into_response()
        }
        Err(error) => {
            tracing::error!(%error, path = %path.display(), "the agent to hand out cannot be read");
            gone("this installation has no agent to hand out")
        }
    }
}

fn text(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

fn gone(why: &'static str) -> Response {
    (StatusCode::NOT_FOUND, format!("{why}\n")).into_response()
}

#[cfg(test)]
mod tests;
