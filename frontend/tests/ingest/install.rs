//! What an agent's host fetches: whole, without secrets, with the names of this installation.

use crate::world::World;
use axum::body::Body;
use axum::http::{Request, header};
use tidemark_frontend::install::{Parcel, router};
use tower::ServiceExt as _;

async fn get(world: &World, parcel: Parcel, path: &str) -> (u16, Option<String>, Vec<u8>) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = router(world.site.clone(), parcel).oneshot(request).await.unwrap();
    let length = response.headers().get(header::CONTENT_LENGTH).map(|it| it.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    (status, length, axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec())
}

fn parcel() -> Parcel {
    let mothership = "https://backup.example.com:8081".to_owned();
    Parcel { agent: None, ca_pem: Some("-----BEGIN CERTIFICATE-----\n".to_owned()), mothership }
}

#[tokio::test]
async fn what_a_host_needs_is_there_and_holds_no_secret() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let program: Vec<u8> = (0..300_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    std::fs::write(folder.path().join("agent"), &program).unwrap();
    let with_agent = Parcel { agent: Some(folder.path().join("agent")), ..parcel() };
    let (status, length, bytes) = get(&world, with_agent, "/install/agent").await;
    assert_eq!((status, length.as_deref(), bytes == program), (200, Some("300000"), true));
    for path in ["/install/agent.sh", "/install/unit", "/install/ca.pem"] {
        let (status, _, bytes) = get(&world, parcel(), path).await;
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(status, 200, "{path}");
        assert!(
            !text.contains('@')
                || path == "/install/agent.sh" && !text.contains("@PUBLIC") && !text.contains("@MOTHER")
        );
        assert!(!text.contains("PRIVATE") && !text.contains(&world.key), "{path}");
    }
    let (_, _, script) = get(&world, parcel(), "/install/agent.sh").await;
    let script = String::from_utf8(script).unwrap();
    assert!(
        script.contains("https://backup.example.com:8080/install/")
            && script.contains("https://backup.example.com:8081")
    );
}

#[tokio::test]
async fn what_is_not_there_is_said_and_paths_lead_nowhere_else() {
    let world = World::new();
    let missing = Parcel { agent: Some("/nonexistent/agent".into()), ca_pem: None, ..parcel() };
    let (status, _, bytes) = get(&world, missing, "/install/agent").await;
    let text = String::from_utf8(bytes).unwrap();
    assert!(status == 404 && !text.contains("nonexistent"), "{text}");
    let without = Parcel { ca_pem: None, ..parcel() };
    assert_eq!(get(&world, without, "/install/ca.pem").await.0, 404);
    for path in ["/install/../agent", "/install/ca.key", "/install/%2e%2e/ca.key", "/install/"] {
        assert_eq!(get(&world, parcel(), path).await.0, 404, "{path}");
    }
}
