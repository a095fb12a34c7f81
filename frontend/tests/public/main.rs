//! The public side as its clients see it: JSON by digest, pages by cookie, downloads by link. In process, over stores in
//! memory, with a clock that stands until it is moved.

#![expect(clippy::unwrap_used, reason = "a test")]

mod api;
mod client;
mod doors;
mod links;
mod pages;
mod rig;
mod states;
mod table;
mod unreadable;
