//! A request of the public API: who asks, for what, and which page of it.

use super::caller::caller;
use super::refusal::Refusal;
use crate::actions::{Actor, Problem, Result};
use crate::site::{Parts, Site};
use axum::Json;
use axum::extract::{FromRequestParts, OriginalUri, Path, Query};
use axum::http::request::Parts as Head;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::str::FromStr;
use tidemark_metadata::{GroupId, ReplicaSetId};

/// Rows of a page, if nothing else is said, and at most.
const ITEMS: (usize, usize) = (100, 500);

/// What a handler answers.
pub(super) type Answer = std::result::Result<Response, Refusal>;

/// A request by somebody who is known. Made before its body is read.
pub(super) struct Ask {
    site: Site,
    actor: Actor,
    names: HashMap<String, String>,
    path: String,
    page: u64,
    items: usize,
}

impl FromRequestParts<Site> for Ask {
    type Rejection = Response;

    async fn from_request_parts(head: &mut Head, site: &Site) -> std::result::Result<Self, Response> {
        let actor = caller(site, head).await?;
        let bad = |what: &str| {
            Refusal::new(StatusCode::BAD_REQUEST, "INVALID_ATTRIBUTE", what.to_owned()).into_response()
        };
        let names = Path::<HashMap<String, String>>::from_request_parts(head, site).await;
        let Path(names) = names.map_err(|_| bad("the path is not UTF-8"))?;
        let query = Query::<HashMap<String, String>>::from_request_parts(head, site).await;
        let Query(query) = query.map_err(|_| bad("what follows the path is not understood"))?;
        let number = |name: &str, default: u64, most: u64| match query.get(name) {
            None => Ok(default),
            Some(text) => {
                let number = text.parse::<u64>().ok().filter(|it| (1..=most).contains(it));
                number.ok_or_else(|| format!("{name}: it is a number from 1 to {most}"))
            }
        };
        let page = number("pageNum", 1, 1 << 32).map_err(|it| bad(&it))?;
        let items = number("itemsPerPage", ITEMS.0 as u64, ITEMS.1 as u64).map_err(|it| bad(&it))?;
        let path = head.extensions.get::<OriginalUri>().map_or(&head.uri, |it| &it.0).path().to_owned();
        let items = usize::try_from(items).unwrap_or(ITEMS.1);
        Ok(Self { site: site.clone(), actor, names, path, page, items })
    }
}

impl Ask {
    /// Does what was asked for.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Parts, &Actor) -> Result<T> + Send + 'static,
    ) -> std::result::Result<T, Refusal> {
        let actor = self.actor.clone();
        Ok(self.site.run(move |parts| work(parts, &actor)).await?)
    }

    /// The group in the path. What is no id is no group of theirs.
    pub(super) fn group(&self) -> Result<GroupId> {
        self.name("groupId").parse().map_err(|_| Problem::NotInGroup)
    }

    /// The group and the replica set in the path.
    pub(super) fn set(&self) -> Result<(GroupId, ReplicaSetId)> {
        Ok((self.group()?, self.id("clusterId", "replica set")?))
    }

    /// An id in the path; what is none names nothing.
    pub(super) fn id<T: FromStr>(&self, name: &str, what: &'static str) -> Result<T> {
        self.name(name).parse().map_err(|_| Problem::NotFound { what })
    }

    /// A name in the path.
    pub(super) fn name(&self, name: &str) -> &str {
        self.names.get(name).map_or("", String::as_str)
    }

    /// How many rows come before the page, and how many are on it.
    pub(super) fn window(&self) -> (u64, usize) {
        ((self.page - 1).saturating_mul(self.items as u64), self.items)
    }

    /// One thing.
    pub(super) fn one(&self, mut thing: Value) -> Answer {
        if let Some(fields) = thing.as_object_mut() {
            fields.insert("links".to_owned(), json!([self.link("self", &self.path)]));
        }
        Ok(answered(StatusCode::OK, thing))
    }

    /// One thing that was made, and that may hold a secret.
    pub(super) fn made(&self, thing: Value) -> Answer {
        Ok(answered(StatusCode::CREATED, thing))
    }

    /// Nothing more to say.
    pub(super) fn done(&self) -> Answer {
        Ok(answered(StatusCode::OK, json!({})))
    }

    /// The page of a list of which all rows are at hand.
    pub(super) fn list<T>(&self, rows: &[T], shown: impl Fn(&T) -> Value) -> Answer {
        let (skip, take) = self.window();
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let page = rows.iter().skip(skip).take(take).map(shown).collect();
        self.page(page, rows.len() as u64)
    }

    /// The page of a list, and how long the list is.
    pub(super) fn page(&self, rows: Vec<Value>, total: u64) -> Answer {
        let (skip, take) = self.window();
        let mut links = vec![self.link("self", &self.at_page(self.page))];
        if self.page > 1 {
            links.push(self.link("previous", &self.at_page(self.page - 1)));
        }
        if skip.saturating_add(take as u64) < total {
            links.push(self.link("next", &self.at_page(self.page + 1)));
        }
        let list = json!({"results": rows, "totalCount": total, "links": links});
        Ok(answered(StatusCode::OK, list))
    }

    fn at_page(&self, page: u64) -> String {
        format!("{}?pageNum={page}&itemsPerPage={}", self.path, self.items)
    }

    fn link(&self, relation: &str, path: &str) -> Value {
        json!({"rel": relation, "href": format!("{}{path}", self.site.parts().public_url)})
    }
}

fn answered(status: StatusCode, body: Value) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
