//! The source rolled back, or its oplog is lost: what is answered, and what becomes of the backup.

use crate::make::{at, chain, hash, slice};
use crate::world::{SET, World, of_set};
use axum::http::Method;
use tidemark_base::OpTime;
use tidemark_base::protocol::{Code, End, ForkRequest, LostReason, LostRequest, SetState, Task, Tip};
use tidemark_metadata::{Event, Ordered, Status};

fn fork(secs: u32, tip: OpTime) -> ForkRequest {
    ForkRequest { chain: 1, tip, common: End { at: at(secs), entry: hash(secs, "x") } }
}

fn lost(chain: u32, tip: OpTime) -> LostRequest {
    let detail = "oldest 90,1\u{202e}".to_owned();
    LostRequest { chain, tip, reason: LostReason::FellOff, detail }
}

fn events(world: &World) -> Vec<String> {
    let events: Vec<Event> = world.metadata().events(Some(world.group), None, 100).unwrap();
    events.into_iter().map(|it| it.what.code.to_string()).collect()
}

/// A set that tails, with four slices, which end at 8, 11, 14 and 17.
async fn with_four() -> World {
    let world = World::new();
    world.tailing().await;
    send_four(&world).await;
    world
}

async fn send_four(world: &World) {
    for slice in chain(4) {
        world.ask(Method::POST, &of_set("/slices"), slice.bytes).await.ok::<Tip>();
    }
}

#[tokio::test]
async fn ends_are_told_newest_first_with_the_hash_of_their_entry() {
    let world = with_four().await;
    let ends: Vec<End> = world.get(&of_set("/ends")).await.ok();
    let expected = |secs: u32| End { at: at(secs), entry: hash(secs, "x") };
    assert_eq!(ends, [17, 14, 11, 8].map(expected));
    let earlier: Vec<End> = world.get(&of_set("/ends?before=14,1")).await.ok();
    assert_eq!(earlier, [11, 8].map(expected));
    let none: Vec<End> = world.get(&of_set("/ends?before=8,1")).await.ok();
    assert_eq!(none, []);
    for bad in ["/ends?before=", "/ends?before=1", "/ends?x=1", "/ends?before=14,1&before=2,1"] {
        assert_eq!(world.get(&of_set(bad)).await.refusal().1.code, Code::Invalid, "{bad}");
    }
}

#[tokio::test]
async fn at_most_sixteen_ends_are_told_and_the_rest_is_asked_for() {
    let world = World::new();
    world.tailing().await;
    for slice in chain(40) {
        world.ask(Method::POST, &of_set("/slices"), slice.bytes).await.ok::<Tip>();
    }
    let mut all: Vec<End> = world.get(&of_set("/ends")).await.ok();
    assert_eq!(all.len(), 16);
    while let Some(last) = all.last() {
        let next: Vec<End> = world.get(&of_set(&format!("/ends?before={}", last.at.ts))).await.ok();
        if next.is_empty() {
            break;
        }
        all.extend(next);
    }
    let secs: Vec<u32> = all.iter().map(|it| it.at.ts.secs).collect();
    assert_eq!(secs, (0..40).rev().map(|n| 8 + 3 * n).collect::<Vec<u32>>());
}

#[tokio::test]
async fn after_a_rollback_a_new_chain_goes_on_from_the_common_point() {
    let world = with_four().await;
    let mut tips = Vec::new();
    for _ in 0..2 {
        tips.push(world.post(&of_set("/fork"), &fork(11, at(17))).await.ok::<Tip>());
    }
    let common = chain(2)[1].header;
    let expected =
        Tip { chain: 2, at: at(11), digest: common.digest.to_string(), entry: Some(hash(11, "x")) };
    assert_eq!(tips, [expected.clone(), expected.clone()], "asked again, it is answered alike");
    assert_eq!(world.state().await.tip, Some(expected));
    assert_eq!(events(&world), ["OPLOG_FORKED"], "once");

    let other = slice(common.end(), 12..14, "y");
    let tip: Tip = world.ask(Method::POST, &of_set("/slices"), other.bytes.clone()).await.ok();
    assert_eq!((tip.chain, tip.at, &tip.entry), (2, at(13), &Some(hash(13, "y"))));
    let repeated: Tip = world.post(&of_set("/fork"), &fork(11, at(17))).await.ok();
    assert_eq!(repeated, tip, "also when more has come");
    let ends: Vec<End> = world.get(&of_set("/ends")).await.ok();
    assert_eq!(
        ends.iter().map(|it| it.at.ts.secs).collect::<Vec<_>>(),
        [13, 11, 8],
        "the line, not the branch"
    );
    let (_, old) = world.ask(Method::POST, &of_set("/slices"), chain(4)[2].bytes.clone()).await.refusal();
    assert!(matches!(old.code, Code::NotNext | Code::Fork), "what was left is not taken again");
}

