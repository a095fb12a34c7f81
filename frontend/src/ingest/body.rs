//! Reading bodies: bounded in length, in time, and in the memory that all of them take together.
//!
//! A body is read only after its sender is known and there is room for it. What it says of its length is held against
//! the limit before the first byte is read, and what comes while it is. Time is earned by bytes: who sends nothing is
//! sent away after a minute, and who sends little never holds memory for long.

use super::limits::Limits;
use super::refused::{Refused, Result};
use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tidemark_base::protocol::{Code, MAX_JSON_BYTES};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

/// Room is given in pieces of so many bytes.
const PIECE_BYTES: usize = 4 << 10;

/// The room for bodies.
pub(crate) struct Room {
    limits: Limits,
    bodies: Arc<Semaphore>,
    unpacked: Arc<Semaphore>,
}

/// A body, and the room it takes.
pub(crate) struct Held {
    pub(crate) bytes: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

impl Room {
    pub(crate) fn new(limits: Limits) -> Self {
        let bodies = Arc::new(Semaphore::new(limits.bodies_bytes.div_ceil(PIECE_BYTES)));
        Self { limits, bodies, unpacked: Arc::new(Semaphore::new(limits.unpacked)) }
    }

    /// Reads a body of at most `max` bytes.
    pub(crate) async fn read(&self, headers: &HeaderMap, mut body: Body, max: usize) -> Result<Held> {
        refuse_encoding(headers)?;
        let told = told_length(headers)?;
        if told.is_some_and(|len| len > max) {
            return Err(too_large(max));
        }
        let pieces = u32::try_from(told.unwrap_or(max).div_ceil(PIECE_BYTES)).unwrap_or(u32::MAX);
        let room = self.wait(Arc::clone(&self.bodies).acquire_many_owned(pieces)).await?;
        let mut bytes = Vec::with_capacity(told.unwrap_or_default());
        let began = Instant::now();
        loop {
            let earned = Duration::from_secs(bytes.len() as u64 / self.limits.body_bytes_per_second);
            let next = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx));
            let Ok(frame) = timeout_at(began + self.limits.body_time + earned, next).await else {
                let message = format!("the body came too slowly: {} bytes in time", bytes.len());
                return Err(Refused::new(Code::TooSlow, message));
            };
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|_| Refused::invalid("the body was cut short"))?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() + data.len() > max {
                return Err(too_large(max));
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Held { bytes, _room: room })
    }

    /// Reads a body that is JSON.
    pub(crate) async fn read_json<T: DeserializeOwned>(&self, headers: &HeaderMap, body: Body) -> Result<T> {
        let held = self.read(headers, body, MAX_JSON_BYTES).await?;
        // The parser's words may quote what came, which nobody should have sent, so its place must do.
        serde_json::from_slice(&held.bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            Refused::invalid(format!("the body is not the JSON that is expected, at {line}:{column}"))
        })
    }

    /// Room to unpack a slice or a batch.
    pub(crate) async fn to_unpack(&self) -> Result<OwnedSemaphorePermit> {
        self.wait(Arc::clone(&self.unpacked).acquire_owned()).await
    }

    async fn wait<T, E>(&self, permit: impl Future<Output = std::result::Result<T, E>>) -> Result<T> {
        match timeout(self.limits.wait, permit).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Refused::new(Code::Busy, "too much is being sent at once; try again")),
        }
    }
}

/// Slices and batches are compressed as their format says; anything around that is not understood.
fn refuse_encoding(headers: &HeaderMap) -> Result<()> {
    match headers.get(header::CONTENT_ENCODING) {
        Some(value) if value.as_bytes() != b"identity" => {
            Err(Refused::invalid("Content-Encoding is not understood: send the body as it is"))
        }
        _ => Ok(()),
    }
}

fn told_length(headers: &HeaderMap) -> Result<Option<usize>> {
    let Some(value) = headers.get(header::CONTENT_LENGTH) else { return Ok(None) };
    let len = value.to_str().ok().and_then(|it| it.parse().ok());
    len.map(Some).ok_or_else(|| Refused::invalid("Content-Length is not a number"))
}

fn too_large(max: usize) -> Refused {
    Refused::new(Code::TooLarge, format!("the body is longer than the {max} bytes that are taken here"))
}
