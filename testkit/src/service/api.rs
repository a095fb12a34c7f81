//! A client of the public API, with HTTP digest as RFC 7616 says.

use super::Result;
use md5::{Digest as _, Md5};
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use reqwest::{Certificate, Method, StatusCode};
use serde_json::Value;
use std::time::Duration;

const PREFIX: &str = "/api/public/v1.0";

/// A client with one key.
pub struct Api {
    client: Client,
    url: String,
    public: String,
    private: String,
}

impl Api {
    /// A client that trusts this CA alone.
    ///
    /// # Errors
    /// If the certificate is none.
    pub(super) fn new(url: &str, ca_pem: &[u8], public: String, private: String) -> Result<Self> {
        // Another part of the process may have done it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::builder()
            .tls_certs_only([Certificate::from_pem(ca_pem)?])
            .timeout(Duration::from_secs(600))
            // A connection that is kept may be let go by the server just when it is used again.
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Self { client, url: url.to_owned(), public, private })
    }

    /// Where people look at it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether somebody answers.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.client.get(format!("{}/health", self.url)).send().is_ok_and(|it| it.status().is_success())
    }

    /// Asks for something, for instance `/groups`.
    ///
    /// # Errors
    /// If it is refused, with the reason.
    pub fn get(&self, path: &str) -> Result<Value> {
        self.ask(&Method::GET, path, None)
    }

    /// Makes something.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.ask(&Method::POST, path, Some(body))
    }

    /// Changes something.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn patch(&self, path: &str, body: &Value) -> Result<Value> {
        self.ask(&Method::PATCH, path, Some(body))
    }

    /// Fetches what stands behind a link.
    ///
    /// # Errors
    /// If it is refused.
    pub fn fetch(&self, link: &str) -> Result<Response> {
        Ok(self.client.get(link).send()?.error_for_status()?)
    }

    fn ask(&self, method: &Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let uri = format!("{PREFIX}{path}");
        let challenge = self.request(method, &uri, body).send()?;
        if challenge.status() != StatusCode::UNAUTHORIZED {
            return Err(format!("{method} {path}: {} without a key", challenge.status()).into());
        }
        let header = challenge.headers().get(WWW_AUTHENTICATE).and_then(|it| it.to_str().ok());
        let nonce = header.and_then(|it| it.split("nonce=\"").nth(1)?.split('"').next());
        let nonce = nonce.ok_or("a challenge without a nonce")?;
        let answer = self.request(method, &uri, body).header(AUTHORIZATION, self.proof(method, &uri, nonce));
        let answer = answer.send()?;
        let (status, text) = (answer.status(), answer.text()?);
        if !status.is_success() {
            return Err(format!("{method} {path}: {status}: {text}").into());
        }
        if text.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&text)?) }
    }

    fn request(&self, method: &Method, uri: &str, body: Option<&Value>) -> RequestBuilder {
        let request = self.client.request(method.clone(), format!("{}{uri}", self.url));
        match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string()),
            None => request,
        }
    }

    fn proof(&self, method: &Method, uri: &str, nonce: &str) -> String {
        let md5 = |text: String| hex::encode(Md5::digest(text));
        let Self { public, private, .. } = self;
        let secret = md5(format!("{public}:MMS Public API:{private}"));
        let asked = md5(format!("{method}:{uri}"));
        let response = md5(format!("{secret}:{nonce}:00000001:abcd:auth:{asked}"));
        format!(
            "Digest username=\"{public}\", realm=\"MMS Public API\", nonce=\"{nonce}\", uri=\"{uri}\", \
             algorithm=MD5, qop=auth, nc=00000001, cnonce=\"abcd\", response=\"{response}\""
        )
    }
}
