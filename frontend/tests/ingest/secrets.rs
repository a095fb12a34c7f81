//! What is ours stays ours: failures of the stores, and a store without room, told without paths or names.

use crate::make::{at, chain};
use crate::world::{World, call, memory, of_set, report};
use axum::http::{Method, header};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tidemark_base::protocol::{BeginSync, Code, Tip};
use tidemark_blockstore::fault::{Fault, FaultAt, FaultBackend};
use tidemark_frontend::ingest::{Limits, Space};
use tidemark_metadata::{Ordered, Status};

#[tokio::test]
async fn a_store_that_fails_is_not_described_to_agents() {
    for call_number in 1..8 {
        let at_call = FaultAt { call: call_number, fault: Fault::Fail, and_all_later: true };
        let world = World::with(Arc::new(FaultBackend::new(memory(), at_call)), None, Limits::default());
        world.conf(&call("a", vec![report(crate::world::SET)])).await;
        world.becomes(Status::Provisioning, Ordered::ByUser);
        let begin = world.post(&of_set("/syncs"), &BeginSync { after: None, at: at(5) }).await;
        let slice = world.ask(Method::POST, &of_set("/slices"), chain(1)[0].bytes.clone()).await;
        for answer in [begin, slice].into_iter().filter(|it| !it.status.is_success()) {
            let (status, refusal) = answer.refusal();
            assert!(matches!(status, 409 | 500 | 503), "{status} {refusal}");
            for word in ["inject", "oplog/tip", "g/", "session", ".db", "pack"] {
                assert!(!answer.text().contains(word), "{}", answer.text());
            }
        }
    }
}

#[tokio::test]
async fn without_room_nothing_is_taken_and_all_goes_on_when_there_is_some() {
    let free = Arc::new(AtomicU64::new(1000));
    let seen = Arc::clone(&free);
    let space = Space { free: Box::new(move || Some(seen.load(Ordering::SeqCst))), floor_bytes: 500 };
    let world = World::with(memory(), Some(space), Limits::default());
    world.tailing().await;
    let slices = chain(2);
    world.ask(Method::POST, &of_set("/slices"), slices[0].bytes.clone()).await.ok::<Tip>();
    free.store(499, Ordering::SeqCst);
    let answer = world.ask(Method::POST, &of_set("/slices"), slices[1].bytes.clone()).await;
    assert_eq!((answer.refusal().0, answer.refusal().1.code), (507, Code::NoSpace));
    assert!(answer.headers.contains_key(header::RETRY_AFTER));
    assert_eq!(world.state().await.tip.unwrap().at, at(8), "what was acknowledged is there");
    assert_eq!(world.conf(&call("a", vec![report(crate::world::SET)])).await.sets.len(), 1);
    free.store(500, Ordering::SeqCst);
    world.ask(Method::POST, &of_set("/slices"), slices[1].bytes.clone()).await.ok::<Tip>();
}
