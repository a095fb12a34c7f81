//! What a conf call says of a replica set, and what is wrong with it, in words.
//!
//! Made by the conf loop every half minute from what members say of themselves. A majority point that stands still is
//! the source's fault, and the members that hold it back are named.

use crate::source::{self, Hello, MemberFacts, Source};
use crate::{Error, Result};
use std::time::Duration;
use tidemark_base::OpTime;
use tidemark_base::protocol::{Address, Member, SetReport};

/// By how many seconds a majority, or a member, may be behind before it is a problem.
const BEHIND_SECS: u32 = 30;

/// How long one question to the set as a whole may take; a member that hangs is named by those that are asked singly.
const QUESTION: Duration = Duration::from_secs(3);

/// What a set is known by: its id and its members.
pub(crate) type Identity = (String, Vec<Address>);

/// What was found of a set.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) report: SetReport,
    pub(crate) identity: Identity,
    /// A member says that it is the primary, and the driver does not believe it: members that were put back from older
    /// files hold elections of terms that it takes for over.
    pub(crate) is_disbelieved: bool,
}

/// The report of a set, from its members. `known` is what it was known by the last time, for when it does not say.
pub(crate) async fn report(source: &Source, known: Option<Identity>) -> Result<Found> {
    let mut problems = Vec::new();
    let asked = in_time("the set's configuration", source.config()).await;
    let (id, addresses) = match (asked, known) {
        (Ok(identity), _) => identity,
        (Err(error), Some(known)) => {
            problems.push(error.to_string());
            known
        }
        (Err(error), None) => return Err(error),
    };
    source.keep_members(&addresses).await;
    // The same question, of which nobody gets tired: to each member, and to whom the driver takes for the primary.
    let to_primary = in_time("who the primary is", source.primary_hello());
    let (members, to_primary) = tokio::join!(source.members(&addresses), to_primary);
    let oldest = in_time("the oplog's beginning", source.oldest()).await;
    // Of two that claim to be it, one has not yet heard of its successor.
    let claims = members.iter().filter_map(|it| it.hello.as_ref().ok()).filter(|it| it.state == "PRIMARY");
    let primary = claims.max_by_key(|hello| hello.last.map(|last| last.term));
    problems.extend(of_members(primary, &members));
    problems.extend(oldest.as_ref().err().map(|error| format!("the oplog cannot be read: {error}")));
    let report = SetReport {
        id: id.clone(),
        name: primary.and_then(|it| it.set_name.clone()).unwrap_or_else(|| source.reach.name.clone()),
        members: members.iter().map(member).collect(),
        source_clock_ms: primary.and_then(|it| it.clock_ms),
        majority: primary.and_then(|it| it.majority),
        oldest: oldest.ok(),
        problems,
    };
    let is_disbelieved = to_primary.is_err() && primary.is_some();
    Ok(Found { report, identity: (id, addresses), is_disbelieved })
}

async fn in_time<T>(what: &str, answer: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| Error::Late { what: format!("read {what}"), secs: QUESTION.as_secs() };
    tokio::time::timeout(QUESTION, answer).await.map_err(late)?
}

fn member(facts: &MemberFacts) -> Member {
    Member {
        host: facts.address.host.clone(),
        port: facts.address.port,
        state: facts.hello.as_ref().map_or("DOWN", |hello| hello.state).to_owned(),
        version: facts.version.clone(),
    }
}

fn of_members(primary: Option<&Hello>, members: &[MemberFacts]) -> Vec<String> {
    let mut problems = Vec::new();
    for member in members {
        if let Err(why) = &member.hello {
            problems.push(format!("{} cannot be reached: {why}", source::node(&member.address)));
        }
    }
    let Some(primary) = primary else {
        problems.push("there is no primary: the oplog stands still until one is elected".to_owned());
        return problems;
    };
    let (Some(last), Some(majority)) = (primary.last, primary.majority) else { return problems };
    let behind = last.ts.secs.saturating_sub(majority.ts.secs);
    if behind >= BEHIND_SECS {
        problems.push(format!(
            "the majority point stands at {majority}, {behind} s behind the primary; held back by {}",
            culprits(members, last)
        ));
    }
    problems
}

/// The members that do not have what the primary has.
fn culprits(members: &[MemberFacts], last: OpTime) -> String {
    let late = |member: &&MemberFacts| match &member.hello {
        Err(_) => true,
        Ok(hello) if hello.state == "ARBITER" => false,
        Ok(hello) => hello.last.is_none_or(|own| last.ts.secs.saturating_sub(own.ts.secs) >= BEHIND_SECS),
    };
    let name = |member: &MemberFacts| {
        let state = member.hello.as_ref().map_or("not reachable", |hello| match hello.last {
            Some(_) => "behind",
            None => hello.state,
        });
        format!("{} ({state})", source::node(&member.address))
    };
    let names: Vec<String> = members.iter().filter(late).map(name).collect();
    if names.is_empty() { "no member that can be named".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemark_base::Timestamp;

    fn at(secs: u32) -> Option<OpTime> {
        Some(OpTime { ts: Timestamp { secs, ordinal: 1 }, term: 1 })
    }

    fn facts(port: u16, hello: std::result::Result<Hello, String>) -> MemberFacts {
        MemberFacts { address: Address { host: "h".to_owned(), port }, hello, version: String::new() }
    }

    fn hello(state: &'static str, last: u32, majority: u32) -> Hello {
        Hello { state, last: at(last), majority: at(majority), ..Hello::default() }
    }

    #[test]
    fn a_majority_point_that_stands_still_names_who_holds_it_back() {
        let primary = hello("PRIMARY", 1000, 900);
        let members = [
            facts(1, Ok(primary.clone())),
            facts(2, Ok(hello("SECONDARY", 900, 900))),
            facts(3, Err("refused".to_owned())),
            facts(4, Ok(hello("ARBITER", 0, 0))),
            facts(5, Ok(hello("SECONDARY", 999, 900))),
        ];
        let text = of_members(Some(&primary), &members).join("\n");
        assert!(
            text.contains("100 s behind the primary; held back by h:2 (behind), h:3 (not reachable)"),
            "{text}"
        );
        assert!(!text.contains("h:4") && !text.contains("h:5"), "{text}");
        assert!(of_members(None, &members[..2]).join("").contains("no primary"));
        let fine = hello("PRIMARY", 1000, 999);
        assert!(of_members(Some(&fine), &[facts(1, Ok(fine.clone()))]).is_empty());
    }
}
