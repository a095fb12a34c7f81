//! Health and metrics: who is answered, and what.

use crate::make::chain;
use crate::world::{SET, World, of_set};
use axum::body::Body;
use axum::http::{Method, Request, header};
use tidemark_base::protocol::Tip;
use tidemark_frontend::metrics::router;
use tower::ServiceExt as _;

async fn ask(world: &World, token: Option<&str>, path: &str, shown: Option<&str>) -> (u16, String) {
    let mut request = Request::get(path);
    if let Some(shown) = shown {
        request = request.header(header::AUTHORIZATION, shown);
    }
    let router = router(world.site.clone(), world.metrics.clone(), token);
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn what_happened_is_told_to_whoever_has_the_token() {
    let world = World::new();
    world.tailing().await;
    for slice in chain(2) {
        world.ask(Method::POST, &of_set("/slices"), slice.bytes).await.ok::<Tip>();
    }
    world.ask(Method::POST, &of_set("/slices"), b"garbage".to_vec()).await.refusal();
    world.get(&format!("/agent/v1/sets/{}", "made-up")).await.refusal();
    let (status, text) = ask(&world, Some("secret"), "/metrics", Some("Bearer secret")).await;
    assert_eq!(status, 200);
    for line in [
        "tidemark_uploads_total{kind=\"slice\"} 2".to_owned(),
        "tidemark_upload_items_total{kind=\"slice\"} 6".to_owned(),
        "tidemark_refusals_total{code=\"invalid\"} 2".to_owned(),
        format!("tidemark_set_oplog_seconds{{group=\"{}\",set=\"{SET}\"}} 11", world.group),
        format!("tidemark_set_status{{group=\"{}\",set=\"{SET}\",status=\"STARTED\"}} 1", world.group),
        "route=\"/agent/v1/sets/{set}/slices\"".to_owned(),
    ] {
        assert!(text.contains(&line), "{line} is not in\n{text}");
    }
    assert!(text.ends_with("# EOF\n") && text.matches("# EOF").count() == 1);
    assert!(!text.contains("made-up"), "nobody makes up labels");
}

#[tokio::test]
async fn others_are_told_nothing_but_whether_it_works() {
    let world = World::new();
    world.tailing().await;
    for shown in [None, Some("Bearer "), Some("Bearer other"), Some("secret"), Some("Basic c2VjcmV0")] {
        let (status, text) = ask(&world, Some("secret"), "/metrics", shown).await;
        assert!(status == 401 && !text.contains(SET), "{text}");
    }
    assert_eq!(ask(&world, None, "/metrics", Some("Bearer ")).await.0, 404);
    assert_eq!(ask(&world, None, "/health", None).await, (200, "ok\n".to_owned()));
}
