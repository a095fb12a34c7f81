//! What operators meet: full and read-only disks, foreign and lost files, half-made stores, two who want the
//! same. Each case has a typed error or a healing that says so, loses nothing durable, and ends with the
//! store open again and whole once the cause is gone.
//!
//! Real processes that are killed are in `kills`, disks that are full in `full_disk`, cuts of power in
//! `power_cut`.

#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "operations/access.rs"]
mod access;
#[path = "operations/creation.rs"]
mod creation;
#[path = "operations/damage.rs"]
mod damage;
#[path = "operations/disks.rs"]
mod disks;
#[path = "operations/foreign.rs"]
mod foreign;
#[path = "operations/full_packs.rs"]
mod full_packs;
#[path = "operations/index.rs"]
mod index;
#[path = "operations/log.rs"]
mod log;
#[path = "operations/sample.rs"]
mod sample;
#[path = "operations/sharing.rs"]
mod sharing;
