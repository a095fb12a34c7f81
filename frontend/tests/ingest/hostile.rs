//! Every request with what should never come: the right status, a clear message, nothing stored, nothing lost.

use crate::make::{A, at, batch, chain, description};
use crate::world::{SET, World, call, memory, of_set, report, request};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use std::time::Duration;
use tidemark_base::protocol::{
    BeginSync, Code, End, EndScan, EndSync, ForkRequest, LostReason, LostRequest, ReleaseRequest, Rescan,
    SyncCollection, Tip,
};
use tidemark_frontend::ingest::Limits;
use tidemark_metadata::{By, ReplicaSet};
use tidemark_oplog::store::SliceStore;
use tokio::io::{AsyncWriteExt as _, DuplexStream};
use tokio_util::io::ReaderStream;

fn json(body: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(body).unwrap()
}

/// Every request that changes something, as it would be right: method, path, body, its limit.
fn all() -> Vec<(Method, String, Vec<u8>, usize)> {
    let of_collection = |rest: &str| of_set(&format!("/syncs/1/collections/{A}{rest}"));
    let end = End { at: at(8), entry: "00".repeat(32) };
    let release = ReleaseRequest { agent: "a".to_owned(), incarnation: "0011223344556677".to_owned() };
    let lost = LostRequest { chain: 1, tip: at(8), reason: LostReason::FellOff, detail: String::new() };
    let (small, large) = (1 << 20, 32 << 20);
    vec![
        (Method::POST, "/agent/v1/conf".to_owned(), json(&call("a", vec![report(SET)])), small),
        (Method::POST, of_set("/syncs"), json(&BeginSync { after: None, at: at(5) }), small),
        (Method::PUT, of_collection(""), description("shop", "orders"), 17 << 20),
        (Method::POST, of_collection("/batches"), batch(1, 1, 0, "x").bytes, large),
        (Method::POST, of_collection("/rescan"), json(&Rescan { scan: 1 }), small),
        (Method::POST, of_collection("/end"), json(&EndScan { scan: 2, batches: 0 }), small),
        (Method::POST, of_set("/slices"), chain(1)[0].bytes.clone(), large),
        (Method::POST, of_set("/syncs/1/end"), json(&EndSync { until: at(8).ts }), small),
        (Method::POST, of_set("/fork"), json(&ForkRequest { chain: 1, tip: at(8), common: end }), small),
        (Method::POST, of_set("/lost"), json(&lost), small),
        (Method::POST, of_set("/release"), json(&release), small),
    ]
}

#[tokio::test]
async fn without_the_right_key_nothing_is_answered_and_nothing_read() {
    let world = World::new();
    world.begun().await;
    let mut paths: Vec<_> = all().into_iter().map(|(method, path, ..)| (method, path)).collect();
    paths.extend([(Method::GET, of_set("")), (Method::GET, of_set("/ends"))]);
    let wrong = format!("tma_{}", "0".repeat(64));
    let long = format!("tma_{}", "0".repeat(100_000));
    for (method, path) in paths {
        for shown in
            [None, Some("Bearer "), Some("Basic YTpi"), Some(&*wrong), Some(&*long), Some("Bearer tms_00")]
        {
            let mut asked = Request::builder().method(method.clone()).uri(&path);
            if let Some(shown) = shown {
                let shown =
                    if shown.starts_with("tma_") { format!("Bearer {shown}") } else { shown.to_owned() };
                asked = asked.header(header::AUTHORIZATION, shown);
            }
            // A body that never comes: whoever read it first would wait for it.
            let (_open, body) = pipe();
            let answer = world.send(asked.body(body).unwrap()).await;
            let (status, refusal) = answer.refusal();
            assert_eq!((status, refusal.code), (401, Code::UnknownKey), "{method} {path}");
            assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "Bearer");
        }
    }
}

