//! The requests of `docs/protocol.md`, each with what it is answered with.

use super::{Mothership, Request};
use crate::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::Method;
use reqwest::header::HeaderValue;
use tidemark_base::protocol::{
    BeginSync, ConfRequest, ConfResponse, End, EndScan, EndSync, ForkRequest, LostRequest,
    MAX_RESUME_HEADER_BYTES, ReleaseRequest, Rescan, ResumePoint, SetState, Sync, SyncCollection, Tip,
};
use tidemark_base::{CollectionUuid, Timestamp};

const BYTES: &str = "application/octet-stream";
const BSON: &str = "application/bson";

/// The header's value for a point, unless it is too long: then the scan begins anew if it has to.
fn header_of(point: &ResumePoint) -> Option<HeaderValue> {
    let json = serde_json::to_vec(point).expect("a plain value");
    let text = STANDARD.encode(json);
    (text.len() <= MAX_RESUME_HEADER_BYTES).then(|| HeaderValue::from_str(&text).ok()).flatten()
}

impl Mothership {
    /// The conf call, once: it has its own rhythm.
    pub(crate) async fn conf(&self, message: &ConfRequest) -> Result<ConfResponse> {
        self.once(&Request::post("/conf".to_owned(), message)).await
    }

    /// The same, at one address.
    pub(crate) async fn conf_at(&self, address: &str, message: &ConfRequest) -> Result<ConfResponse> {
        self.ask(address, &Request::post("/conf".to_owned(), message)).await
    }

    /// Where a set stands.
    pub(crate) async fn state(&self, set: &str) -> Result<SetState> {
        self.ask_until_answered(&Request::get(format!("/sets/{set}"))).await
    }

    /// Begins a copy.
    pub(crate) async fn begin(&self, set: &str, message: &BeginSync) -> Result<Sync> {
        self.ask_until_answered(&Request::post(format!("/sets/{set}/syncs"), message)).await
    }

    /// Makes a collection part of a copy.
    pub(crate) async fn describe(&self, copy: &Copied<'_>, description: Vec<u8>) -> Result<SyncCollection> {
        let request = Request::bytes(Method::PUT, copy.path(""), description.into(), BSON);
        self.ask_until_answered(&request).await
    }

    /// Sends documents.
    pub(crate) async fn batch(
        &self,
        copy: &Copied<'_>,
        batch: Bytes,
        resume: Option<&ResumePoint>,
    ) -> Result<SyncCollection> {
        let mut request = Request::bytes(Method::POST, copy.path("/batches"), batch, BYTES);
        request.resume = resume.and_then(header_of);
        self.ask_until_answered(&request).await
    }

    /// Begins the next scan.
    pub(crate) async fn rescan(&self, copy: &Copied<'_>, message: &Rescan) -> Result<SyncCollection> {
        self.ask_until_answered(&Request::post(copy.path("/rescan"), message)).await
    }

    /// Ends a scan.
    pub(crate) async fn end_scan(&self, copy: &Copied<'_>, message: &EndScan) -> Result<SyncCollection> {
        self.ask_until_answered(&Request::post(copy.path("/end"), message)).await
    }

    /// Ends a copy.
    pub(crate) async fn end(&self, set: &str, sync: u32, message: &EndSync) -> Result<Sync> {
        self.ask_until_answered(&Request::post(format!("/sets/{set}/syncs/{sync}/end"), message)).await
    }

    /// Sends a slice of the oplog.
    pub(crate) async fn slice(&self, set: &str, slice: Bytes) -> Result<Tip> {
        let request = Request::bytes(Method::POST, format!("/sets/{set}/slices"), slice, BYTES);
        self.ask_until_answered(&request).await
    }

    /// Ends of slices before an entry, newest first.
    pub(crate) async fn ends(&self, set: &str, before: Timestamp) -> Result<Vec<End>> {
        self.ask_until_answered(&Request::get(format!("/sets/{set}/ends?before={before}"))).await
    }

    /// The source has rolled back.
    pub(crate) async fn fork(&self, set: &str, message: &ForkRequest) -> Result<Tip> {
        self.ask_until_answered(&Request::post(format!("/sets/{set}/fork"), message)).await
    }

    /// The source's oplog cannot be gone on with.
    pub(crate) async fn lost(&self, set: &str, message: &LostRequest) -> Result<SetState> {
        self.ask_until_answered(&Request::post(format!("/sets/{set}/lost"), message)).await
    }

    /// Gives a set back, once: whoever ends does not wait for a server that is not there.
    pub(crate) async fn release(&self, set: &str, message: &ReleaseRequest) -> Result<()> {
        self.once(&Request::post(format!("/sets/{set}/release"), message)).await
    }
}

/// A collection of a copy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Copied<'a> {
    /// The set.
    pub(crate) set: &'a str,
    /// The number of the copy.
    pub(crate) sync: u32,
    /// The collection.
    pub(crate) uuid: CollectionUuid,
}

impl Copied<'_> {
    fn path(&self, rest: &str) -> String {
        let Self { set, sync, uuid } = self;
        format!("/sets/{set}/syncs/{sync}/collections/{uuid}{rest}")
    }
}
