//! Over real connections: TLS under the CA of the installation, connections that are cut, shutdown.

use crate::make::chain;
use crate::world::{World, call, of_set};
use reqwest::Certificate;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use tidemark_base::protocol::{ConfResponse, Tip};
use tidemark_frontend::serve::{Listener, Security, Serving, serve};
use tidemark_frontend::tls::{Source, Tls};

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn provide_crypto() {
    // Whoever comes first does it for the process.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

fn tls(world: &World, folder: &std::path::Path) -> Arc<Tls> {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let clock = tidemark_base::SystemClock::new();
    let _ = world;
    Arc::new(Tls::open(Source::OwnCa { folder: folder.to_owned(), names }, &clock).unwrap())
}

fn client(ca: Option<&str>) -> reqwest::Client {
    provide_crypto();
    let trusted: Vec<Certificate> =
        ca.iter().map(|it| Certificate::from_pem(it.as_bytes()).unwrap()).collect();
    reqwest::Client::builder().tls_certs_only(trusted).timeout(Duration::from_secs(20)).build().unwrap()
}

fn serve_tls(world: &World, folder: &std::path::Path) -> (Serving, Arc<Tls>) {
    let tls = tls(world, folder);
    let listener = Listener { address: loopback(), security: Security::Tls(Arc::clone(&tls)) };
    (serve(listener, world.router.clone()).unwrap(), tls)
}

#[tokio::test]
async fn an_agent_that_trusts_the_ca_is_served_and_goes_on_after_a_renewal() {
    let (world, folder) = (World::new(), tempfile::tempdir().unwrap());
    let (serving, tls) = serve_tls(&world, folder.path());
    let url = format!("https://localhost:{}/agent/v1/conf", serving.address().port());
    let ask = async |client: &reqwest::Client| {
        let body = serde_json::to_vec(&call("a", vec![])).unwrap();
        client.post(&url).bearer_auth(&world.key).body(body).send().await
    };
    let trusting = client(tls.ca_pem());
    let answer = ask(&trusting).await.unwrap();
    let told: ConfResponse = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(told.group, world.group.to_string());

    let later = tidemark_base::UnixMillis(
        tidemark_base::Clock::now(&tidemark_base::SystemClock::new()).0 + 70 * 86_400_000,
    );
    assert!(tls.renew(&later).unwrap());
    let again = client(tls.ca_pem());
    // The new certificate holds from a day before the day it was made for, which is not today.
    assert!(ask(&again).await.is_err());
    assert!(tls.renew(&tidemark_base::SystemClock::new()).unwrap());
    assert!(ask(&client(tls.ca_pem())).await.unwrap().status().is_success());

    let other = tempfile::tempdir().unwrap();
    let stranger = self::tls(&world, other.path());
    assert!(ask(&client(stranger.ca_pem())).await.is_err(), "another CA is not this one");
    let plain = format!("http://localhost:{}/agent/v1/conf", serving.address().port());
    assert!(trusting.post(plain).send().await.is_err());
    serving.stop(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn a_slice_goes_over_the_wire() {
    let (world, folder) = (World::new(), tempfile::tempdir().unwrap());
    world.tailing().await;
    let (serving, tls) = serve_tls(&world, folder.path());
    let url = format!("https://127.0.0.1:{}{}", serving.address().port(), of_set("/slices"));
    let sent =
        client(tls.ca_pem()).post(url).bearer_auth(&world.key).body(chain(1)[0].bytes.clone()).send().await;
    let tip: Tip = serde_json::from_slice(&sent.unwrap().bytes().await.unwrap()).unwrap();
    assert_eq!(tip.at.ts.secs, 8);
    serving.stop(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_cut_short_changes_nothing() {
    let world = World::new();
    world.tailing().await;
    let security = Security::Plain { behind_proxy: false };
    let serving = serve(Listener { address: loopback(), security }, world.router.clone()).unwrap();
    let slice = chain(1)[0].bytes.clone();
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
        of_set("/slices"),
        world.key,
        slice.len()
    );
    let address = serving.address();
    let cut = {
        let (head, slice) = (head.clone(), slice.clone());
        tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&slice[..slice.len() - 1]).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        })
    };
    let answer = cut.await.unwrap();
    assert!(!answer.contains("200 OK"), "{answer}");
    assert_eq!(world.state().await.tip.unwrap().at.ts.secs, 5);
    let whole = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(head.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
        stream.write_all(&slice).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    assert!(whole.await.unwrap().contains("200 OK"));
    serving.stop(Duration::from_secs(5)).await.unwrap();
}
