//! The person behind a request, by the cookie of the session.

use super::cookie;
use super::doors::Desk;
use crate::actions::Actor;
use crate::page;
use axum::extract::FromRequestParts;
use axum::http::request::Parts as Head;
use axum::response::{IntoResponse as _, Redirect, Response};
use tidemark_metadata::rules::roles::Principal;
use tidemark_metadata::{Subject, csrf_token};

/// Somebody who is logged in.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// What they may do, and what events call them.
    pub(crate) actor: Actor,
    /// What they logged in with.
    pub(crate) login: String,
    /// What their forms must carry.
    pub(crate) csrf: String,
}

impl Person {
    /// Whether a form carries the token of their session. By hashes, which takes the same time wherever they differ.
    pub(crate) fn has_token(&self, shown: &str) -> bool {
        blake3::hash(shown.as_bytes()) == blake3::hash(self.csrf.as_bytes())
    }

    /// Who shows this cookie, if it is one of a living session.
    pub(crate) async fn of(desk: &Desk, head: &Head) -> Result<Option<Self>, Response> {
        let shown = cookie::shown(&desk.site.parts().public_url, &head.headers);
        let Some(token) = shown else { return Ok(None) };
        let csrf = csrf_token(&token);
        let found = desk.site.run(move |site| {
            let user = site.metadata.session_user(&token, site.clock.now())?;
            let Some(user) = user.map(|it| it.record) else { return Ok(None) };
            let name = Subject::new(format!("user:{}", user.login))
                .or_else(|_| Subject::new(format!("user:{}", user.id)))?;
            let actor = Actor { principal: Principal::Roles(user.roles), user: user.id, name };
            Ok(Some(Self { actor, login: user.login.to_string(), csrf }))
        });
        found.await.map_err(|error: tidemark_metadata::Error| page::refused(&error.into()))
    }
}

/// Nobody else may look: who is not logged in is sent to the door.
impl FromRequestParts<Desk> for Person {
    type Rejection = Response;

    async fn from_request_parts(head: &mut Head, desk: &Desk) -> Result<Self, Response> {
        let person = Self::of(desk, head).await?;
        person.ok_or_else(|| Redirect::to("/login").into_response())
    }
}
