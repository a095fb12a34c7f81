//! The front-end: the web page and the public API (8080), the agents' Backup HTTP server (8081). Stateless.

mod actions;
pub mod download;
mod error;
pub mod ingest;
pub mod install;
pub mod login;
pub mod metrics;
pub mod page;
pub mod public;
pub mod serve;
pub mod site;
pub mod tls;

pub use error::{Error, Result};
