//! Which member is copied.
//!
//! Made for the life of a copy, and asked again by each of its attempts. Where any secondary will do, the one that an
//! earlier attempt has copied from is kept, since only there its resume points count; but not one that is behind on
//! purpose, nor one on which an attempt has failed a while ago. If no secondary is left the primary is copied.

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

/// What the choice depends on besides the set as it is.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// Members on which an attempt has failed, and when.
    failed: BTreeMap<String, Instant>,
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
                self.failed.retain(|_, at| at.elapsed() < FORGET);
                match self.secondary(&members, sync) {
                    Some(address) => address,
                    None => primary(source).await?,
                }
            }
        };
        let client = source.member(&address).await?;
        Ok(Member { client, node: source::node(&address) })
    }

    /// Takes note that an attempt has failed by the fault of a member.
    pub(super) fn has_failed(&mut self, member: &Member) {
        self.failed.insert(member.node.clone(), Instant::now());
    }

    /// The secondary that is fittest, if one is fit.
    fn secondary(&self, members: &[MemberFacts], sync: &Sync) -> Option<Address> {
        let fit = |member: &&MemberFacts| {
            let follows = |hello: &Hello| hello.state == "SECONDARY" && !hello.is_delayed;
            member.hello.as_ref().is_ok_and(follows)
                && !self.failed.contains_key(&source::node(&member.address))
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
        choice.failed.insert("h:2".to_owned(), Instant::now());
        assert_eq!(chosen(&choice, &set, Some("h:2 a-table")), Some(3));
        choice.failed.insert("h:3".to_owned(), Instant::now());
        assert_eq!(chosen(&choice, &set, Some("h:2 a-table")), None, "the primary is left");
    }
}
