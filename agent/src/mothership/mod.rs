//! The client of the Backup HTTP server: one attempt at one request, or attempts until it is answered.
//!
//! Used by the conf loop, the copy, the tail and the check. What it is asked is what `docs/protocol.md` lists, in
//! `requests.rs`. Of several addresses the one that worked last is asked; one that cannot be reached makes room for the
//! next. The key goes into a header marked as sensitive and nowhere else; redirects are not followed, since they
//! would carry it away.

mod answer;
mod requests;

pub(crate) use requests::Copied;

use crate::backoff::Backoff;
use crate::config::{Config, Secret};
use crate::{Error, Result};
use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Certificate, Client, Method, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tidemark_base::ErrorKind;
use tidemark_base::protocol::{PREFIX, RESUME_HEADER};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// What every request may take, and each 64 KiB of its body more; the server gives bodies as much.
const LEAST_TIMEOUT: Duration = Duration::from_secs(60);
const BYTES_PER_SECOND: u64 = 64 << 10;

/// The Backup HTTP server.
#[derive(Debug)]
pub(crate) struct Mothership {
    http: Client,
    addresses: Vec<String>,
    /// The address that is asked.
    at: AtomicUsize,
    key: HeaderValue,
}

/// A request, without the server's address.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: Method,
    path: String,
    body: Bytes,
    content_type: &'static str,
    resume: Option<HeaderValue>,
}

impl Request {
    /// A question.
    fn get(path: String) -> Self {
        Self { method: Method::GET, path, body: Bytes::new(), content_type: JSON, resume: None }
    }

    /// A message.
    fn post(path: String, message: &impl Serialize) -> Self {
        let body = serde_json::to_vec(message).expect("messages are plain values with names as keys");
        Self { method: Method::POST, path, body: body.into(), content_type: JSON, resume: None }
    }

    /// Bytes.
    const fn bytes(method: Method, path: String, body: Bytes, content_type: &'static str) -> Self {
        Self { method, path, body, content_type, resume: None }
    }
}

const JSON: &str = "application/json";

impl Mothership {
    /// A client of the server that a configuration names. Nothing is sent.
    pub(crate) fn new(config: &Config) -> Result<Self> {
        install_crypto();
        let mut builder = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(redirect::Policy::none())
            .tcp_nodelay(true)
            .user_agent(concat!("tidemark-agent/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &config.ca_file {
            let failed = |source| Error::Io { what: format!("read {}", path.display()), source };
            let pem = std::fs::read(path).map_err(failed)?;
            let certificates = Certificate::from_pem_bundle(&pem).unwrap_or_default();
            if certificates.is_empty() {
                return Err(Error::Config(format!("{} holds no certificate in PEM form", path.display())));
            }
            builder = builder.tls_certs_only(certificates);
        }
        let http =
            builder.build().map_err(|error| Error::Config(format!("TLS: {}", answer::words(&error))))?;
        Ok(Self {
            http,
            addresses: config.motherships.clone(),
            at: AtomicUsize::new(0),
            key: bearer(&config.key)?,
        })
    }

    /// The addresses, for who asks each of them.
    pub(crate) fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// Asks once. An address that cannot be reached is not the next one to be asked.
    pub(crate) async fn once<T: DeserializeOwned>(&self, request: &Request) -> Result<T> {
        let at = self.at.load(Ordering::Relaxed);
        let address = self.addresses.get(at % self.addresses.len()).expect("a remainder is an index");
        let outcome = self.ask(address, request).await;
        if matches!(outcome, Err(Error::Unreachable { .. } | Error::Answer { .. })) {
            // Another task may have moved on already: then that is enough.
            let _ = self.at.compare_exchange(at, at.wrapping_add(1), Ordering::Relaxed, Ordering::Relaxed);
        }
        outcome
    }

    /// Asks until it is answered, or refused for a reason that more attempts do not change.
    pub(crate) async fn ask_until_answered<T: DeserializeOwned>(&self, request: &Request) -> Result<T> {
        let mut backoff = Backoff::default();
        loop {
            let error = match self.once(request).await {
                Err(error) if error.kind() == ErrorKind::Retry => error,
                other => return other,
            };
            let pause = match &error {
                Error::Refused { retry_after: Some(wanted), .. } => backoff.next().max(*wanted),
                _ => backoff.next(),
            };
            tracing::warn!(path = request.path, "{error}; trying again in {} ms", pause.as_millis());
            tokio::time::sleep(pause).await;
        }
    }

    /// Asks one address once.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, address: &str, request: &Request) -> Result<T> {
        let url = format!("{address}{PREFIX}{}", request.path);
        let timeout = LEAST_TIMEOUT + Duration::from_secs(request.body.len() as u64 / BYTES_PER_SECOND);
        let mut builder = self
            .http
            .request(request.method.clone(), url)
            .header(AUTHORIZATION, self.key.clone())
            .timeout(timeout);
        if request.method != Method::GET {
            builder = builder.header(CONTENT_TYPE, request.content_type).body(request.body.clone());
        }
        if let Some(resume) = &request.resume {
            builder = builder.header(RESUME_HEADER, resume.clone());
        }
        let unreachable =
            |error| Error::Unreachable { server: address.to_owned(), why: answer::words(&error) };
        answer::read(address, builder.send().await.map_err(unreachable)?).await
    }
}

fn bearer(key: &Secret) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", key.reveal())).map_err(|_| {
        Error::Config("mmsApiKey must be letters, digits and signs without spaces".to_owned())
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// The one provider of cryptography, unless the program has chosen already.
fn install_crypto() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may have been faster, with the same.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
}
