//! The front-end: the web page and the public API (8080), the agents' Backup HTTP server (8081). Stateless.

mod error;
pub mod ingest;
pub mod install;
pub mod metrics;
pub mod serve;
pub mod site;
pub mod tls;

pub use error::{Error, Result};
