//! The front-end: the web page and the public API (8080), the agents' Backup HTTP server (8081). Stateless.

pub mod site;
