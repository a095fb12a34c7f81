//! A client of the public API: answers the challenge as RFC 7616 says, in MD5 or SHA-256.

use crate::rig::{Answer, Rig};
use axum::body::Body;
use axum::http::{Request, header};
use md5::{Digest as _, Md5};
use serde_json::Value;
use sha2::Sha256;

/// The path of the API.
pub(crate) const API: &str = "/api/public/v1.0";

pub(crate) fn md5(text: &str) -> String {
    hex::encode(Md5::digest(text))
}

pub(crate) fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

/// A request, for instance `"PATCH /groups/x"`, without who asks.
pub(crate) fn request(what: &str, body: &str) -> Request<Body> {
    let (method, path) = what.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(format!("{API}{path}"));
    if !body.is_empty() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

/// The nonce of a challenge.
pub(crate) fn nonce_of(challenge: &str) -> String {
    challenge.split("nonce=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

/// The answer to a challenge.
pub(crate) fn answer(
    (public, private): (&str, &str),
    what: &Request<Body>,
    nonce: &str,
    algorithm: &str,
) -> String {
    let hash = if algorithm == "MD5" { md5 } else { sha256 };
    let (method, uri) = (what.method(), what.uri());
    let secret = hash(&format!("{public}:MMS Public API:{private}"));
    let asked = hash(&format!("{method}:{uri}"));
    let response = hash(&format!("{secret}:{nonce}:00000001:abcd:auth:{asked}"));
    format!(
        "Digest username=\"{public}\", realm=\"MMS Public API\", nonce=\"{nonce}\", uri=\"{uri}\", \
         algorithm={algorithm}, qop=auth, nc=00000001, cnonce=\"abcd\", response=\"{response}\""
    )
}

impl Rig {
    /// Asks as the owner of a key: takes the challenge first, as clients do.
    pub(crate) async fn ask(&self, key: &str, what: &str, body: &str) -> Answer {
        let (public, private) = self.keys[key].clone();
        let challenge = self.send(request("GET /groups", "")).await;
        let nonce = nonce_of(challenge.header("www-authenticate"));
        let mut request = request(what, body);
        let answer = answer((&public, &private), &request, &nonce, "MD5");
        request.headers_mut().insert(header::AUTHORIZATION, answer.parse().unwrap());
        self.send(request).await
    }

    /// The same, expecting success; the JSON that came.
    pub(crate) async fn get(&self, key: &str, what: &str, body: &str) -> Value {
        let answer = self.ask(key, what, body).await;
        assert!(answer.status.is_success(), "{what}: {} {}", answer.status, answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    }
}