#[tokio::test]
async fn a_fork_that_does_not_fit_changes_nothing() {
    let world = with_four().await;
    let wrong_entry = ForkRequest { common: End { at: at(11), entry: hash(11, "y") }, ..fork(11, at(17)) };
    for (request, why) in [
        (fork(10, at(17)), "no slice ends there"),
        (fork(11, at(14)), "the tip is another"),
        (ForkRequest { chain: 2, ..fork(11, at(17)) }, "the chain is another"),
        (wrong_entry, "the entry is another"),
        (fork(20, at(17)), "behind the tip"),
        (fork(5, at(17)), "where the chain begins there is no entry"),
    ] {
        let (status, refusal) = world.post(&of_set("/fork"), &request).await.refusal();
        assert_eq!((status, refusal.code), (409, Code::Fork), "{why}");
        assert_eq!(refusal.tip.unwrap().at, at(17), "{why}");
    }
    let at_tip: Tip = world.post(&of_set("/fork"), &fork(17, at(17))).await.ok();
    assert_eq!((at_tip.chain, at_tip.at), (1, at(17)), "nothing forks at the tip");
    assert_eq!((events(&world), world.config().status), (Vec::new(), Status::Started));
}

#[tokio::test]
async fn a_copy_that_may_have_seen_what_was_rolled_back_is_made_anew() {
    let world = World::new();
    world.begun().await;
    send_four(&world).await;
    world.post(&of_set("/fork"), &fork(11, at(17))).await.ok::<Tip>();
    let state = world.state().await;
    assert_eq!((state.task, state.sync.unwrap().is_wanted), (Task::Copy, false));
    assert_eq!(events(&world), ["OPLOG_FORKED", "COPY_ORDERED"]);
}

#[tokio::test]
async fn an_oplog_that_is_lost_orders_a_new_copy_once() {
    let world = with_four().await;
    let (status, stale) = world.post(&of_set("/lost"), &lost(1, at(14))).await.refusal();
    assert_eq!((status, stale.code, stale.tip.unwrap().at), (409, Code::NotNext, at(17)));
    assert_eq!(world.config().status, Status::Started);
    let other: SetState = world.post(&of_set("/lost"), &lost(7, at(14))).await.ok();
    assert_eq!((other.task, events(&world).len()), (Task::Tail, 0), "another chain is lost already");
    for _ in 0..2 {
        let state: SetState = world.post(&of_set("/lost"), &lost(1, at(17))).await.ok();
        assert_eq!((state.task, state.sync.unwrap().is_wanted), (Task::Copy, false));
    }
    assert_eq!(
        (world.config().status, events(&world)),
        (Status::Provisioning, vec!["COPY_ORDERED".to_owned()])
    );
    let event = &world.metadata().events(Some(world.group), None, 1).unwrap()[0];
    assert!(
        event.what.text.as_str().contains("oldest 90,1") && !event.what.text.as_str().contains('\u{202e}')
    );
    assert_eq!(event.what.subject.as_ref().unwrap().as_str(), SET);

    world.becomes(Status::Stopped, Ordered::ByUser);
    let stopped = world.post(&of_set("/lost"), &lost(1, at(17))).await.refusal();
    assert_eq!(stopped.1.code, Code::Stopped);
}
