//! What can go wrong before a request is served: listeners, certificates, files. Refusals of requests are answers, and
//! stand where they are made.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use tidemark_base::ErrorKind;

/// The result of starting things.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a front-end cannot start, or go on as it was told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The port is taken, or may not be taken.
    #[error("cannot listen on {address}: {source}; is another server running there?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// Plain HTTP where others can read it.
    #[error(
        "plain HTTP on {address} would show keys to the network: use TLS, listen on loopback, or say that a proxy with \
         TLS stands before it"
    )]
    PlainHttp {
        /// The address.
        address: SocketAddr,
    },
    /// A file cannot be read or written.
    #[error("{action} {} failed: {source}", path.display())]
    File {
        /// What was being done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {problem}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The URL under which people reach the server cannot be used.
    #[error("the public URL is not usable: {problem}")]
    BadUrl {
        /// What is wrong, and what it should be.
        problem: &'static str,
    },
    /// A certificate cannot be made for these names.
    #[error("cannot make a certificate: {problem}; check the names that the server is to have")]
    Certificate {
        /// What is wrong.
        problem: String,
    },
}

impl Error {
    /// What the caller should do.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Listen { .. } | Self::File { .. } => ErrorKind::Retry,
            Self::PlainHttp { .. }
            | Self::BadFile { .. }
            | Self::BadUrl { .. }
            | Self::Certificate { .. } => ErrorKind::Invalid,
        }
    }
}
