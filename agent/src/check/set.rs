//! The check's questions to a replica set: what it is, each member, and what the agent's user may do.

use super::Problem;
use super::server::clocks;
use crate::Error;
use crate::config::SetConfig;
use crate::error::codes;
use crate::source::{self, Hello, MemberFacts, Reach, Source};
use tidemark_base::{Clock, SystemClock};
use tidemark_oplog::filter::Filter;

/// The versions of MongoDB that were tried.
const PROVEN: &str = "6.0.";
/// The least stretch of time that an oplog should reach back.
const LEAST_WINDOW_SECS: u32 = 3 * 60 * 60;
const ROLE: &str = "give the user the role 'backup' of the admin database: \
                    db.getSiblingDB('admin').grantRolesToUser('<user>', ['backup'])";

/// Views are documents of a collection that the role does not include.
const VIEWS: &str = "the role 'backup' may not read views, so give the user this as well: db.getSiblingDB('admin').createRole(\
                     {role: 'tidemarkViews', roles: [], privileges: [{resource: {db: '', collection: 'system.views'}, \
                     actions: ['find']}]}); db.getSiblingDB('admin').grantRolesToUser('<user>', ['tidemarkViews'])";

pub(super) async fn check(set: &SetConfig) -> Vec<Problem> {
    let about = format!("replica set {}", set.name);
    let reach = Reach::of_config(set);
    let seeds = seeds(&about, set, &reach).await;
    // Without one seed that is part of this set, everything else would only say the same again.
    let found = match seeds {
        (problems, false) => return problems,
        (problems, true) => problems,
    };
    let mut problems = found;
    match Source::new(reach) {
        Ok(source) => problems.extend(whole(&about, &source).await),
        Err(error) => {
            problems.push(Problem::blocks(&about, error.to_string(), "correct the configuration of the set"));
        }
    }
    problems
}

/// Asks each seed by itself. Also says whether one is what it should be.
async fn seeds(about: &str, set: &SetConfig, reach: &Reach) -> (Vec<Problem>, bool) {
    let mut problems = Vec::new();
    let mut has_one = false;
    for seed in &set.seeds {
        let name = source::node(seed);
        let hello = match reach.direct(seed) {
            Ok(client) => source::hello(&client).await,
            Err(error) => Err(error),
        };
        match hello {
            Ok(hello) => match not_a_member(&name, set, &hello) {
                Some(problem) => problems.push(problem),
                None => has_one = true,
            },
            Err(error) => problems.push(connecting(&format!("{about}, {name}"), &error, reach.has_tls())),
        }
    }
    (problems, has_one)
}

fn not_a_member(seed: &str, set: &SetConfig, hello: &Hello) -> Option<Problem> {
    match &hello.set_name {
        Some(name) if *name == set.name => None,
        Some(name) => Some(Problem::blocks(
            seed,
            format!("is a member of the replica set '{name}', not '{}'", set.name),
            format!("write replicaSets = {name}/…"),
        )),
        None if hello.is_router => Some(Problem::blocks(
            seed,
            "is a router (mongos) of a sharded cluster, which cannot be backed up yet",
            "name the members of each shard; a backup of the whole cluster at one time is not possible this way",
        )),
        None => Some(Problem::blocks(
            seed,
            "is a standalone server: it has no oplog",
            "restart it with --replSet and run rs.initiate(); one member is enough",
        )),
    }
}

/// Why a server cannot be talked to.
fn connecting(about: &str, error: &Error, has_tls: bool) -> Problem {
    let words = error.to_string();
    let lower = words.to_lowercase();
    let has = |part: &str| lower.contains(part);
    let fix = if has("authentication") || has("scram") {
        "look at username, password and authSource of the set"
    } else if has("notvalidforname") || has("not valid for name") {
        "use host names that are in the certificates of the members, in replicaSets and in rs.conf()"
    } else if has("certificate") || has("unknownissuer") {
        "tlsCAFile must be the authority that signed the members' certificates"
    } else if !has_tls && (has("unexpected end") || has("reset") || has("eof") || has("broken pipe")) {
        "the server may want TLS: name its authority in tlsCAFile"
    } else if has_tls && (has("tls") || has("invalidcontenttype") || has("corrupt message")) {
        "the server may not use TLS: leave out tlsCAFile"
    } else {
        "look at host and port, at firewalls in between, and whether the server runs"
    };
    Problem::blocks(about, words, fix)
}

