//! Which member is copied.
//!
//! Made for the life of a copy, and asked again by each of its attempts. Where any secondary will do, the one that an
//! earlier attempt has copied from is kept, since only there its resume points count; but not one that is behind on
//! purpose, nor one that has failed a while ago. If no secondary is left the primary is copied. A member that answers
//! with an error has failed; where there was no answer it may be the network's fault, and to go elsewhere would throw
//! the scans away: that has to happen some times in a row.

use super::member::Member;
use crate::source::{self, Hello, MemberFacts, Source};
use crate::{Error, Result};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;
use tidemark_base::protocol::{Address, Sync, SyncSource};
use tokio::time::Instant;

/// So long a member that has failed is left for others: it may be well again then.
const FORGET: Duration = Duration::from_secs(600);

/// So many failures in a row that may be another's fault are a member's own.
const MOST_DOUBTS: u32 = 3;

/// What the choice depends on besides the set as it is.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// Members on which attempts have failed.
    failed: BTreeMap<String, Failures>,
}

/// Failures of a member.
#[derive(Clone, Copy, Debug)]
struct Failures {
    doubts: u32,
    last: Instant,
}

impl Choice {
    /// Chooses a member as it is wanted.
    pub(super) async fn choose(
        &mut self,
        source: &Source,
        wanted: &SyncSource,
        sync: &Sync,
    ) -> Result<Member> {
        let address = match wanted {
            SyncSource::Member(address) => address.clone(),
            SyncSource::Primary => primary(source).await?,
            SyncSource::Secondary => {
                let (_, addresses) = source.config().await?;
                let members = source.members(&addresses).await;
                self.failed.retain(|_, it| it.last.elapsed() < FORGET);
                match self.secondary(&members, sync) {
                    Some(address) => address,
                    None => primary(source).await?,
                }
            }
        };
        let client = source.member(&address).await?;
        Ok(Member { client, node: source::node(&address) })
    }

    /// Takes note of a failure while a member was copied.
    pub(super) fn blame(&mut self, member: &Member, error: &Error) {
        self.add(&member.node, doubts(error));
    }

    /// The same of a failure that an election may have caused, whatever the member answered.
    pub(super) fn doubt(&mut self, member: &Member, error: &Error) {
        self.add(&member.node, doubts(error).min(1));
    }

    fn add(&mut self, node: &str, doubts: u32) {
        if doubts > 0 {
            let now = Instant::now();
            let failures = self.failed.entry(node.to_owned()).or_insert(Failures { doubts: 0, last: now });
            *failures = Failures { doubts: failures.doubts + doubts, last: now };
        }
    }

    fn is_left(&self, address: &Address) -> bool {
        self.failed.get(&source::node(address)).is_some_and(|it| it.doubts >= MOST_DOUBTS)
    }

    /// The secondary that is fittest, if one is fit.
    fn secondary(&self, members: &[MemberFacts], sync: &Sync) -> Option<Address> {
        let fit = |member: &&MemberFacts| {
            let follows = |hello: &Hello| hello.state == "SECONDARY" && !hello.is_delayed;
            member.hello.as_ref().is_ok_and(follows) && !self.is_left(&member.address)
        };
        // The first of those that are alike. One that is behind the copy's beginning would have to be waited for.
        let rank = |member: &&MemberFacts| {
            let majority = member.hello.as_ref().ok().and_then(|hello| hello.majority);
            let has_begun = majority.is_some_and(|majority| majority.ts >= sync.at.ts);
            Reverse((was_copied(member, sync), has_begun, majority.filter(|_| !has_begun).map(|it| it.ts)))
        };
        members.iter().filter(fit).min_by_key(rank).map(|member| member.address.clone())
    }
}

/// How far a failure speaks against the member that was copied.
fn doubts(error: &Error) -> u32 {
    match error {
        // The server's or the agent's own.
        Error::Unreachable { .. }
        | Error::Answer { .. }
        | Error::Refused { .. }
        | Error::Config(_)
        | Error::Group { .. }
        | Error::Io { .. } => 0,
        Error::Late { .. } => 1,
        Error::Source { .. } if error.mongo_code().is_none() => 1,
        _ => MOST_DOUBTS,
    }
}

/// Whether a scan can be gone on with there.
fn was_copied(member: &MemberFacts, sync: &Sync) -> bool {
    let name = source::node(&member.address);
    let mut points = sync.collections.iter().filter_map(|it| it.resume.as_ref());
    points.any(|point| point.node.split(' ').next() == Some(&name))
}

