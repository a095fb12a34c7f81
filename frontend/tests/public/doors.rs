//! Coming in: the first user, login, invitations; and what keeps others out: origins, tokens, limits.

use crate::rig::{Answer, Rig, URL};
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use std::time::Duration;
use tidemark_frontend::login::Doors;
use tidemark_metadata::rules::roles::Role;

/// A form as a browser sends it from our own page.
pub(crate) fn form(path: &str, cookie: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let encoded = |text: &str| -> String {
        let plain = |it: u8| it.is_ascii_alphanumeric() || b"-_.".contains(&it);
        text.bytes()
            .map(|it| if plain(it) { char::from(it).to_string() } else { format!("%{it:02X}") })
            .collect()
    };
    let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    Request::builder()
        .method("POST")
        .uri(path)
        .header(header::ORIGIN, URL)
        .header(header::COOKIE, cookie)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(body.join("&")))
        .unwrap()
}

/// A page as a browser asks for it.
pub(crate) async fn look(rig: &Rig, path: &str, cookie: &str) -> Answer {
    let request = Request::builder().uri(path).header(header::COOKIE, cookie).body(Body::empty()).unwrap();
    rig.send(request).await
}

fn cookie_of(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

const ANN: [(&str, &str); 2] = [("login", "ann@example.com"), ("password", "correct horse")];

#[tokio::test]
async fn the_first_user_signs_up_and_then_the_door_is_shut() {
    let rig = Rig::new();
    assert_eq!(look(&rig, "/", "").await.header("location"), "/login");
    assert_eq!(look(&rig, "/login", "").await.header("location"), "/signup");
    let weak = rig.send(form("/signup", "", &[("login", "ann"), ("password", "short")])).await;
    assert_eq!(weak.status, StatusCode::BAD_REQUEST);
    let joined = rig.send(form("/signup", "", &ANN)).await;
    assert_eq!((joined.status, joined.header("location")), (StatusCode::SEE_OTHER, "/"));
    let set = joined.header("set-cookie");
    assert!(
        set.starts_with("__Host-tidemark=tms_")
            && set.ends_with("; Path=/; HttpOnly; SameSite=Strict; Secure")
    );
    assert_eq!(look(&rig, "/", &cookie_of(&joined)).await.status, StatusCode::OK);
    assert_eq!(look(&rig, "/signup", "").await.status, StatusCode::FORBIDDEN);
    let second = rig.send(form("/signup", "", &[("login", "eve"), ("password", "correct horse")])).await;
    assert_eq!(second.status, StatusCode::CONFLICT);
    assert!(rig.metadata().user_by_login("eve").unwrap().is_none());

    let open = Rig::with_doors(Doors::new(true, false));
    open.person("boss", None);
    let joined = open.send(form("/signup", "", &ANN)).await;
    assert_eq!(joined.status, StatusCode::SEE_OTHER);
    let empty = look(&open, "/", &cookie_of(&joined)).await;
    assert!(empty.text().contains("You are in no group yet"));
}

#[tokio::test]
async fn a_password_opens_and_logging_out_shuts() {
    let rig = Rig::new();
    rig.person("ann@example.com", None);
    for wrong in [("ann@example.com", "wrong horse!"), ("bob", "correct horse"), ("", ""), ("a b", "x")] {
        let refused = rig.send(form("/login", "", &[("login", wrong.0), ("password", wrong.1)])).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(
            refused.text().contains("User name or password is wrong")
                && refused.header("set-cookie").is_empty()
        );
    }
    let entered = rig.send(form("/login", "tidemark=fixed", &ANN)).await;
    let cookie = cookie_of(&entered);
    assert!(cookie.starts_with("__Host-tidemark=tms_"));
    let token = cookie.strip_prefix("__Host-tidemark=").unwrap();
    let csrf = tidemark_metadata::csrf_token(token);
    assert!(look(&rig, "/", &cookie).await.text().contains("ann@example.com"));
    let left = rig.send(form("/logout", &cookie, &[("csrf", &csrf)])).await;
    assert!(left.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(
        look(&rig, "/", &cookie).await.header("location"),
        "/login",
        "the session is dead on the server"
    );
}

#[tokio::test]
async fn forms_from_elsewhere_or_of_other_sessions_do_nothing() {
    let rig = Rig::new();
    let user = rig.person("ann", None);
    let (cookie, csrf) = rig.session(&user);
    let (_, other) = rig.session(&user);
    let send = async |origin: Option<&str>, csrf: &str| {
        let mut request = form("/groups", &cookie, &[("csrf", csrf), ("name", "made")]);
        request.headers_mut().remove(header::ORIGIN);
        if let Some(origin) = origin {
            request.headers_mut().insert(header::ORIGIN, origin.parse().unwrap());
        }
        rig.send(request).await.status
    };
    for origin in [None, Some("null"), Some("https://evil.org"), Some("http://backup.example.com:8080")] {
        assert_eq!(send(origin, &csrf).await, StatusCode::FORBIDDEN, "{origin:?}");
    }
    for csrf in ["", "x", other.as_str()] {
        assert_eq!(send(Some(URL), csrf).await, StatusCode::FORBIDDEN, "{csrf}");
    }
    let groups = rig.metadata().all::<tidemark_metadata::Group>(tidemark_metadata::By::IdPrefix("")).unwrap();
    assert_eq!(groups.len(), 2, "nothing was made");
    assert_eq!(send(Some(URL), &csrf).await, StatusCode::SEE_OTHER);
    // Login and sign-up, too: nobody is logged in as somebody else without knowing.
    for path in ["/login", "/signup", "/invitation/x"] {
        let mut request = form(path, "", &ANN);
        request.headers_mut().insert(header::ORIGIN, "https://evil.org".parse().unwrap());
        assert_eq!(rig.send(request).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let huge = form("/groups", &cookie, &[("csrf", &csrf), ("name", &"x".repeat(70 << 10))]);
    assert_eq!(rig.send(huge).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn only_the_machine_itself_can_make_an_installation_its_own() {
    let rig = Rig::new();
    for (address, status) in [
        ("192.0.2.7:4000", StatusCode::CONFLICT),
        ("[2001:db8::1]:4000", StatusCode::CONFLICT),
        ("[::ffff:127.0.0.1]:4000", StatusCode::SEE_OTHER),
    ] {
        let mut request = form("/signup", "", &ANN);
        let address: std::net::SocketAddr = address.parse().unwrap();
        request.extensions_mut().insert(axum::extract::ConnectInfo(address));
        assert_eq!(rig.send(request).await.status, status, "{address}");
    }
}

#[tokio::test]
async fn a_path_that_is_no_invitation_is_on_no_page() {
    let rig = Rig::new();
    rig.person("boss", None);
    for path in ["..%2Fgroups%2Fg%2Fusers%2Fu%2Frole", "x", "tmi_%22%3E"] {
        let answer = look(&rig, &format!("/invitation/{path}"), "").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!answer.text().contains("<form"), "{path}");
    }
}

#[tokio::test]
async fn too_many_tries_have_to_wait_for_each_login_and_each_address() {
    let rig = Rig::with_doors(Doors::new(false, true));
    rig.person("ann@example.com", None);
    let attempt = async |login: &str, password: &str, from: &str| {
        let mut request = form("/login", "", &[("login", login), ("password", password)]);
        request.headers_mut().insert("x-forwarded-for", from.parse().unwrap());
        rig.send(request).await
    };
    for _ in 0..10 {
        assert_eq!(attempt("ann@example.com", "wrong", "10.0.0.1").await.status, StatusCode::FORBIDDEN);
    }
    // From anywhere, in any case of the letters, and also with the right password.
    let shut = attempt("Ann@Example.com", "correct horse", "10.0.0.2").await;
    assert_eq!(shut.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(shut.header("retry-after"), "900");
    for name in 0..40 {
        attempt(&format!("user{name}"), "wrong", "10.0.0.1").await;
    }
    assert_eq!(attempt("bob", "wrong", "10.0.0.1").await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(attempt("bob", "wrong", "10.0.0.2").await.status, StatusCode::FORBIDDEN);
    rig.clock.advance(Duration::from_secs(900));
    assert_eq!(attempt("ann@example.com", "correct horse", "10.0.0.1").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn an_invitation_lets_somebody_in_once() {
    let rig = Rig::new();
    let boss = rig.person("boss", None);
    let (cookie, csrf) = rig.session(&boss);
    let group = format!("/groups/{}", rig.group);
    let fields = [("csrf", csrf.as_str()), ("role", "GROUP_READ_ONLY")];
    let shown = rig.send(form(&format!("{group}/invitations"), &cookie, &fields)).await.text();
    let path =
        shown.split(&format!("{URL}/invitation/")).nth(1).unwrap().split('<').next().unwrap().to_owned();
    let path = format!("/invitation/{path}");
    assert!(look(&rig, &path, "").await.text().contains("You were invited"));
    let joined = rig.send(form(&path, "", &ANN)).await;
    assert_eq!(joined.status, StatusCode::SEE_OTHER);
    let ann = rig.metadata().user_by_login("ann@example.com").unwrap().unwrap().record;
    assert_eq!(ann.roles.groups[&rig.group], Role::ReadOnly);
    assert_eq!(look(&rig, "/", &cookie_of(&joined)).await.header("location"), group);
    let again = rig.send(form(&path, "", &[("login", "eve"), ("password", "correct horse")])).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);

    // Somebody who is here already joins as who they are, with the token of their session.
    let shown = rig
        .send(form(&format!("{group}/invitations"), &cookie, &[("csrf", &csrf), ("role", "GROUP_OWNER")]))
        .await
        .text();
    let token = shown.split("/invitation/").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let (cookie, csrf) = rig.session(&ann);
    let path = format!("/invitation/{token}");
    let forged = rig.send(form(&path, &cookie, &[("asKnown", "yes"), ("csrf", "x")])).await;
    assert_eq!(forged.status, StatusCode::CONFLICT);
    rig.send(form(&path, &cookie, &[("asKnown", "yes"), ("csrf", &csrf)])).await;
    let ann = rig.metadata().user_by_login("ann@example.com").unwrap().unwrap().record;
    assert_eq!(ann.roles.groups[&rig.group], Role::Owner);
}
