//! Who is primary, and making somebody else so.

use std::time::Duration;

use bson::oid::ObjectId;
use bson::{Document, doc};

use super::{Error, ReplicaSet, wait};

const PATIENCE: Duration = Duration::from_secs(60);
/// How long an elected member may take to catch up and accept writes, before it is asked again.
const TAKE_OVER_PATIENCE: Duration = Duration::from_secs(5);

impl ReplicaSet {
    /// The index of the primary; waits up to a minute for one. Killed and paused members are not asked.
    ///
    /// # Errors
    /// [`Error::Timeout`] with what the members said.
    pub fn primary(&self) -> Result<usize, Error> {
        wait::until("a primary", PATIENCE, || self.primary_now())
    }

    /// The index of the primary, or what the members say if there is none.
    fn primary_now(&self) -> Result<usize, String> {
        let mut seen = Vec::new();
        let mut best: Option<(ObjectId, usize)> = None;
        for index in (0..self.members.len()).filter(|&index| self.members[index].answers()) {
            match self.reigns(index) {
                // A primary that has not yet heard of its successor has the older election.
                Ok(election) => best = best.max(Some((election, index))),
                Err(words) => seen.push(words),
            }
        }
        best.map(|(_, index)| index).ok_or_else(|| seen.join("; "))
    }

    /// Makes this member the primary, unless it is, and waits until it accepts writes.
    ///
    /// It calls an election in which the others vote as they would after losing their primary. That can fail
    /// for a moment (the member lags, another election is under way), so it is tried until it holds.
    ///
    /// # Errors
    /// [`Error::Timeout`] with the last refusal.
    pub fn elect(&self, member: usize) -> Result<(), Error> {
        wait::until(&format!("member {member} to become primary"), PATIENCE, || {
            if self.primary_now().is_ok_and(|primary| primary == member) {
                return Ok(());
            }
            let asked = self.direct[member].database("admin").run_command(doc! {"replSetStepUp": 1}).run();
            asked.map_err(|error| error.to_string())?;
            wait::until("the elected member to accept writes", TAKE_OVER_PATIENCE, || self.reigns(member))
                .map_err(|error| error.to_string())?;
            Ok(())
        })
    }

    /// Waits until every member has its copy of the data: only then can each be elected.
    ///
    /// # Errors
    /// [`Error::Timeout`] with the member that is not ready.
    pub fn await_all_members(&self) -> Result<(), Error> {
        wait::until("all members to be primary or secondary", PATIENCE, || {
            (0..self.members.len()).try_for_each(|member| {
                let hello = self.hello(member)?;
                let is = |field| hello.get_bool(field).unwrap_or(false);
                if is("isWritablePrimary") || is("secondary") {
                    Ok(())
                } else {
                    Err(format!("member {member} is neither"))
                }
            })
        })
    }

    /// The election by which this member is a writable primary, or what it is instead.
    fn reigns(&self, member: usize) -> Result<ObjectId, String> {
        let hello = self.hello(member)?;
        match (hello.get_bool("isWritablePrimary"), hello.get_object_id("electionId")) {
            (Ok(true), Ok(election)) => Ok(election),
            _ => Err(format!("member {member} is no primary")),
        }
    }

    fn hello(&self, member: usize) -> Result<Document, String> {
        self.direct[member]
            .database("admin")
            .run_command(doc! {"hello": 1})
            .run()
            .map_err(|error| format!("member {member}: {error}"))
    }
}
