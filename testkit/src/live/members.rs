//! The single members of a replica set: kill, restart, pause, and clients of just one.
//!
//! Members are named by their index, from 0; an index that does not exist panics, as it would in a `Vec`:
//! it is a mistake in the test.

use mongodb::sync::Client;

use super::{Error, Mongod, ReplicaSet};

impl ReplicaSet {
    /// A client with every right, connected to this member only, whatever its state.
    #[must_use]
    pub fn direct(&self, member: usize) -> &Client {
        &self.direct[member]
    }

    /// This member.
    #[must_use]
    pub fn member(&self, member: usize) -> &Mongod {
        &self.members[member]
    }

    /// All members.
    #[must_use]
    pub fn members(&self) -> &[Mongod] {
        &self.members
    }

    /// As [`Mongod::kill`].
    pub fn kill(&mut self, member: usize) {
        self.members[member].kill();
    }

    /// As [`Mongod::stop`].
    ///
    /// # Errors
    /// As [`Mongod::stop`].
    pub fn stop(&mut self, member: usize) -> Result<(), Error> {
        self.members[member].stop()
    }

    /// As [`Mongod::restart`]. The member may still be catching up on return.
    ///
    /// # Errors
    /// As [`Mongod::restart`].
    pub fn restart(&mut self, member: usize) -> Result<(), Error> {
        self.members[member].restart()
    }

    /// As [`Mongod::pause`].
    ///
    /// # Errors
    /// As [`Mongod::pause`].
    pub fn pause(&mut self, member: usize) -> Result<(), Error> {
        self.members[member].pause()
    }

    /// As [`Mongod::resume`].
    pub fn resume(&mut self, member: usize) {
        self.members[member].resume();
    }
}
