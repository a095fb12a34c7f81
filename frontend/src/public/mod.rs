//! The public API: JSON over HTTPS, in the resources and names of Ops Manager's.
//!
//! Authenticated by HTTP digest, request by request; what a key may do is asked of `actions`. Lists are
//! `{results, totalCount, links}`, refusals `{error, errorCode, reason, detail}`. No cookies, so nothing that another
//! site could make a browser do, and bodies must say that they are JSON.

mod ask;
mod backups;
mod caller;
mod groups;
mod input;
mod keys;
mod people;
mod refusal;
mod restores;
mod snapshots;

use crate::site::Site;
use axum::Router;
use axum::routing::{delete, get, post};

/// What all paths begin with.
const PREFIX: &str = "/api/public/v1.0";

/// The public API of a site.
pub fn router(site: Site) -> Router {
    let api = Router::new()
        .route("/groups", get(groups::list).post(groups::create))
        .route("/groups/{groupId}", get(groups::get))
        .route("/groups/{groupId}/clusters", get(groups::sets))
        .route("/groups/{groupId}/clusters/{clusterId}", get(groups::set))
        .route("/groups/{groupId}/hosts", get(groups::hosts))
        .route("/groups/{groupId}/hosts/{hostId}", get(groups::host))
        .route("/groups/{groupId}/agents", get(groups::agents))
        .route("/groups/{groupId}/events", get(groups::events))
        .route("/groups/{groupId}/events/{eventId}", get(groups::event))
        .route("/groups/{groupId}/users", get(people::list))
        .route(
            "/groups/{groupId}/users/{userId}",
            get(people::get).patch(people::set_role).delete(people::remove),
        )
        .route("/groups/{groupId}/invites", post(people::invite))
        .route("/groups/{groupId}/agentapikeys", get(keys::of_agents).post(keys::create_for_agents))
        .route("/groups/{groupId}/agentapikeys/{keyId}", delete(keys::revoke_of_agents))
        .route("/groups/{groupId}/apiKeys", get(keys::of_api).post(keys::create_for_api))
        .route("/groups/{groupId}/apiKeys/{keyId}", delete(keys::revoke_of_api))
        .route("/groups/{groupId}/backupConfigs", get(backups::list))
        .route("/groups/{groupId}/backupConfigs/{clusterId}", get(backups::get).patch(backups::change))
        .route(
            "/groups/{groupId}/backupConfigs/{clusterId}/snapshotSchedule",
            get(backups::schedule).patch(backups::change_schedule),
        )
        .route(
            "/groups/{groupId}/clusters/{clusterId}/snapshots",
            get(snapshots::list).post(snapshots::order),
        )
        .route(
            "/groups/{groupId}/clusters/{clusterId}/snapshots/{snapshotId}",
            get(snapshots::get).patch(snapshots::change).delete(snapshots::delete),
        )
        .route(
            "/groups/{groupId}/clusters/{clusterId}/restoreJobs",
            get(restores::list).post(restores::create),
        )
        .route(
            "/groups/{groupId}/clusters/{clusterId}/restoreJobs/{jobId}",
            get(restores::get).delete(restores::cancel),
        )
        .route(
            "/groups/{groupId}/clusters/{clusterId}/restoreJobs/{jobId}/links",
            post(restores::link).delete(restores::revoke),
        )
        .fallback(refusal::unknown_path)
        .method_not_allowed_fallback(refusal::unknown_method)
        .with_state(site);
    Router::new().nest(PREFIX, api)
}
