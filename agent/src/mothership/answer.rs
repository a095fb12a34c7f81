//! Reading what the Backup HTTP server answers. It is trusted no further than its certificate: lengths are bounded.

use crate::{Error, Result};
use reqwest::Response;
use reqwest::header::RETRY_AFTER;
use serde::de::DeserializeOwned;
use std::error::Error as _;
use std::time::Duration;
use tidemark_base::protocol::Refusal;

/// Longest answer, in bytes: the state of a copy names each of its collections.
const MAX_ANSWER_BYTES: usize = 64 << 20;
/// Longest pause that a server may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// The answer, or why there is none.
pub(super) async fn read<T: DeserializeOwned>(server: &str, mut response: Response) -> Result<T> {
    let status = response.status();
    let wrong = |why: String| Error::Answer { server: server.to_owned(), status: status.as_u16(), why };
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= MAX_ANSWER_BYTES => body.extend_from_slice(&chunk),
            Ok(Some(_)) => return Err(wrong("it is too long".to_owned())),
            Ok(None) => break,
            Err(error) => return Err(Error::Unreachable { server: server.to_owned(), why: words(&error) }),
        }
    }
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|error| wrong(error.to_string()));
    }
    match serde_json::from_slice::<Refusal>(&body) {
        Ok(refusal) => Err(Error::Refused {
            status: status.as_u16(),
            refusal: Box::new(refusal),
            retry_after: retry_after.map(|secs| Duration::from_secs(secs).min(MAX_RETRY_AFTER)),
        }),
        // A proxy in between, or a server of another kind.
        Err(_) => Err(wrong("it is no refusal of this protocol; is this the Backup HTTP server?".to_owned())),
    }
}

/// An error of the client with its causes, which alone say what is wrong; without the address, which is said before.
pub(super) fn words(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    let mut words = match (error.is_timeout(), cause) {
        (true, _) => "no answer in time".to_owned(),
        (false, Some(_)) => String::new(),
        (false, None) => "the request failed".to_owned(),
    };
    while let Some(error) = cause {
        let text = error.to_string();
        if !words.contains(&text) {
            if !words.is_empty() {
                words.push_str(": ");
            }
            words.push_str(&text);
        }
        cause = error.source();
    }
    words
}
