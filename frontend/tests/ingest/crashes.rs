//! Every changing call of the store fails in turn, and the agent sends again: what was acknowledged is there, once.

use crate::make::{A, at, batch, chain, description};
use crate::world::{Answer, SET, World, call, memory, of_set, report};
use axum::http::Method;
use std::sync::Arc;
use tidemark_base::protocol::{BeginSync, EndScan, EndSync, SetState};
use tidemark_blockstore::Store;
use tidemark_blockstore::fault::{Fault, FaultAt, FaultBackend};
use tidemark_frontend::ingest::Limits;
use tidemark_metadata::{Ordered, Status};
use tidemark_oplog::store::SliceStore;
use tidemark_oplog::store::initial_sync::SyncStore;

/// Sends until it is taken; one failure was injected.
async fn insists(world: &World, method: Method, path: &str, body: Vec<u8>) -> Answer {
    for _ in 0..3 {
        let answer = world.ask(method.clone(), path, body.clone()).await;
        if answer.status.is_success() {
            return answer;
        }
        assert!(matches!(answer.refusal().0, 500 | 503), "{path}: {}", answer.text());
    }
    panic!("{path} fails again and again")
}

fn steps() -> Vec<(Method, String, Vec<u8>)> {
    let json = |body: serde_json::Value| serde_json::to_vec(&body).unwrap();
    let of_collection = |rest: &str| of_set(&format!("/syncs/1/collections/{A}{rest}"));
    let value = |it: Result<serde_json::Value, _>| json(it.unwrap());
    let mut steps = vec![
        (Method::POST, of_set("/syncs"), value(serde_json::to_value(BeginSync { after: None, at: at(5) }))),
        (Method::PUT, of_collection(""), description("shop", "orders")),
        (Method::POST, of_collection("/batches"), batch(1, 1, 0, "x").bytes),
    ];
    for slice in chain(2) {
        steps.push((Method::POST, of_set("/slices"), slice.bytes));
    }
    let end_scan = EndScan { scan: 1, batches: 1 };
    steps.push((Method::POST, of_collection("/end"), value(serde_json::to_value(end_scan))));
    let end = EndSync { until: at(11).ts };
    steps.push((Method::POST, of_set("/syncs/1/end"), value(serde_json::to_value(end))));
    steps
}

#[tokio::test]
async fn whatever_call_fails_everything_is_kept_once() {
    for fault in [Fault::Fail, Fault::FailAfter, Fault::Tear] {
        for call_number in 1.. {
            let backend = memory();
            let at_call = FaultAt { call: call_number, fault, and_all_later: false };
            let faulty = Arc::new(FaultBackend::new(backend.clone(), at_call));
            let world = World::with(faulty.clone(), None, Limits::default());
            world.conf(&call("a", vec![report(SET)])).await;
            world.becomes(Status::Provisioning, Ordered::ByUser);
            for (method, path, body) in steps() {
                insists(&world, method, &path, body).await;
            }
            let prefix = format!("g/{}/h/{SET}", world.group);
            drop(world);
            backend.crash();
            let store = Store::new(backend);
            let (slices, syncs) = (SliceStore::new(&store, &prefix), SyncStore::new(&store, &prefix));
            assert_eq!(slices.check().unwrap(), []);
            assert_eq!(slices.tip().unwrap().unwrap().link, chain(2)[1].header.end(), "call {call_number}");
            assert_eq!(syncs.state().unwrap().unwrap().until, Some(at(11).ts));
            assert_eq!(syncs.batches(1, A).unwrap().len(), 1);
            if faulty.calls() < call_number {
                assert!(call_number > 10, "{call_number}");
                break;
            }
        }
    }
}

/// A front-end dies when a copy has begun, before it is noted that it counts; another agent comes and asks.
#[tokio::test]
async fn a_copy_that_began_and_does_not_count_is_begun_again_or_behind() {
    let world = World::new();
    world.ordered().await;
    let store = &world.site.parts().store;
    let prefix = format!("g/{}/h/{SET}", world.group);
    let (slices, syncs) = (SliceStore::new(store, &prefix), SyncStore::new(store, &prefix));
    let session = store.session(&[]).unwrap();
    syncs.begin_with_log(&session, &slices, None, at(5)).unwrap();
    let state: SetState = world.state().await;
    assert!(!state.sync.unwrap().is_wanted);
    let again = world.post(&of_set("/syncs"), &BeginSync { after: None, at: at(5) }).await;
    assert!(again.ok::<tidemark_base::protocol::Sync>().is_wanted, "the same agent asks again");

    let world = World::new();
    world.ordered().await;
    let store = &world.site.parts().store;
    let (slices, syncs) = (SliceStore::new(store, &prefix), SyncStore::new(store, &prefix));
    let session = store.session(&[]).unwrap();
    syncs.begin_with_log(&session, &slices, None, at(5)).unwrap();
    let behind = world.post(&of_set("/syncs"), &BeginSync { after: Some(1), at: at(7) }).await;
    let behind: tidemark_base::protocol::Sync = behind.ok();
    assert_eq!((behind.number, behind.is_wanted, world.state().await.tip.unwrap().at), (2, true, at(7)));
}
