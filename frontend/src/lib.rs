//! The front-end: the web page and the public API (8080), the agents' Backup HTTP server (8081). Stateless.

mod actions;
pub mod download;
pub mod login;
pub mod page;
pub mod public;
pub mod site;
