//! What is shown instead of a page.

use super::render::{Top, page};
use crate::actions::Problem;
use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tidemark_base::ErrorKind;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    top: Top,
    text: &'a str,
}

/// A page that says what is wrong.
pub(crate) fn error(status: StatusCode, text: &str) -> Response {
    let reason = status.canonical_reason().unwrap_or("Error").to_owned();
    (status, page(&ErrorPage { top: Top::of_nobody(reason), text })).into_response()
}

/// A page that says why something was not done.
pub(crate) fn refused(problem: &Problem) -> Response {
    let status = match (problem, problem.kind()) {
        (Problem::NotInGroup, _) => StatusCode::NOT_FOUND,
        (Problem::Forbidden { .. }, _) => StatusCode::FORBIDDEN,
        (it, _) if it.is_of_the_moment() => StatusCode::CONFLICT,
        (_, ErrorKind::Invalid) => StatusCode::BAD_REQUEST,
        (_, ErrorKind::NotFound) => StatusCode::NOT_FOUND,
        (_, ErrorKind::Conflict) => StatusCode::CONFLICT,
        (_, ErrorKind::Retry) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    if status.is_server_error() {
        tracing::error!(error = %problem, "a page could not be shown");
    }
    let mut response = error(status, &problem.told());
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

/// A problem as the answer to a request.
#[derive(Debug)]
pub(super) struct Fault(Problem);

impl<P: Into<Problem>> From<P> for Fault {
    fn from(problem: P) -> Self {
        Self(problem.into())
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        refused(&self.0)
    }
}

/// What a handler of a page answers.
pub(super) type Shown = Result<Response, Fault>;
