//! Where plain HTTP is refused; who is slow with headers is sent away.

use super::*;
use axum::routing::get;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

const PLAIN: Security = Security::Plain { behind_proxy: false };

fn router() -> Router {
    Router::new().route("/", get(|| async { "here" }))
}

#[tokio::test]
async fn plain_http_is_for_loopback_and_behind_a_proxy() {
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let refused = serve(Listener { address: everywhere, security: PLAIN }, router());
    assert!(matches!(refused, Err(Error::PlainHttp { .. })));
    for (address, behind_proxy) in [(everywhere, true), (SocketAddr::from(([127, 0, 0, 1], 0)), false)] {
        let serving =
            serve(Listener { address, security: Security::Plain { behind_proxy } }, router()).unwrap();
        let taken = Listener { address: serving.address(), security: Security::Plain { behind_proxy: true } };
        assert!(matches!(serve(taken, router()), Err(Error::Listen { .. })));
        serving.stop(Duration::from_secs(1)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_slow_with_headers_is_sent_away_and_others_are_served() {
    let listener = Listener { address: SocketAddr::from(([127, 0, 0, 1], 0)), security: PLAIN };
    let serving = serve(listener, router()).unwrap();
    let address = serving.address();
    let answers = tokio::task::spawn_blocking(move || {
        let mut slow = TcpStream::connect(address).unwrap();
        slow.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ").unwrap();
        let mut quick = TcpStream::connect(address).unwrap();
        quick.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let (mut first, mut second) = (String::new(), String::new());
        quick.read_to_string(&mut first).unwrap();
        // It ends, with or without a word, long before the read gives up.
        slow.read_to_string(&mut second).unwrap();
        (first, second)
    });
    let (quick, slow) = answers.await.unwrap();
    assert!(quick.ends_with("here") && !slow.contains("here"));
    serving.stop(Duration::from_secs(1)).await.unwrap();
}
