//! The messages between agents and the Backup HTTP server, version 1: what `docs/protocol.md` describes.
//!
//! Used by the agent and the front-end, so that both mean the same. Plain JSON values: texts in them are not checked
//! here, for each side checks what comes from the other before it uses it. Oplog slices, sync slices and descriptions
//! of collections travel as they are, in bodies of their own.

mod conf;
mod log;
mod refusal;
mod sync;

pub use conf::{
    Address, ConfRequest, ConfResponse, Connection, Member, ReleaseRequest, Role, SetOrder, SetReport,
    SyncSource, Task,
};
pub use log::{End, ForkRequest, LostReason, LostRequest, Tip};
pub use refusal::{Code, Refusal};
pub use sync::{BeginSync, EndScan, EndSync, Rescan, ResumePoint, SetState, Sync, SyncCollection};

/// What the paths of all requests begin with.
pub const PREFIX: &str = "/agent/v1";
/// The header that carries a [`ResumePoint`] beside a batch: its JSON in base64 (RFC 4648, with padding).
pub const RESUME_HEADER: &str = "tidemark-resume";
/// Longest value of that header, in bytes. A point that is longer is left out, and the scan begins anew if it has to.
pub const MAX_RESUME_HEADER_BYTES: usize = 8 << 10;
/// Longest JSON body, in bytes.
pub const MAX_JSON_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OpTime, Timestamp};

    #[test]
    fn positions_and_ids_are_texts_that_people_can_read() {
        let at = OpTime { ts: Timestamp { secs: 7, ordinal: 2 }, term: 3 };
        let end = End { at, entry: "00".repeat(32) };
        let text = serde_json::to_string(&end).unwrap();
        assert_eq!(text, format!(r#"{{"at":{{"ts":"7,2","term":3}},"entry":"{}"}}"#, "00".repeat(32)));
        assert_eq!(serde_json::from_str::<End>(&text).unwrap(), end);
        for bad in [r#"{"at":{"ts":"7","term":3},"entry":""}"#, r#"{"at":{"ts":7,"term":3},"entry":""}"#] {
            assert!(serde_json::from_str::<End>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_connection_is_not_shown() {
        let connection = Connection {
            seeds: Vec::new(),
            user: "backup".to_owned(),
            password: "hunter2".to_owned(),
            auth_source: "admin".to_owned(),
            ca_pem: None,
        };
        assert!(!format!("{connection:?}").contains("hunter2"));
    }
}
