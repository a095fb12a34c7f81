//! Bodies of requests: JSON, bounded, of known fields only. What is refused is not quoted: it may hold a password.

use super::refusal::Refusal;
use crate::site::Site;
use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;

/// Longest body.
const MAX_BODY_BYTES: usize = 64 << 10;

/// A body.
pub(super) struct Input<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Site> for Input<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &Site) -> Result<Self, Refusal> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
        let kind = kind.and_then(|it| it.split(';').next()).map(str::trim);
        // A browser that keeps a key can be made to send other kinds by any page.
        if !kind.is_some_and(|it| it.eq_ignore_ascii_case("application/json")) {
            let detail = "say Content-Type: application/json";
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", detail));
        }
        let bytes = to_bytes(request.into_body(), MAX_BODY_BYTES).await.map_err(|_| {
            let detail = format!("the body must arrive whole, and have at most {MAX_BODY_BYTES} bytes");
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", detail)
        })?;
        serde_json::from_slice(&bytes).map(Input).map_err(|error| {
            let problem = if error.is_data() {
                "a field is unknown, missing or of the wrong kind"
            } else {
                "it is not JSON"
            };
            let detail = format!("the body: {problem}, at line {} column {}", error.line(), error.column());
            Refusal::new(StatusCode::BAD_REQUEST, "INVALID_JSON", detail)
        })
    }
}
