//! Real servers for tests: start a mongod or a replica set, do things to it, and leave nothing behind.
//!
//! Called by the tests of every crate. [`standalone`], [`replica_set_of_one`] and [`replica_set_of_three`] are
//! the short ways in; [`Options`] turns on auth and TLS.
//!
//! What holds: every mongod has its own port on 127.0.0.1, its own run folder under the system's temporary
//! folder and its own process group. It dies with its [`Mongod`] value, also in a panic, and then its log is
//! kept under `target/testkit-logs`. If the test runner itself is killed, a watchdog kills the mongod
//! (`watchdog.rs`); if that was killed too, the next process that starts a mongod does (`sweep.rs`).
//!
//! A start takes about 0.6 s, nearly all of it the storage engine's first fsyncs; a set of three, started all
//! at once, 2 to 3 s until every member can be elected; an election on demand 0.1 s.
//!
//! Deliberately not here: injected faults (that is a proxy's or a disk's business), shards, other versions
//! than the one `cargo xtask setup` fetches, systems without `/proc`.

mod access;
mod auth;
mod client;
pub mod dbhash;
mod elections;
mod error;
mod launch;
mod log;
mod members;
mod mongod;
mod oplog;
mod options;
mod ports;
mod proc;
mod replica_set;
mod run_folder;
mod secrets;
mod sweep;
mod tls;
pub mod tools;
mod wait;
mod watchdog;

pub use access::{Access, ClientTls, Credentials};
pub use auth::create_user;
pub use error::Error;
pub use log::kept_logs_folder;
pub use mongod::{Mongod, MongodConfig};
pub use oplog::{append_note_and_read_back, entry_optime, last_committed, oplog_from};
pub use options::{Options, TlsMode};
pub use proc::{mongod_alive, owner_alive};
pub use replica_set::ReplicaSet;
pub use secrets::Secrets;
pub use sweep::{Swept, sweep};
pub use tls::Certificates;
pub use wait::until;

/// One mongod without a replica set, with the default options.
///
/// # Errors
/// As [`Mongod::start`].
pub fn standalone() -> Result<Mongod, Error> {
    Mongod::standalone(&Options::default())
}

/// A replica set of one member, with the default options: an oplog at the least cost.
///
/// # Errors
/// As [`ReplicaSet::start`].
pub fn replica_set_of_one() -> Result<ReplicaSet, Error> {
    ReplicaSet::start(1, &Options::default())
}

/// A replica set of three members, with the default options: elections, majorities, lost members.
///
/// # Errors
/// As [`ReplicaSet::start`].
pub fn replica_set_of_three() -> Result<ReplicaSet, Error> {
    ReplicaSet::start(3, &Options::default())
}
