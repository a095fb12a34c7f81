//! What an agent's host needs: the agent itself, the CA, a systemd unit, and a script that puts them in place.
//!
//! Nothing here is secret, so nothing asks who comes; nothing here is to be trusted, either, before the CA is: the lines
//! of [`Trust`], which people copy from a page they have logged in to, fetch the CA first, hold it against its
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

/// How whoever copies lines from a page comes to trust this server.
#[derive(Clone, Debug)]
pub struct Trust {
    /// How browsers reach 8080, without a slash at the end.
    pub public_url: String,
    /// The SHA-256 of the CA's certificate; none if everybody trusts the server's certificate already.
    pub fingerprint: Option<String>,
}

impl Trust {
    /// The lines that install an agent on a host, for people to copy. The agent's key is asked for at the end, and is in
    /// none of them.
    #[must_use]
    pub fn agent(&self, group: &str) -> String {
        let url = &self.public_url;
        match self.ca() {
            None => format!("curl -fsS {url}/install/agent.sh | sudo sh -s -- {group}\n"),
            Some(ca) => format!(
                "{ca}curl -fsS --cacert tidemark-ca.pem {url}/install/agent.sh -o tidemark-agent.sh &&\n\
                 sudo sh tidemark-agent.sh {group} tidemark-ca.pem\n"
            ),
        }
    }

    /// The lines that restore what is behind a link.
    #[must_use]
    pub fn download(&self, link: &str, is_packed: bool) -> String {
        let (ca, packed) = (self.ca(), if is_packed { " --gzip" } else { "" });
        let trusted = if ca.is_some() { " --cacert tidemark-ca.pem" } else { "" };
        let ca = ca.unwrap_or_default();
        format!("{ca}curl -fsS{trusted} '{link}' | mongorestore --archive{packed}\n")
    }

    /// The lines that fetch the CA and hold it against its fingerprint.
    fn ca(&self) -> Option<String> {
        let (url, fingerprint) = (&self.public_url, self.fingerprint.as_ref()?);
        // The sum of the certificate itself, whatever lines it is written in; needs no openssl.
        Some(format!(
            "curl -fsSk {url}/install/ca.pem -o tidemark-ca.pem &&\n\
             test \"$(sed '/-----/d' tidemark-ca.pem | base64 -d | sha256sum | cut -d' ' -f1)\" = {fingerprint} &&\n"
        ))
    }
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