/// What can only be asked of a set that lets us in.
async fn whole(about: &str, source: &Source) -> Vec<Problem> {
    let mut problems = Vec::new();
    let members = match source.config().await {
        Ok((_, members)) => members,
        Err(error) => return vec![refused(about, "the set's configuration cannot be read", &error)],
    };
    for facts in source.members(&members).await {
        problems.extend(member(about, &facts, source.reach.has_tls()));
    }
    if !source.may_read_config().await {
        problems.push(Problem::warns(
            about,
            "the user may not read the set's configuration: the set is known by an id of the agent's own, which it would \
             share with a set of the same name that was made of its files",
            "give the user the role 'clusterMonitor' of the admin database too, before the first backup",
        ));
    }
    problems.extend(window(about, source).await);
    problems.extend(privileges(about, source).await);
    problems
}

fn member(about: &str, facts: &MemberFacts, has_tls: bool) -> Vec<Problem> {
    let name = source::node(&facts.address);
    let about = format!("{about}, {name}");
    match &facts.hello {
        Err(why) => {
            let problem = connecting(&about, &Error::unexpected("this member of rs.conf()", why), has_tls);
            vec![Problem { weight: super::Weight::Warns, ..problem }]
        }
        Ok(hello) => {
            let now_ms = SystemClock::new().now().0;
            let clock = hello.clock_ms.and_then(|theirs| clocks(&about, theirs, now_ms));
            let version = (hello.state != "ARBITER" && !facts.version.starts_with(PROVEN)).then(|| {
                let what = format!("MongoDB {} is not proven to be backed up right; 6.0 is", facts.version);
                Problem::warns(&about, what, "try a restore and compare it before you rely on it")
            });
            clock.into_iter().chain(version).collect()
        }
    }
}

/// How far the oplog reaches back.
async fn window(about: &str, source: &Source) -> Option<Problem> {
    let (oldest, newest) = match (source.oldest().await, source.primary_hello().await) {
        (Ok(oldest), Ok(hello)) => (oldest, hello.majority?),
        (Err(error), _) => return Some(refused(about, "the oplog cannot be read", &error)),
        (_, Err(error)) => return Some(refused(about, "there is no primary", &error)),
    };
    let secs = newest.ts.secs.saturating_sub(oldest.ts.secs);
    (secs < LEAST_WINDOW_SECS).then(|| {
        let what = format!(
            "the oplog reaches back {} minutes, less than 3 hours: after a longer pause of the agent all is copied anew",
            secs / 60
        );
        let fix = "unless the set is new, enlarge it on every member: \
                   db.adminCommand({replSetResizeOplog: 1, size: <MB>, minRetentionHours: 24})";
        Problem::warns(about, what, fix)
    })
}

/// Tries what the agent will do.
async fn privileges(about: &str, source: &Source) -> Vec<Problem> {
    let mut problems = Vec::new();
    match source::collections(&source.client, &Filter::default()).await {
        Ok(found) => problems.extend(views(about, source, &found).await),
        Err(error) => problems.push(refused(about, "databases and collections cannot be listed", &error)),
    }
    for (database, name) in [("admin", "system.users"), ("admin", "system.version")] {
        if let Err(error) = source::first_of(&source.client, database, name).await {
            problems.push(refused(about, &format!("{database}.{name} cannot be read"), &error));
        }
    }
    if let Err(error) = source.oldest_open_transaction().await {
        problems.push(refused(about, "config.transactions cannot be read", &error));
    }
    match source.note_read_back().await {
        Ok(_) => {}
        Err(error) if error.mongo_code() == Some(codes::UNAUTHORIZED) => problems.push(Problem::warns(
            about,
            "the user may not append a note to the oplog: the end of a copy is found in a slower way",
            ROLE,
        )),
        Err(error) => {
            problems.push(refused(about, "a note in the oplog is not committed by a majority", &error));
        }
    }
    problems
}

/// Whether views can be read; one that cannot is enough to say.
async fn views(about: &str, source: &Source, found: &[source::Found]) -> Option<Problem> {
    for collection in found.iter().filter(|it| it.name == "system.views") {
        if let Err(error) = source::first_of(&source.client, &collection.database, &collection.name).await {
            let what = format!("{}.system.views cannot be read", collection.database);
            return Some(match error.mongo_code() {
                Some(codes::UNAUTHORIZED) => Problem::blocks(about, format!("{what}: {error}"), VIEWS),
                _ => refused(about, &what, &error),
            });
        }
    }
    None
}

fn refused(about: &str, what: &str, error: &Error) -> Problem {
    let fix = match error.mongo_code() {
        Some(codes::UNAUTHORIZED) => ROLE,
        _ => "see what the server says",
    };
    Problem::blocks(about, format!("{what}: {error}"), fix)
}
