//! The daemon: builds heads, applies the oplog, takes snapshots, lets them go, prepares restores.
