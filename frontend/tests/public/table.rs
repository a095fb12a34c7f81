//! Every endpoint × whoever may not, and whatever is not understood: the right status, in the one form of refusals,
//! nothing done, nothing told.

use crate::client::{API, request};
use crate::rig::{Rig, SET};
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::Value;

/// Who may: the least key that is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Least {
    Reader,
    Admin,
    Owner,
    Site,
}

/// `(request, least key, whether it has a body)`; `{g}`, `{s}`, `{n}` and `{j}` stand for group, set, snapshot and any id.
const ENDPOINTS: [(&str, Least, bool); 36] = [
    ("GET /groups/{g}", Least::Reader, false),
    ("POST /groups", Least::Site, true),
    ("GET /groups/{g}/clusters", Least::Reader, false),
    ("GET /groups/{g}/clusters/{s}", Least::Reader, false),
    ("GET /groups/{g}/hosts", Least::Reader, false),
    ("GET /groups/{g}/hosts/{j}", Least::Reader, false),
    ("GET /groups/{g}/agents", Least::Reader, false),
    ("GET /groups/{g}/events", Least::Reader, false),
    ("GET /groups/{g}/events/7", Least::Reader, false),
    ("GET /groups/{g}/users", Least::Reader, false),
    ("GET /groups/{g}/users/{j}", Least::Reader, false),
    ("PATCH /groups/{g}/users/{j}", Least::Owner, true),
    ("DELETE /groups/{g}/users/{j}", Least::Owner, false),
    ("POST /groups/{g}/invites", Least::Owner, true),
    ("GET /groups/{g}/agentapikeys", Least::Reader, false),
    ("POST /groups/{g}/agentapikeys", Least::Owner, true),
    ("DELETE /groups/{g}/agentapikeys/{j}", Least::Owner, false),
    ("GET /groups/{g}/apiKeys", Least::Reader, false),
    ("POST /groups/{g}/apiKeys", Least::Owner, true),
    ("DELETE /groups/{g}/apiKeys/{j}", Least::Owner, false),
    ("GET /groups/{g}/backupConfigs", Least::Reader, false),
    ("GET /groups/{g}/backupConfigs/{s}", Least::Reader, false),
    ("PATCH /groups/{g}/backupConfigs/{s}", Least::Admin, true),
    ("GET /groups/{g}/backupConfigs/{s}/snapshotSchedule", Least::Reader, false),
    ("PATCH /groups/{g}/backupConfigs/{s}/snapshotSchedule", Least::Admin, true),
    ("GET /groups/{g}/clusters/{s}/snapshots", Least::Reader, false),
    ("POST /groups/{g}/clusters/{s}/snapshots", Least::Admin, true),
    ("GET /groups/{g}/clusters/{s}/snapshots/{n}", Least::Reader, false),
    ("DELETE /groups/{g}/clusters/{s}/snapshots/{n}", Least::Admin, false),
    ("PATCH /groups/{g}/clusters/{s}/snapshots/{n}", Least::Admin, true),
    ("GET /groups/{g}/clusters/{s}/restoreJobs", Least::Reader, false),
    ("POST /groups/{g}/clusters/{s}/restoreJobs", Least::Admin, true),
    ("GET /groups/{g}/clusters/{s}/restoreJobs/{j}", Least::Reader, false),
    ("DELETE /groups/{g}/clusters/{s}/restoreJobs/{j}", Least::Admin, false),
    ("POST /groups/{g}/clusters/{s}/restoreJobs/{j}/links", Least::Admin, true),
    ("DELETE /groups/{g}/clusters/{s}/restoreJobs/{j}/links", Least::Admin, false),
];

/// A body that each of them would take, so that only who asks can be the reason of a refusal.
fn body_of(what: &str, rig: &Rig) -> String {
    match what.split('/').next_back().unwrap_or_default() {
        "groups" => r#"{"name":"x"}"#.to_owned(),
        "invites" | "{j}" => r#"{"roleName":"GROUP_READ_ONLY"}"#.to_owned(),
        "agentapikeys" => r#"{"desc":"x"}"#.to_owned(),
        "apiKeys" => r#"{"desc":"x","roles":["GROUP_READ_ONLY"]}"#.to_owned(),
        "{n}" => r#"{"deleted":false}"#.to_owned(),
        "restoreJobs" => format!(r#"{{"snapshotId":"{}"}}"#, rig.snapshot),
        _ => "{}".to_owned(),
    }
}

fn fill(what: &str, rig: &Rig) -> String {
    let filled = what.replace("{g}", &rig.group.to_string()).replace("{s}", SET);
    filled.replace("{n}", &rig.snapshot).replace("{j}", &"ab".repeat(12))
}

/// The one form of refusals.
fn check(answer: &crate::rig::Answer, status: StatusCode, what: &str) {
    assert_eq!(answer.status, status, "{what}: {}", answer.text());
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["error"], status.as_u16(), "{what}");
    for field in ["errorCode", "reason", "detail"] {
        assert!(!body[field].as_str().unwrap().is_empty(), "{what}: {field}");
    }
}

