//! Refusals: what is answered instead, with the right status, and without anything that a stranger must not read.
//!
//! Made from the errors of the stores. What is the sender's fault is told in full; of what is ours the sender learns
//! that it is, and the log the rest: paths and names of refs are nobody's business outside.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tidemark_base::ErrorKind;
use tidemark_base::protocol::{Code, Refusal, SyncCollection, Tip};
use tidemark_blockstore::Error as BlockError;
use tidemark_oplog::store::StoreError;
use tidemark_oplog::store::initial_sync::SyncStoreError;

/// The result of whatever answers a request.
pub(crate) type Result<T, E = Refused> = std::result::Result<T, E>;

/// After how many seconds something that is busy may be tried again.
const RETRY_SECS: u64 = 2;
/// After how many seconds a store without room may be.
const SPACE_RETRY_SECS: u64 = 30;

/// A request that is not done.
#[derive(Debug)]
pub(crate) struct Refused {
    status: StatusCode,
    refusal: Box<Refusal>,
    retry_secs: Option<u64>,
}

/// The code of a refusal, beside its answer: for the figures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RefusalCode(pub(crate) Code);

impl Refused {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        let refusal = Refusal { code, message: message.into(), tip: None, collection: None };
        let retry_secs = match code {
            Code::Busy | Code::TooSlow | Code::Internal => Some(RETRY_SECS),
            Code::NoSpace => Some(SPACE_RETRY_SECS),
            _ => None,
        };
        Self { status: status(code), refusal: Box::new(refusal), retry_secs }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::Invalid, message)
    }

    /// With the end of the oplog, from which the sender goes on.
    pub(crate) fn with_tip(mut self, tip: Tip) -> Self {
        self.refusal.tip = Some(tip);
        self
    }

    /// With how far the collection is, from which the sender goes on.
    pub(crate) fn with_collection(mut self, collection: SyncCollection) -> Self {
        self.refusal.collection = Some(collection);
        self
    }

    pub(crate) const fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// A fault of ours: logged here, and not told.
    pub(crate) fn ours(error: &dyn std::error::Error, kind: ErrorKind) -> Self {
        tracing::error!(%error, %kind, "a request of an agent failed");
        let message = "the server failed to do this; its log says why. Nothing that was acknowledged is lost";
        match kind {
            ErrorKind::Retry | ErrorKind::Fenced | ErrorKind::Conflict => Self::new(Code::Busy, message),
            _ => Self::new(Code::Internal, message),
        }
    }

    fn no_space(error: &dyn std::error::Error) -> Self {
        tracing::error!(%error, "no space left");
        Self::full()
    }

    pub(crate) fn full() -> Self {
        let message = "the backup store has no room left: nothing that was acknowledged is lost, and the backup goes \
                       on when there is room again, as long as the source's oplog reaches back";
        Self::new(Code::NoSpace, message)
    }
}

const fn status(code: Code) -> StatusCode {
    match code {
        Code::UnknownKey => StatusCode::UNAUTHORIZED,
        Code::Invalid => StatusCode::BAD_REQUEST,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::NotNext
        | Code::Fork
        | Code::OtherBatch
        | Code::OtherSync
        | Code::NotDone
        | Code::Stopped
        | Code::NotActive => StatusCode::CONFLICT,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::TooSlow => StatusCode::REQUEST_TIMEOUT,
        Code::Busy => StatusCode::SERVICE_UNAVAILABLE,
        Code::NoSpace => StatusCode::INSUFFICIENT_STORAGE,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let code = RefusalCode(self.refusal.code);
        let mut response = (self.status, Json(self.refusal)).into_response();
        response.extensions_mut().insert(code);
        if let Some(secs) = self.retry_secs {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}

impl From<BlockError> for Refused {
    fn from(error: BlockError) -> Self {
        match &error {
            BlockError::Full { .. } => Self::no_space(&error),
            // The next attempt finds a new session.
            BlockError::SessionBroken { .. } | BlockError::SessionGone { .. } => {
                Self::ours(&error, ErrorKind::Retry)
            }
            _ => Self::ours(&error, error.kind()),
        }
    }
}

impl From<tidemark_metadata::Error> for Refused {
    fn from(error: tidemark_metadata::Error) -> Self {
        use tidemark_metadata::Error;
        match &error {
            Error::Full { .. } => Self::no_space(&error),
            Error::Invalid { .. } => Self::invalid(error.to_string()),
            Error::NotFound { .. } => {
                Self::new(Code::NotFound, "nothing is known of this replica set: send a conf call first")
            }
            Error::Refused { .. } => Self::new(Code::Stopped, error.to_string()),
            _ => Self::ours(&error, error.kind()),
        }
    }
}

/// What cannot be answered without a look at the tip or the collection is answered by whoever asked the store; here is
/// the rest.
impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Blocks(error) => (*error).into(),
            StoreError::Given(error) => Self::invalid(error.to_string()),
            StoreError::NoChain { .. } => {
                Self::new(Code::OtherSync, "no oplog is kept of this replica set yet: begin a copy first")
            }
            StoreError::Contended { .. } => Self::new(Code::Busy, "several agents send at once; try again"),
            StoreError::NotCovered { .. } => {
                Self::new(Code::NotFound, "the store no longer holds oplog that reaches back so far")
            }
            other => Self::ours(&other, other.kind()),
        }
    }
}

impl From<SyncStoreError> for Refused {
    fn from(error: SyncStoreError) -> Self {
        match error {
            SyncStoreError::Blocks(error) => (*error).into(),
            SyncStoreError::Log(error) => (*error).into(),
            SyncStoreError::NoSync { .. } => {
                Self::new(Code::OtherSync, "no copy of this replica set was begun yet")
            }
            SyncStoreError::OtherSync { .. } => Self::new(Code::OtherSync, error.to_string()),
            SyncStoreError::NoCollection { .. } => Self::new(Code::NotFound, error.to_string()),
            SyncStoreError::Refused { .. } | SyncStoreError::Ended { .. } => {
                Self::new(Code::OtherBatch, error.to_string())
            }
            SyncStoreError::NotDone { .. } => Self::new(Code::NotDone, error.to_string()),
            SyncStoreError::Given(_)
            | SyncStoreError::BadDescription { .. }
            | SyncStoreError::LongResume { .. } => Self::invalid(error.to_string()),
            SyncStoreError::Contended { .. } => {
                Self::new(Code::Busy, "several agents send at once; try again")
            }
            other => Self::ours(&other, other.kind()),
        }
    }
}
