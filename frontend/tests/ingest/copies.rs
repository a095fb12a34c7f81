//! A copy from its order to the head's build: in order, sent again, out of order, ordered anew.

use crate::make::{A, at, batch, chain, description, hash};
use crate::world::{Answer, NOW, SET, World, call, of_set, report};
use axum::http::{Method, Request, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tidemark_base::OpTime;
use tidemark_base::protocol::{
    BeginSync, Code, EndScan, EndSync, RESUME_HEADER, Rescan, ResumePoint, Role, Sync, SyncCollection, Task,
    Tip,
};
use tidemark_metadata::{Copies, Job, JobKind, JobState, Ordered, Outcome, Status, Subject, Text};
use tidemark_oplog::store::SliceStore;
use tidemark_oplog::store::initial_sync::SyncStore;

fn of_collection(rest: &str) -> String {
    of_set(&format!("/syncs/1/collections/{A}{rest}"))
}

async fn describe(world: &World) -> SyncCollection {
    world.ask(Method::PUT, &of_collection(""), description("shop", "orders")).await.ok()
}

async fn send_batch(world: &World, number: u32, says: &str) -> Answer {
    world.ask(Method::POST, &of_collection("/batches"), batch(1, 1, number, says).bytes).await
}

fn build(world: &World) -> Option<Job> {
    let id = Job::id_of(Some(world.group), JobKind::Build, &Subject::new(SET).unwrap());
    world.metadata().find::<Job>(&id).unwrap().map(|it| it.record)
}

#[tokio::test]
async fn from_the_first_call_to_the_tail() {
    let world = World::new();
    let told = world.conf(&call("a", vec![report(SET)])).await;
    assert_eq!((told.group, told.clock_ms), (world.group.to_string(), NOW.0));
    assert_eq!((told.sets[0].role, told.sets[0].task), (Role::Active, Task::Rest));
    assert_eq!(world.config().status, Status::Inactive, "an agent starts nothing");
    world.becomes(Status::Provisioning, Ordered::ByUser);
    assert_eq!(world.conf(&call("a", vec![report(SET)])).await.sets[0].task, Task::Copy);
    assert_eq!(world.state().await.tip, None);

    let begun: Sync = world.post(&of_set("/syncs"), &BeginSync { after: None, at: at(5) }).await.ok();
    assert_eq!((begun.number, begun.at, begun.until, begun.is_wanted), (1, at(5), None, true));
    let tip = world.state().await.tip.unwrap();
    assert_eq!((tip.chain, tip.at, tip.digest, tip.entry), (1, at(5), "00".repeat(32), None));
    assert_eq!(describe(&world).await.next, 0);
    let kept: SyncCollection = send_batch(&world, 0, "x").await.ok();
    assert_eq!((kept.uuid, kept.database.as_str(), kept.name.as_str()), (A, "shop", "orders"));
    assert_eq!((kept.scan, kept.next, kept.documents), (1, 1, 1));
    let done: SyncCollection =
        world.post(&of_collection("/end"), &EndScan { scan: 1, batches: 1 }).await.ok();
    assert!(done.is_done);

    let end = EndSync { until: at(8).ts };
    let early = world.post(&of_set("/syncs/1/end"), &end).await;
    assert_eq!(
        (early.refusal().0, early.refusal().1.code),
        (409, Code::NotDone),
        "the oplog is not there yet"
    );
    let slice = &chain(1)[0];
    let tip: Tip = world.ask(Method::POST, &of_set("/slices"), slice.bytes.clone()).await.ok();
    let entry = Some(hash(8, "x"));
    assert_eq!(tip, Tip { chain: 1, at: at(8), digest: slice.header.digest.to_string(), entry });
    assert_eq!(build(&world), None);
    let ended: Sync = world.post(&of_set("/syncs/1/end"), &end).await.ok();
    assert_eq!((ended.until, ended.is_wanted), (Some(at(8).ts), true));
    assert!(build(&world).unwrap().is_open());
    assert_eq!(world.state().await.task, Task::Copy, "until a head stands");
    world.becomes(Status::Started, Ordered::ByService);
    let state = world.state().await;
    assert_eq!((state.task, state.tip, state.sync.unwrap()), (Task::Tail, Some(tip), ended));
}

#[tokio::test]
async fn whatever_is_sent_again_is_answered_as_it_was() {
    let world = World::new();
    world.ordered().await;
    let begin = BeginSync { after: None, at: at(5) };
    let mut last = String::new();
    for step in 0..6 {
        let mut answers = Vec::new();
        for _ in 0..2 {
            let answer = match step {
                0 => world.post(&of_set("/syncs"), &begin).await,
                1 => world.ask(Method::PUT, &of_collection(""), description("shop", "orders")).await,
                2 => send_batch(&world, 0, "x").await,
                3 => world.ask(Method::POST, &of_set("/slices"), chain(1)[0].bytes.clone()).await,
                4 => world.post(&of_collection("/end"), &EndScan { scan: 1, batches: 1 }).await,
                _ => world.post(&of_set("/syncs/1/end"), &EndSync { until: at(8).ts }).await,
            };
            assert!(answer.status.is_success(), "{}", answer.text());
            answers.push(answer.text());
        }
        assert_eq!(answers[0], answers[1], "step {step}");
        last = answers.swap_remove(0);
    }
    world.becomes(Status::Started, Ordered::ByService);
    let late = world.post(&of_set("/syncs/1/end"), &EndSync { until: at(8).ts }).await;
    assert_eq!(late.text(), last, "also after the head was built");
}

#[tokio::test]
async fn what_is_out_of_order_is_answered_with_what_is_expected() {
    let world = World::new();
    world.begun().await;
    let unknown = send_batch(&world, 0, "x").await.refusal();
    assert_eq!((unknown.0, unknown.1.code), (404, Code::NotFound), "it was not described");
    describe(&world).await;
    send_batch(&world, 0, "x").await.ok::<SyncCollection>();
    for answer in [send_batch(&world, 2, "x").await, send_batch(&world, 0, "other").await] {
        let (status, refusal) = answer.refusal();
        assert_eq!((status, refusal.code, refusal.collection.unwrap().next), (409, Code::OtherBatch, 1));
    }
    for number in [1, 2] {
        let answer = world.post(&of_collection("/rescan"), &Rescan { scan: 1 }).await;
        let collection: SyncCollection = answer.ok();
        assert_eq!((collection.scan, collection.next), (2, 0), "asked {number} times");
    }
    let ends = world.post(&of_collection("/end"), &EndScan { scan: 2, batches: 7 }).await.refusal();
    assert_eq!((ends.1.code, ends.1.collection.unwrap().scan), (Code::OtherBatch, 2));
    let elsewhere = world.ask(Method::POST, &of_collection("/batches"), batch(2, 1, 0, "x").bytes).await;
    assert_eq!(elsewhere.refusal().1.code, Code::Invalid, "the path is another's");

    let slices = chain(3);
    let send = async |n: usize| world.ask(Method::POST, &of_set("/slices"), slices[n].bytes.clone()).await;
    send(0).await.ok::<Tip>();
    let (status, gap) = send(2).await.refusal();
    assert_eq!((status, gap.code, gap.tip.unwrap().entry), (409, Code::NotNext, Some(hash(8, "x"))));
    send(1).await.ok::<Tip>();
    let again: Tip = send(0).await.ok();
    assert_eq!((again.at, again.entry), (at(11), Some(hash(11, "x"))), "a resend is told where it ends now");
    let other = crate::make::slice(slices[0].header.end(), 9..12, "y");
    let (status, fork) = world.ask(Method::POST, &of_set("/slices"), other.bytes).await.refusal();
    assert_eq!((status, fork.code, fork.tip.unwrap().at), (409, Code::Fork, at(11)));
}

#[tokio::test]
async fn a_point_to_go_on_from_comes_back_as_it_was_given() {
    let world = World::new();
    world.begun().await;
    describe(&world).await;
    let point = ResumePoint { node: "db1:27017".to_owned(), token: STANDARD.encode([7; 300]) };
    let ask = |number, value: String| {
        let body = batch(1, 1, number, "x").bytes;
        let request = Request::post(of_collection("/batches")).header(RESUME_HEADER, value);
        let request = request.header(header::AUTHORIZATION, format!("Bearer {}", world.key));
        world.send(request.body(axum::body::Body::from(body)).unwrap())
    };
    let value = STANDARD.encode(serde_json::to_vec(&point).unwrap());
    ask(0, value).await.ok::<SyncCollection>();
    assert_eq!(world.state().await.sync.unwrap().collections[0].resume, Some(point));
    for bad in ["%%%".to_owned(), STANDARD.encode("{}"), "A".repeat(9000)] {
        assert_eq!(ask(1, bad).await.refusal().1.code, Code::Invalid);
    }
    let without: SyncCollection = send_batch(&world, 1, "x").await.ok();
    assert_eq!(without.resume, None, "it stood behind another batch");
}

#[tokio::test]
async fn a_new_order_makes_the_copy_worthless_and_begins_another_with_its_own_oplog() {
    let world = World::new();
    world.begun().await;
    describe(&world).await;
    world.becomes(Status::Started, Ordered::ByService);
    let unwanted = world.post(&of_set("/syncs"), &BeginSync { after: Some(1), at: at(20) }).await;
    assert_eq!(unwanted.refusal().1.code, Code::OtherSync);
    world.becomes(Status::Provisioning, Ordered::ByUser);
    assert!(!world.state().await.sync.unwrap().is_wanted);
    for answer in [
        send_batch(&world, 0, "x").await,
        world.post(&of_collection("/end"), &EndScan { scan: 1, batches: 0 }).await,
        world.post(&of_set("/syncs/1/end"), &EndSync { until: at(5).ts }).await,
        world.post(&of_set("/syncs"), &BeginSync { after: None, at: at(20) }).await,
    ] {
        assert_eq!(
            (answer.refusal().0, answer.refusal().1.code),
            (409, Code::OtherSync),
            "{}",
            answer.text()
        );
    }
    let begun: Sync = world.post(&of_set("/syncs"), &BeginSync { after: Some(1), at: at(20) }).await.ok();
    assert_eq!((begun.number, begun.is_wanted, world.config().copies), (2, true, Copies::From(2)));
    let tip = world.state().await.tip.unwrap();
    assert_eq!((tip.chain, tip.at), (2, at(20)));
}

#[tokio::test]
async fn nothing_is_taken_while_the_backup_rests() {
    let world = World::new();
    world.conf(&call("a", vec![report(SET)])).await;
    for _ in 0..2 {
        let begin = BeginSync { after: None, at: at(5) };
        let slice = world.ask(Method::POST, &of_set("/slices"), chain(1)[0].bytes.clone()).await;
        for answer in [world.post(&of_set("/syncs"), &begin).await, slice, world.get(&of_set("/ends")).await]
        {
            assert_eq!((answer.refusal().0, answer.refusal().1.code), (409, Code::Stopped));
        }
        assert_eq!(world.state().await.task, Task::Rest);
        if world.config().status == Status::Inactive {
            world.becomes(Status::Provisioning, Ordered::ByUser);
            world.becomes(Status::Stopped, Ordered::ByUser);
        }
    }
}

#[tokio::test]
async fn a_build_that_its_front_end_did_not_live_to_queue_is_queued_by_the_next_call() {
    let world = World::new();
    world.begun().await;
    // As by a front-end that died between the two.
    let store = &world.site.parts().store;
    let prefix = format!("g/{}/h/{SET}", world.group);
    let session = store.session(&[]).unwrap();
    SyncStore::new(store, &prefix).end(&session, 1, at(5).ts).unwrap();
    assert_eq!(build(&world), None);
    world.conf(&call("a", vec![report(SET)])).await;
    let job = build(&world).unwrap();
    assert!(job.is_open());
    // One that failed for good is not begun again and again.
    let holder =
        tidemark_metadata::rules::lease::Holder { name: Subject::new("d").unwrap(), incarnation: [1; 8] };
    let id = Job::id_of(Some(world.group), JobKind::Build, &Subject::new(SET).unwrap());
    let claim = world.metadata().claim_job(&id, &holder, NOW).unwrap().unwrap();
    let mut random = tidemark_base::SeededEntropy::new(1);
    let failed = Outcome::Failed(Text::fit("no"));
    world.metadata().finish_job(&claim, &failed, NOW, &mut random).unwrap();
    world.conf(&call("a", vec![report(SET)])).await;
    world.state().await;
    assert!(matches!(build(&world).unwrap().state, JobState::Failed { .. }));
    // Nor after the head stands.
    world.becomes(Status::Started, Ordered::ByService);
    world.state().await;
    assert!(!build(&world).unwrap().is_open());
}

#[tokio::test]
async fn what_is_acknowledged_is_in_the_store() {
    let world = World::new();
    world.tailing().await;
    for slice in chain(3) {
        world.ask(Method::POST, &of_set("/slices"), slice.bytes).await.ok::<Tip>();
    }
    let slices = SliceStore::new(&world.site.parts().store, &format!("g/{}/h/{SET}", world.group));
    assert_eq!(slices.check().unwrap(), []);
    let tip = slices.tip().unwrap().unwrap();
    assert_eq!(
        (tip.link, slices.line(&tip, None, tip.link.at.ts).unwrap().len()),
        (chain(3)[2].header.end(), 3)
    );
    let at: OpTime = tip.link.at;
    assert_eq!(world.state().await.tip.unwrap().at, at);
}
