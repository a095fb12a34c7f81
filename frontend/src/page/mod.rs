//! The pages: one for each group with its replica sets, one for each replica set, and the door.
//!
//! Rendered on the server, without scripts; nothing is fetched from elsewhere. A page that shows something going on loads
//! itself again, unless it is held to fill in a form; the long forms are on pages that do not. Forms come from our own
//! pages and carry the token of their session. What opens something (keys, links, invitations) is in the answer to the
//! form that made it, and on no other page.

mod door;
mod error;
mod group;
mod order;
mod render;
mod set;
mod stand;
mod view;

pub(crate) use error::{error, refused};

use crate::install::Trust;
use crate::login::Doors;
use crate::login::doors::Desk;
use crate::site::Site;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use std::sync::Arc;

/// Longest form.
const MAX_FORM_BYTES: usize = 64 << 10;
/// What pages may do: show themselves, their style, and send forms to where they came from.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                      frame-ancestors 'none'; base-uri 'none'";

/// The pages of a site.
pub fn router(site: Site, doors: Doors, trust: Trust) -> Router {
    let desk = Desk { site, doors, trust: Arc::new(trust) };
    Router::new()
        .route("/", get(group::all))
        .route("/style.css", get(style))
        .route("/icon.svg", get(icon))
        .route("/login", get(door::login).post(door::enter))
        .route("/logout", post(door::leave))
        .route("/signup", get(door::sign_up).post(door::join_first))
        .route("/invitation/{token}", get(door::invitation).post(door::accept))
        .route("/groups", post(order::create_group))
        .route("/groups/{group}", get(group::one))
        .route("/groups/{group}/sets/{set}", get(set::one))
        .route("/groups/{group}/sets/{set}/status", post(order::status))
        .route("/groups/{group}/sets/{set}/source", post(order::source))
        .route("/groups/{group}/sets/{set}/schedule", post(order::schedule))
        .route("/groups/{group}/sets/{set}/restores", post(order::restore))
        .route("/groups/{group}/sets/{set}/snapshots/{name}/delete", post(order::delete_snapshot))
        .route("/groups/{group}/sets/{set}/snapshots/{name}/undelete", post(order::undelete_snapshot))
        .route("/groups/{group}/restores/{id}/cancel", post(order::cancel))
        .route("/groups/{group}/restores/{id}/link", post(order::link))
        .route("/groups/{group}/restores/{id}/revoke", post(order::revoke))
        .route("/groups/{group}/invitations", post(order::invite))
        .route("/groups/{group}/users/{id}/role", post(order::role))
        .route("/groups/{group}/agentkeys", post(order::agent_key))
        .route("/groups/{group}/agentkeys/{id}/revoke", post(order::revoke_agent_key))
        .route("/groups/{group}/apikeys", post(order::api_key))
        .route("/groups/{group}/apikeys/{id}/revoke", post(order::revoke_api_key))
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .layer(map_response(guarded))
        .with_state(desk)
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("style.css")).into_response()
}

async fn icon() -> Response {
    ([(header::CONTENT_TYPE, "image/svg+xml")], include_str!("icon.svg")).into_response()
}

/// What every page says of itself.
async fn guarded(mut response: Response) -> Response {
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Not `no-referrer`: browsers would then hide the origin of our own forms from us.
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
