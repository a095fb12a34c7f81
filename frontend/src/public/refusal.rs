//! What is answered instead of what was asked for: `{error, errorCode, reason, detail}`, as Ops Manager's clients expect.

use crate::actions::Problem;
use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tidemark_base::ErrorKind;

/// A refusal: status, code for programs, words for people.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    code: &'static str,
    detail: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into() }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let (status, code) = match (&problem, problem.kind()) {
            // The same for a group that does not exist, so that nobody learns which do.
            (Problem::NotInGroup, _) => (StatusCode::FORBIDDEN, "NOT_IN_GROUP"),
            (Problem::Forbidden { .. }, _) => (StatusCode::FORBIDDEN, "USER_UNAUTHORIZED"),
            (it, _) if it.is_of_the_moment() => (StatusCode::CONFLICT, "NOT_ALLOWED_NOW"),
            (_, ErrorKind::Invalid) => (StatusCode::BAD_REQUEST, "INVALID_ATTRIBUTE"),
            (_, ErrorKind::NotFound) => (StatusCode::NOT_FOUND, "RESOURCE_NOT_FOUND"),
            (_, ErrorKind::Conflict) => (StatusCode::CONFLICT, "CONCURRENT_CHANGE"),
            (_, ErrorKind::Retry) => (StatusCode::SERVICE_UNAVAILABLE, "SERVICE_BUSY"),
            (_, ErrorKind::Corrupt | ErrorKind::Fenced | ErrorKind::Internal) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "UNEXPECTED_ERROR")
            }
        };
        if status.is_server_error() {
            tracing::error!(error = %problem, "a request of the public API failed");
        }
        Self::new(status, code, problem.told())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self { status, code, detail } = self;
        let reason = status.canonical_reason().unwrap_or_default();
        let body = json!({"error": status.as_u16(), "errorCode": code, "reason": reason, "detail": detail});
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("5"));
        }
        response
    }
}

/// For paths that do not exist.
pub(super) async fn unknown_path() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_FOUND", "there is no such resource in this API")
}

/// For methods that a path does not have.
pub(super) async fn unknown_method() -> Refusal {
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "METHOD_NOT_ALLOWED",
        "this resource does not have that method",
    )
}