async fn primary(source: &Source) -> Result<Address> {
    let hello = source.primary_hello().await?;
    hello.primary.ok_or_else(|| Error::unexpected("the primary's address", "it names none"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_base::protocol::{ResumePoint, SyncCollection};
    use tidemark_base::{CollectionUuid, OpTime, Timestamp};

    const fn at(secs: u32) -> OpTime {
        OpTime { ts: Timestamp { secs, ordinal: 1 }, term: 1 }
    }

    fn member(port: u16, state: &'static str, majority: u32) -> MemberFacts {
        let hello = Hello { state, majority: Some(at(majority)), ..Hello::default() };
        MemberFacts {
            address: Address { host: "h".to_owned(), port },
            hello: Ok(hello),
            version: String::new(),
        }
    }

    fn delayed(port: u16) -> MemberFacts {
        let mut member = member(port, "SECONDARY", 200);
        member.hello.as_mut().unwrap().is_delayed = true;
        member
    }

    /// A copy that began at second 100, of which a part came from this member.
    fn sync(from: Option<&str>) -> Sync {
        let collection = SyncCollection {
            uuid: CollectionUuid::from_bytes([7; 16]),
            database: "app".to_owned(),
            name: "some".to_owned(),
            scan: 1,
            next: 3,
            is_done: false,
            documents: 0,
            bytes: 0,
            resume: from.map(|node| ResumePoint { node: node.to_owned(), token: String::new() }),
        };
        Sync { number: 1, at: at(100), until: None, is_wanted: true, collections: vec![collection] }
    }

    fn chosen(choice: &Choice, members: &[MemberFacts], from: Option<&str>) -> Option<u16> {
        choice.secondary(members, &sync(from)).map(|it| it.port)
    }

    #[test]
    fn the_fittest_secondary_is_one_that_was_copied_or_has_what_the_copy_begins_with() {
        let choice = Choice::default();
        let behind = member(2, "SECONDARY", 90);
        let set =
            [member(1, "PRIMARY", 200), behind, member(3, "SECONDARY", 100), member(4, "SECONDARY", 150)];
        assert_eq!(chosen(&choice, &set, None), Some(3), "the first that need not be waited for");
        assert_eq!(chosen(&choice, &set, Some("h:4 a-table")), Some(4));
        assert_eq!(chosen(&choice, &set[..2], None), Some(2), "better than none");
        let late = [member(5, "SECONDARY", 10), member(6, "SECONDARY", 20)];
        assert_eq!(chosen(&choice, &late, None), Some(6), "the one that is there first");
        assert_eq!(chosen(&choice, &[delayed(7)], Some("h:7 a-table")), None, "it stays behind on purpose");
        assert_eq!(chosen(&choice, &set[..1], None), None);
    }

    #[test]
    fn a_secondary_that_has_failed_is_left_for_another() {
        let mut choice = Choice::default();
        let set = [member(1, "PRIMARY", 200), member(2, "SECONDARY", 200), member(3, "SECONDARY", 200)];
        assert_eq!(chosen(&choice, &set, Some("h:2 a-table")), Some(2));
        choice.add("h:2", doubts(&Error::unexpected("waiting", "it is a minute behind")));
        assert_eq!(chosen(&choice, &set, Some("h:2 a-table")), Some(3));
        choice.add("h:3", MOST_DOUBTS);
        assert_eq!(chosen(&choice, &set, Some("h:2 a-table")), None, "the primary is left");
    }

    #[test]
    fn an_outage_that_may_be_the_networks_or_the_servers_does_not_throw_scans_away() {
        let mut choice = Choice::default();
        let set = [member(2, "SECONDARY", 200), member(3, "SECONDARY", 200)];
        let server = Error::Unreachable { server: "backup".to_owned(), why: "reset".to_owned() };
        choice.add("h:2", doubts(&server) * MOST_DOUBTS);
        let silent = Error::Late { what: "read a batch".to_owned(), secs: 10 };
        for _ in 1..MOST_DOUBTS {
            choice.add("h:2", doubts(&silent));
            assert_eq!(chosen(&choice, &set, Some("h:2 a-table")), Some(2));
        }
        choice.add("h:2", doubts(&silent));
        assert_eq!(chosen(&choice, &set, Some("h:2 a-table")), Some(3), "it is silent again and again");
    }
}