#[tokio::test]
async fn every_endpoint_refuses_whoever_may_not() {
    let mut rig = Rig::new();
    let (public, _) = rig.keys["owner"].clone();
    rig.keys.insert("wrong", (public, "0".repeat(64)));
    rig.keys.insert("unknown", ("0".repeat(16), "0".repeat(64)));
    rig.keys.insert("strange", ("../../x".to_owned(), String::new()));
    for (what, least, has_body) in ENDPOINTS {
        let body = if has_body { body_of(what, &rig) } else { String::new() };
        let filled = fill(what, &rig);
        check(&rig.send(request(&filled, &body)).await, StatusCode::UNAUTHORIZED, what);
        for key in ["wrong", "unknown", "strange"] {
            check(&rig.ask(key, &filled, &body).await, StatusCode::UNAUTHORIZED, what);
        }
        let before = rig.metadata().events(Some(rig.group), None, 100).unwrap();
        if what.contains("{g}") {
            check(&rig.ask("other", &filled, &body).await, StatusCode::FORBIDDEN, what);
            // A group that does not exist reads the same.
            let nowhere = filled.replace(&rig.group.to_string(), &"99".repeat(12));
            let (one, two) =
                (rig.ask("other", &filled, &body).await, rig.ask("other", &nowhere, &body).await);
            assert_eq!((one.status, one.body), (two.status, two.body), "{what}");
        }
        for (key, has) in [("reader", Least::Reader), ("admin", Least::Admin), ("owner", Least::Owner)] {
            let answer = rig.ask(key, &filled, &body).await;
            if has < least {
                check(&answer, StatusCode::FORBIDDEN, what);
                assert!(answer.text().contains("USER_UNAUTHORIZED"), "{what}");
                let after = rig.metadata().events(Some(rig.group), None, 100).unwrap();
                assert_eq!(before.len(), after.len(), "{what}: nothing was done");
            } else {
                assert_ne!(answer.status, StatusCode::FORBIDDEN, "{what} as {key}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn every_endpoint_refuses_what_it_does_not_understand() {
    let rig = Rig::new();
    for (what, _, has_body) in ENDPOINTS {
        let filled = fill(what, &rig);
        if has_body {
            let garbage = ["", "{", "[]", "null", "\u{0}", r#"{"x":1}"#, r#"{"name":{}}"#];
            for body in garbage {
                let answer = rig.ask("site", &filled, body).await;
                let empty = StatusCode::UNSUPPORTED_MEDIA_TYPE;
                check(&answer, if body.is_empty() { empty } else { StatusCode::BAD_REQUEST }, what);
            }
            let huge = format!(r#"{{"name":"{}"}}"#, "x".repeat(65 << 10));
            check(&rig.ask("site", &filled, &huge).await, StatusCode::PAYLOAD_TOO_LARGE, what);
        }
        // Ids that are none name nothing, whatever they hold.
        for bad in ["..%2f..%2fx", "%00", "%F0%9F", "x'or'1", &"f".repeat(3000)] {
            let in_group = filled.replace(&rig.group.to_string(), bad);
            let in_set = filled.replace(SET, bad);
            for path in [in_group, in_set].into_iter().filter(|it| *it != filled) {
                let body = if has_body { body_of(what, &rig) } else { String::new() };
                let answer = rig.ask("site", &path, &body).await;
                let status = answer.status;
                assert!(status.is_client_error(), "{path}: {status} {}", answer.text());
                check(&answer, status, &path);
            }
        }
    }
}

#[tokio::test]
async fn what_does_not_exist_says_so_in_the_same_form() {
    let rig = Rig::new();
    check(&rig.ask("owner", "GET /nothing", "").await, StatusCode::NOT_FOUND, "a path");
    check(&rig.ask("owner", "PUT /groups", "").await, StatusCode::METHOD_NOT_ALLOWED, "a method");
    for page in ["pageNum=0", "itemsPerPage=501", "pageNum=x", "itemsPerPage=-1"] {
        let answer = rig.ask("owner", &format!("GET /groups?{page}"), "").await;
        check(&answer, StatusCode::BAD_REQUEST, page);
    }
    let far = rig.get("owner", "GET /groups?pageNum=4294967296&itemsPerPage=500", "").await;
    assert_eq!(far["results"].as_array().unwrap().len(), 0);
    let events = format!("GET /groups/{}/events?pageNum=4294967296&itemsPerPage=500", rig.group);
    assert_eq!(rig.get("owner", &events, "").await["results"].as_array().unwrap().len(), 0);
    // A browser that knows a key cannot be made to send this.
    let form = Request::builder().method("POST").uri(format!("{API}/groups"));
    let form = form.header(header::CONTENT_TYPE, "text/plain").body(Body::from(r#"{"name":"x"}"#)).unwrap();
    assert_eq!(rig.send(form).await.status, StatusCode::UNAUTHORIZED);
}
