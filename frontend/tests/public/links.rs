//! Restore links: what is fetched is the archive, whole or visibly cut; links die by time, by use and by revocation.

use crate::rig::{Answer, NOW, Rig, SET};
use axum::body::{Body, HttpBody as _, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;
use tidemark_base::Clock as _;
use tidemark_head::dump::{ArchiveReader, Item, Source as _};
use tidemark_metadata::{RestoreJobId, RestoreLink};
use tidemark_testkit::live;
use tidemark_testkit::live::tools::{Target, mongorestore};

/// A prepared restore of all or of some, and a link to it.
async fn link(rig: &Rig, restore: &serde_json::Value, uses: u32, lie: i64) -> (String, String, u64) {
    let at = format!("/groups/{}/clusters/{SET}/restoreJobs", rig.group);
    let made = rig.get("admin", &format!("POST {at}"), &restore.to_string()).await;
    let id = made["results"][0]["id"].as_str().unwrap().to_owned();
    let bytes = rig.prepare(&id, lie);
    let body = json!({"maxDownloads": uses, "expirationHours": 2}).to_string();
    let link = rig.get("admin", &format!("POST {at}/{id}/links"), &body).await;
    let url = link["url"].as_str().unwrap();
    (url.strip_prefix(crate::rig::URL).unwrap().to_owned(), id, bytes)
}

fn request(method: &str, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
}

async fn fetch(rig: &Rig, path: &str) -> Answer {
    rig.send(request("GET", path)).await
}

/// How many documents each collection of an archive has, which is read to its end and its checksums.
fn counts(archive: &[u8]) -> Vec<(String, usize)> {
    let mut reader = ArchiveReader::new(archive, "the download").unwrap();
    let mut counts = std::collections::BTreeMap::new();
    while let Some(item) = reader.next().unwrap() {
        if let Item::Documents { database, collection, documents } = item {
            let found = tidemark_base::bson::split(documents).count();
            *counts.entry(format!("{database}.{collection}")).or_default() += found;
        }
    }
    counts.into_iter().collect()
}

#[tokio::test]
async fn a_restore_is_fetched_whole_plain_and_packed() {
    let rig = Rig::new();
    let all = json!({"snapshotId": rig.snapshot});
    let (path, _, bytes) = link(&rig, &all, 1, 0).await;
    let got = fetch(&rig, &path).await;
    assert_eq!((got.status, got.body.len() as u64), (StatusCode::OK, bytes));
    assert_eq!(got.header("content-length"), bytes.to_string());
    let wanted = [("shop.orders".to_owned(), 3000), ("shop.people".to_owned(), 3000)];
    assert_eq!(counts(&got.body), wanted);
    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("accept-ranges", "none"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(got.header(name), value, "{name}");
    }
    assert!(got.header("content-disposition").ends_with(".archive\""));

    let some = json!({"snapshotId": rig.snapshot, "namespaces": ["shop.people"], "gzip": true});
    let (path, _, _) = link(&rig, &some, 1, 0).await;
    let packed = fetch(&rig, &path).await;
    assert_eq!(packed.body[..2], [0x1f, 0x8b]);
    assert_eq!(packed.header("content-length"), "", "the length of a packed one is not known");
    assert!(packed.header("content-disposition").ends_with(".archive.gz\""));
    assert_eq!(counts(&packed.body), [("shop.people".to_owned(), 3000)]);
}

#[tokio::test]
async fn a_link_dies_by_use_and_looking_uses_nothing() {
    let rig = Rig::new();
    let (path, id, bytes) = link(&rig, &json!({"snapshotId": rig.snapshot}), 2, 0).await;
    let uses = || {
        let job = tidemark_metadata::RestoreJob::id_of(rig.group, id.parse::<RestoreJobId>().unwrap());
        rig.metadata().all::<RestoreLink>(tidemark_metadata::By::Key(&job)).unwrap()[0].record.uses
    };
    for _ in 0..3 {
        let looked = rig.send(request("HEAD", &path)).await;
        assert_eq!((looked.status, looked.body.len()), (StatusCode::OK, 0));
        assert_eq!(looked.header("content-length"), bytes.to_string());
    }
    assert_eq!(uses(), 0);
    for used in 1..=2 {
        assert_eq!(fetch(&rig, &path).await.body.len() as u64, bytes);
        assert_eq!(uses(), used);
    }
    let gone = fetch(&rig, &path).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    assert_eq!(rig.send(request("HEAD", &path)).await.status, StatusCode::NOT_FOUND);
    // All links that open nothing read the same, and say nothing of the token.
    for bad in ["/restore/x", "/restore/tml_", &format!("/restore/tml_{}", "0".repeat(64)), "/restore/%00%F0"]
    {
        let answer = fetch(&rig, bad).await;
        assert!(answer.status.is_client_error(), "{bad}");
        if answer.status == StatusCode::NOT_FOUND {
            assert_eq!(answer.body, gone.body, "{bad}");
        }
    }
    assert!(!gone.text().contains("tml_"));
}

#[tokio::test]
async fn a_link_dies_by_time_by_revocation_and_with_its_restore() {
    let rig = Rig::new();
    let wish = json!({"snapshotId": rig.snapshot});
    let at = format!("/groups/{}/clusters/{SET}/restoreJobs", rig.group);
    let (revoked, id, _) = link(&rig, &wish, 9, 0).await;
    rig.get("admin", &format!("DELETE {at}/{id}/links"), "").await;
    let (cancelled, id, _) = link(&rig, &wish, 9, 0).await;
    rig.get("admin", &format!("DELETE {at}/{id}"), "").await;
    let (old, _, _) = link(&rig, &wish, 9, 0).await;
    assert_eq!(fetch(&rig, &old).await.status, StatusCode::OK);
    rig.clock.advance(Duration::from_secs(2 * 3600));
    for path in [revoked, cancelled, old] {
        assert_eq!(fetch(&rig, &path).await.status, StatusCode::NOT_FOUND);
    }
    assert!(rig.clock.now() > NOW);
}

#[tokio::test]
async fn a_link_whose_archive_is_gone_is_not_used_up() {
    let rig = Rig::new();
    let (path, id, _) = link(&rig, &json!({"snapshotId": rig.snapshot}), 1, 0).await;
    let name = tidemark_head::head::HeadName::new(&rig.group.to_string(), SET).unwrap();
    tidemark_head::export::Restorable::remove(&rig.site.parts().store, &name, &id).unwrap();
    let gone = fetch(&rig, &path).await;
    assert!(gone.status.is_client_error() || gone.status.is_server_error());
    let token = path.rsplit('/').next().unwrap();
    assert!(rig.metadata().look_at_link(token, rig.clock.now()).is_ok());
}

#[tokio::test]
async fn an_archive_that_is_not_as_long_as_was_told_is_cut_and_never_ends() {
    let rig = Rig::new();
    for lie in [-1, 1] {
        let (path, _, _) = link(&rig, &json!({"snapshotId": rig.snapshot}), 1, lie).await;
        let answer = rig.raw(request("GET", &path)).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(answer.body().size_hint().exact().is_some());
        to_bytes(answer.into_body(), 64 << 20).await.unwrap_err();
    }
}

/// Over a real connection: the body ends before its length, which every client reports.
#[tokio::test(flavor = "multi_thread")]
async fn a_cut_download_is_seen_as_cut_on_the_wire() {
    let rig = Rig::new();
    let (path, _, bytes) = link(&rig, &json!({"snapshotId": rig.snapshot}), 1, 1).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = rig.router.clone();
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let got = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut got = Vec::new();
        let _ = stream.read_to_end(&mut got);
        got
    });
    let got = got.await.unwrap();
    serving.abort();
    let head = got.windows(4).position(|it| it == b"\r\n\r\n").unwrap();
    let told = format!("content-length: {}", bytes + 1);
    assert!(String::from_utf8_lossy(&got[..head]).to_ascii_lowercase().contains(&told));
    assert!(((got.len() - head - 4) as u64) < bytes + 1, "short of what was told");
}