#[tokio::test]
async fn the_key_of_another_group_reaches_nothing_of_ours() {
    let world = World::new();
    world.begun().await;
    let before = world.state().await;
    for (method, path, body, _) in all().into_iter().filter(|it| it.1.contains("/sets/")) {
        let (status, refusal) = world.ask_with(&world.other_key, method, &path, body).await.refusal();
        assert_eq!((status, refusal.code), (404, Code::NotFound), "{path}");
    }
    for path in [of_set(""), of_set("/ends")] {
        let answer = world.ask_with(&world.other_key, Method::GET, &path, Vec::new()).await;
        assert_eq!(answer.refusal().0, 404);
    }
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn bodies_that_are_not_what_they_should_be_are_refused_and_change_nothing() {
    let world = World::new();
    world.begun().await;
    let before = world.state().await;
    for (method, path, right, limit) in all().into_iter().filter(|it| !it.1.ends_with("/syncs")) {
        let half = right[..right.len() / 2].to_vec();
        let noise: Vec<u8> = (0..right.len()).map(|n| u8::try_from(n * 37 % 251).unwrap()).collect();
        let twice = [right.as_slice(), &right].concat();
        for bad in [Vec::new(), half, noise, twice, b"{}".to_vec(), b"null".to_vec(), b"[".repeat(10_000)] {
            let (status, refusal) = world.ask(method.clone(), &path, bad).await.refusal();
            assert_eq!((status, refusal.code), (400, Code::Invalid), "{path}: {refusal}");
        }
        // More than may come, said before it comes: nothing is read.
        let told = Request::builder().method(method.clone()).uri(&path);
        let told = told.header(header::AUTHORIZATION, format!("Bearer {}", world.key));
        let (_open, body) = pipe();
        let answer = world.send(told.header(header::CONTENT_LENGTH, limit + 1).body(body).unwrap()).await;
        assert_eq!((answer.refusal().0, answer.refusal().1.code), (413, Code::TooLarge), "{path}");
        let mut packed = request(&world.key, method.clone(), &path, right.clone());
        packed.headers_mut().insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
        assert_eq!(world.send(packed).await.refusal().1.code, Code::Invalid, "{path}");
        let mut unknown = String::from_utf8(right.clone()).unwrap_or_default();
        if unknown.starts_with('{') {
            unknown.insert_str(1, "\"hunter2\":1,");
            let (status, refusal) = world.ask(method, &path, unknown.into_bytes()).await.refusal();
            assert_eq!((status, refusal.code), (400, Code::Invalid), "{path}: fields that nobody knows");
            assert!(!refusal.message.contains("hunter2"), "{refusal}");
        }
    }
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn more_than_may_come_is_refused_while_it_comes() {
    let world = World::new();
    let request =
        Request::post("/agent/v1/conf").header(header::AUTHORIZATION, format!("Bearer {}", world.key));
    let (mut open, body) = pipe();
    let sends = async move {
        // Without a length; refused before the end, so the pipe breaks.
        for _ in 0..64 {
            if open.write_all(&[b' '; 64 << 10]).await.is_err() {
                return;
            }
        }
    };
    let (answer, ()) = tokio::join!(world.send(request.body(body).unwrap()), sends);
    assert_eq!((answer.refusal().0, answer.refusal().1.code), (413, Code::TooLarge));
}

#[tokio::test]
async fn who_is_too_slow_is_sent_away_and_who_earns_time_is_not() {
    let limits =
        Limits { body_time: Duration::from_millis(300), body_bytes_per_second: 100, ..Limits::default() };
    let world = World::with(memory(), None, limits);
    let ask = |body| {
        let request = Request::post("/agent/v1/conf");
        let request = request.header(header::AUTHORIZATION, format!("Bearer {}", world.key));
        world.send(request.body(body).unwrap())
    };
    let (_open, body) = pipe();
    let answer = ask(body).await;
    assert_eq!((answer.refusal().0, answer.refusal().1.code), (408, Code::TooSlow));
    assert!(answer.headers.contains_key(header::RETRY_AFTER));
    let (mut open, body) = pipe();
    let sends = async move {
        let right = json(&call("a", vec![]));
        assert!(right.len() > 100);
        open.write_all(&right).await.unwrap();
        // Longer than who has sent nothing may take.
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    let (answer, ()) = tokio::join!(ask(body), sends);
    assert!(answer.status.is_success(), "{}", answer.text());
}

#[tokio::test]
async fn bodies_take_no_more_memory_than_there_is_for_them() {
    let limits = Limits { bodies_bytes: 33 << 20, wait: Duration::from_millis(50), ..Limits::default() };
    let world = World::with(memory(), None, limits);
    world.tailing().await;
    let slow = || {
        let request = Request::post(of_set("/slices"));
        let request = request.header(header::AUTHORIZATION, format!("Bearer {}", world.key));
        let (open, body) = pipe();
        (open, request.header(header::CONTENT_LENGTH, 32 << 20).body(body).unwrap())
    };
    let ((_first_open, first), (_second_open, second)) = (slow(), slow());
    let first = world.send(first);
    tokio::pin!(first);
    let answer = tokio::select! {
        _ = &mut first => panic!("its body has not come"),
        answer = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            world.send(second).await
        } => answer,
    };
    assert_eq!((answer.refusal().0, answer.refusal().1.code), (503, Code::Busy));
    assert!(answer.headers.contains_key(header::RETRY_AFTER));
    assert!(world.state().await.tip.is_some(), "others are still answered");
}

/// A pipe whose writer decides what the body is, and when.
fn pipe() -> (DuplexStream, Body) {
    let (open, body) = tokio::io::duplex(64 << 10);
    (open, Body::from_stream(ReaderStream::new(body)))
}

/// The slice with another payload behind a header whose sums and lengths are right.
fn with_payload(slice: &[u8], payload: &[u8], plain_len: u32) -> Vec<u8> {
    let mut bytes = slice[..160].to_vec();
    bytes[96..100].copy_from_slice(&plain_len.to_le_bytes());
    bytes[100] = 1;
    bytes[104..108].copy_from_slice(&u32::try_from(payload.len()).unwrap().to_le_bytes());
    bytes[144..152].copy_from_slice(&xxhash_rust::xxh3::xxh3_64(payload).to_le_bytes());
    let sum = xxhash_rust::xxh3::xxh3_64(&bytes[..152]);
    bytes[152..160].copy_from_slice(&sum.to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

#[tokio::test]
async fn bombs_and_windows_that_are_too_large_cost_nothing() {
    let world = World::new();
    world.tailing().await;
    let right = &chain(1)[0].bytes;
    let zeros = vec![0; 64 << 20];
    let bomb = zstd::bulk::compress(&zeros, 3).unwrap();
    let window = {
        use std::io::Write as _;
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
        encoder.window_log(27).unwrap();
        encoder.write_all(&zeros[..1 << 20]).unwrap();
        encoder.finish().unwrap()
    };
    for (payload, plain_len) in [
        (&bomb, 64 << 20),
        (&bomb, 1 << 20),
        (&window, 1 << 20),
        (&zstd::bulk::compress(&zeros[..1 << 20], 3).unwrap(), 1 << 20),
    ] {
        let bad = with_payload(right, payload, plain_len);
        let (status, refusal) = world.ask(Method::POST, &of_set("/slices"), bad).await.refusal();
        assert_eq!((status, refusal.code), (400, Code::Invalid), "{refusal}");
    }
    assert_eq!(world.state().await.tip.unwrap().at, at(5));
    world.ask(Method::POST, &of_set("/slices"), right.clone()).await.ok::<Tip>();
}

#[tokio::test]
async fn every_flipped_byte_of_a_slice_or_batch_is_refused_and_the_right_one_taken_after() {
    let world = World::new();
    world.begun().await;
    let path = of_set(&format!("/syncs/1/collections/{A}"));
    world.ask(Method::PUT, &path, description("shop", "orders")).await.ok::<SyncCollection>();
    let batches = format!("{path}/batches");
    for (path, right) in
        [(of_set("/slices"), chain(1)[0].bytes.clone()), (batches, batch(1, 1, 0, "x").bytes)]
    {
        for at in 0..right.len() {
            let mut bad = right.clone();
            bad[at] ^= 1 << (at % 8);
            let (status, refusal) = world.ask(Method::POST, &path, bad).await.refusal();
            assert_eq!((status, refusal.code), (400, Code::Invalid), "byte {at}: {refusal}");
        }
        assert!(world.ask(Method::POST, &path, right).await.status.is_success());
    }
    let slices = SliceStore::new(&world.site.parts().store, &format!("g/{}/h/{SET}", world.group));
    assert_eq!(slices.check().unwrap(), []);
}

#[tokio::test]
async fn names_that_no_server_has_are_refused_and_those_that_one_can_have_are_not() {
    let world = World::new();
    world.begun().await;
    let path = of_set(&format!("/syncs/1/collections/{A}"));
    let long = "x".repeat(300);
    for (database, name) in [
        ("..", "passwd"),
        ("../../etc", "passwd"),
        ("a/b", "c"),
        ("a\\b", "c"),
        ("", "c"),
        ("a", ""),
        ("a", ".hidden"),
        ("a$b", "c"),
        ("a b", "c"),
        (&*long, "c"),
        ("a", &*long),
        ("a", "b\0c"),
        ("a\0b", "c"),
    ] {
        let (status, refusal) = world.ask(Method::PUT, &path, description(database, name)).await.refusal();
        assert_eq!((status, refusal.code), (400, Code::Invalid), "{database:?} {name:?}");
        assert!(!refusal.message.contains(['\0', '\n']), "{refusal}");
    }
    assert!(world.state().await.sync.unwrap().collections.is_empty());
    let odd = "x/../$x\n<b>\u{202e}";
    let taken: SyncCollection = world.ask(Method::PUT, &path, description("shop", odd)).await.ok();
    assert_eq!(taken.name, odd, "a server takes it, so a backup must");
}

#[tokio::test]
async fn paths_that_lead_elsewhere_lead_nowhere() {
    let world = World::new();
    world.begun().await;
    for (path, status) in [
        ("/agent/v1/sets/..%2F..%2Fetc".to_owned(), 400),
        ("/agent/v1/sets/0123456789ABCDEF01234567".to_owned(), 400),
        ("/agent/v1/sets/%FF%FE".to_owned(), 400),
        (format!("/agent/v1/sets/{SET}0"), 400),
        ("/agent/v1/sets/ffffffffffffffffffffffff".to_owned(), 404),
        ("/agent/v1/sets".to_owned(), 404),
        ("/agent/v2/conf".to_owned(), 404),
        ("/".to_owned(), 404),
    ] {
        let answer = world.get(&path).await;
        assert_eq!(answer.refusal().0, status, "{path}");
        assert!(!answer.text().contains("etc"), "{path}");
    }
    for path in ["/syncs/x/end", "/syncs/-1/end", "/syncs/4294967296/end", "/syncs/1/collections/zz/end"] {
        let answer = world.post(&of_set(path), &EndScan { scan: 1, batches: 0 }).await;
        assert_eq!((answer.refusal().0, answer.refusal().1.code), (400, Code::Invalid), "{path}");
    }
    let get = world.get("/agent/v1/conf").await;
    assert_eq!(get.refusal().0, StatusCode::METHOD_NOT_ALLOWED.as_u16());
    assert_eq!(
        world.metadata().all::<ReplicaSet>(By::IdPrefix("")).unwrap().len(),
        1,
        "asking makes nothing known"
    );
}

#[tokio::test]
async fn numbers_at_their_ends_are_no_way_in() {
    let world = World::new();
    world.begun().await;
    let last = world.post(&of_set("/syncs"), &BeginSync { after: Some(u32::MAX), at: at(5) }).await;
    assert_eq!(last.refusal().1.code, Code::Invalid);
    let end = End { at: at(u32::MAX), entry: String::new() };
    let fork = ForkRequest { chain: u32::MAX, tip: at(u32::MAX), common: end };
    assert_eq!(world.post(&of_set("/fork"), &fork).await.refusal().1.code, Code::Fork);
    let ends: Vec<End> = world.get(&of_set("/ends?before=4294967295,4294967295")).await.ok();
    assert_eq!(ends, []);
    let ends: Vec<End> = world.get(&of_set("/ends?before=0,0")).await.ok();
    assert_eq!(ends, []);
}
