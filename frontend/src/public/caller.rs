//! Whose API key a request shows, by HTTP digest.

use super::refusal::Refusal;
use crate::actions::Actor;
use crate::login::digest::{Answer, challenges};
use crate::login::nonce::{self, Judged};
use crate::site::{Parts, Site};
use axum::extract::OriginalUri;
use axum::http::request::Parts as Head;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tidemark_metadata::rules::roles::Principal;
use tidemark_metadata::{ApiKey, Error, Subject};

/// What was found of an answer to the challenge.
enum Found {
    Known(Box<Actor>),
    /// The key is right, but the nonce is too old: to be repeated with a new one.
    Stale,
    Unknown,
}

/// Who asks.
///
/// # Errors
/// The challenge, if nobody is shown to.
pub(super) async fn caller(site: &Site, head: &Head) -> Result<Actor, Response> {
    let answer = head.headers.get(header::AUTHORIZATION).and_then(|it| Answer::parse(it.to_str().ok()?));
    let asked = head.extensions.get::<OriginalUri>().map_or(&head.uri, |it| &it.0);
    let answer = answer.filter(|it| asked.path_and_query().is_some_and(|asked| asked.as_str() == it.uri));
    let Some(answer) = answer else { return Err(challenge(site.parts(), false)) };
    let method = head.method.clone();
    let found = site.run(move |parts| check(parts, &answer, method.as_str())).await;
    match found {
        Ok(Found::Known(actor)) => Ok(*actor),
        Ok(Found::Stale) => Err(challenge(site.parts(), true)),
        Ok(Found::Unknown) => Err(challenge(site.parts(), false)),
        Err(error) => Err(Refusal::from(crate::actions::Problem::from(error)).into_response()),
    }
}

fn check(parts: &Parts, answer: &Answer, method: &str) -> Result<Found, Error> {
    let judged = nonce::judge(&parts.sealing, &answer.nonce, parts.clock.now());
    let is_id = answer.user.len() == 16 && answer.user.bytes().all(|it| it.is_ascii_hexdigit());
    if judged == Judged::Unknown || !is_id {
        return Ok(Found::Unknown);
    }
    let Some(key) = parts.metadata.find::<ApiKey>(&answer.user)? else { return Ok(Found::Unknown) };
    let key = key.record;
    if !answer.is_right(&key.digest_hashes(&parts.sealing)?, method) {
        return Ok(Found::Unknown);
    }
    if judged == Judged::Stale {
        return Ok(Found::Stale);
    }
    let name = Subject::new(format!("apiKey:{}", answer.user))?;
    let actor = Actor { principal: Principal::Roles(key.roles), user: key.created_by, name };
    Ok(Found::Known(Box::new(actor)))
}

fn challenge(parts: &Parts, is_stale: bool) -> Response {
    let detail = "this API takes HTTP digest with an API key: its public half is the user, its private half the password";
    let mut response = Refusal::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", detail).into_response();
    let nonce = nonce::make(&parts.sealing, parts.clock.now());
    for challenge in challenges(&nonce, is_stale) {
        if let Ok(value) = HeaderValue::from_str(&challenge) {
            response.headers_mut().append(header::WWW_AUTHENTICATE, value);
        }
    }
    response
}