/// What came of a body, and whether it ended as it should.
async fn received(rig: &Rig, path: &str) -> (Vec<u8>, bool) {
    let mut body = rig.raw(request("GET", path)).await.into_body();
    let mut got = Vec::new();
    loop {
        let frame = std::future::poll_fn(|context| std::pin::Pin::new(&mut body).poll_frame(context)).await;
        match frame {
            Some(Ok(frame)) => got.extend_from_slice(&frame.into_data().unwrap()),
            Some(Err(_)) => return (got, false),
            None => return (got, true),
        }
    }
}

/// The peer that downloads are for: it restores a whole one, and says of a cut one that it is none.
#[tokio::test(flavor = "multi_thread")]
async fn mongorestore_takes_a_whole_download_and_reports_a_cut_one() {
    let rig = Rig::new();
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (name, gzip, lie) in [("plain", false, 0), ("packed", true, 0), ("cut", false, -1)] {
        let (path, _, _) = link(&rig, &json!({"snapshotId": rig.snapshot, "gzip": gzip}), 1, lie).await;
        let (bytes, is_whole) = received(&rig, &path).await;
        assert_eq!(is_whole, lie == 0);
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        files.push(format!("--archive={}", file.display()));
    }
    let restored = tokio::task::spawn_blocking(move || {
        let mongod = live::standalone().unwrap();
        let target = Target::from(&mongod);
        let [plain, packed, cut] = files.try_into().unwrap();
        [
            vec![plain, "--drop".to_owned()],
            vec![packed, "--drop".to_owned(), "--gzip".to_owned()],
            vec![cut, "--drop".to_owned()],
        ]
        .map(|args| mongorestore(&target, &args.iter().map(String::as_str).collect::<Vec<_>>()))
    });
    let [plain, packed, cut] = restored.await.unwrap();
    for said in [plain.unwrap(), packed.unwrap()] {
        assert!(said.contains("6000 document(s) restored successfully. 0 document(s) failed"), "{said}");
    }
    assert!(cut.unwrap_err().to_string().contains("Failed"), "a cut one is an error");
}
