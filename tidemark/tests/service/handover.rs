//! An agent that ends in good order makes room for the one that stands by, which takes over with its next call.

use crate::backup::{Backup, PATIENCE};
use std::time::Duration;
use tidemark_base::{Clock as _, SystemClock};
use tidemark_testkit::live::replica_set_of_one;
use tidemark_testkit::service::{AgentSetUp, Installation, programs, start_agent, wait_for};

/// Well below the time after which an agent that died gives way, and above that between two calls.
const SOON: Duration = Duration::from_secs(45);

#[test]
fn an_agent_that_is_told_to_end_lets_the_other_take_over_at_its_next_call() {
    let set = replica_set_of_one().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let installation = Installation::start(&programs().unwrap(), folder.path()).unwrap();
    let set_up =
        |name: &str| AgentSetUp { name: name.to_owned(), replica_set: set.host(), lines: Vec::new() };
    let first = start_agent(&installation, &set_up("first")).unwrap().0;
    let backup = Backup::known(installation);
    let active = |name: &str| {
        wait_for(&format!("{name} to be active"), PATIENCE, || {
            Ok((backup.active_agent().as_deref() == Some(name)).then_some(()))
        })
        .unwrap();
    };
    active("first");
    let mut second = start_agent(&backup.installation, &set_up("second")).unwrap().0;
    wait_for("the second to stand by", PATIENCE, || Ok((backup.agents().len() == 2).then_some(()))).unwrap();
    assert_eq!(backup.active_agent().as_deref(), Some("first"));
    first.stop(Duration::from_secs(30)).unwrap();
    let clock = SystemClock::new();
    let ended = clock.monotonic();
    active("second");
    let took = clock.monotonic() - ended;
    assert!(took < SOON, "{took:?}");
    second.check().unwrap();
}
