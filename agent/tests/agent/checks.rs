//! `tidemark-agent check` finds each problem, and says what to do.

use crate::agent::{GROUP, config, set_config};
use crate::server::Server;
use tidemark_agent::check::{Problem, Weight, check};
use tidemark_agent::config::{Config, Secret, SetConfig};
use tidemark_base::protocol::Address;
use tidemark_testkit::live::{Access, Credentials, Options, ReplicaSet, TlsMode, create_user};

fn checked(config: &Config) -> Vec<Problem> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(check(config)).unwrap()
}

/// The one problem that names this, and how much it weighs.
fn assert_found(problems: &[Problem], named: &str, weight: Weight) {
    let found: Vec<&Problem> = problems.iter().filter(|it| it.to_string().contains(named)).collect();
    assert!(found.len() == 1 && found[0].weight == weight, "{named}: {problems:#?}");
    assert!(!found[0].fix.is_empty());
}

fn blocking(problems: &[Problem]) -> usize {
    problems.iter().filter(|it| it.weight == Weight::Blocks).count()
}

#[test]
fn a_server_that_is_far_strange_or_late() {
    let server = Server::start();
    let sound = config(&server, "a", Vec::new());
    let problems = checked(&sound);
    assert_eq!(blocking(&problems), 0, "{problems:?}");
    assert_found(&problems, "no replica set is named", Weight::Warns);

    let far =
        Config { motherships: vec!["http://127.0.0.1:1".to_owned(), server.address()], ..sound.clone() };
    assert_found(&checked(&far), "cannot be reached", Weight::Blocks);
    let key = Config { key: Secret::new("another".to_owned()), ..sound.clone() };
    assert_found(&checked(&key), "mmsApiKey", Weight::Blocks);
    let group = Config { group: "f".repeat(24), ..sound.clone() };
    assert_found(&checked(&group), GROUP, Weight::Blocks);
    server.kept().clock_ahead_ms = 700_000;
    assert_found(&checked(&sound), "clock", Weight::Warns);
}

#[test]
fn a_replica_set_that_is_fine_but_young() {
    let set = tidemark_testkit::live::replica_set_of_one().unwrap();
    let server = Server::start();
    let config = config(&server, "a", vec![set_config(&set, set.access())]);
    let problems = checked(&config);
    assert_found(&problems, "3 hours", Weight::Warns);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    let named = SetConfig { name: "other".to_owned(), ..config.sets[0].clone() };
    assert_found(&checked(&Config { sets: vec![named], ..config }), "not 'other'", Weight::Blocks);
}

#[test]
fn a_standalone_and_nobody_at_all() {
    let mongod = tidemark_testkit::live::standalone().unwrap();
    let server = Server::start();
    let set = |port| SetConfig {
        name: "rs0".to_owned(),
        seeds: vec![Address { host: "127.0.0.1".to_owned(), port }],
        tls_ca_file: None,
        login: None,
    };
    let standalone = checked(&config(&server, "a", vec![set(mongod.port())]));
    assert_found(&standalone, "standalone", Weight::Blocks);
    assert_found(&checked(&config(&server, "a", vec![set(1)])), "host and port", Weight::Blocks);
}

#[test]
fn what_a_user_may_not_do_and_who_vouches_for_whom() {
    let options = Options { auth: true, tls: Some(TlsMode::ClientCertificateOptional), ..Options::default() };
    let set = ReplicaSet::start(1, &options).unwrap();
    let client = set.client().unwrap();
    for (user, roles) in [("keeper", &["backup"][..]), ("reader", &["readAnyDatabase"][..])] {
        let user = Credentials { user: user.to_owned(), password: "secret word".to_owned() };
        create_user(&client, &user, roles).unwrap();
    }
    let server = Server::start();
    let with = |access: &Access| checked(&config(&server, "a", vec![set_config(&set, access)]));
    let keeper = set.access().as_user("keeper", "secret word");
    let problems = with(&keeper);
    assert_eq!(blocking(&problems), 0, "{problems:#?}");

    let reader = with(&set.access().as_user("reader", "secret word"));
    assert!(blocking(&reader) > 0 && reader.iter().any(|it| it.fix.contains("role 'backup'")), "{reader:#?}");
    let wrong = with(&set.access().as_user("keeper", "hunter2"));
    assert_found(&wrong, "username, password and authSource", Weight::Blocks);
    assert!(!format!("{wrong:?}").contains("hunter2"));
    assert_found(&with(&keeper.without_tls()), "tlsCAFile", Weight::Blocks);
    // Another authority: that of another set.
    let stranger = tidemark_testkit::live::Certificates::generate().unwrap().authority;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, stranger).unwrap();
    let mut strange = set_config(&set, &keeper);
    strange.tls_ca_file = Some(file);
    assert_found(&checked(&config(&server, "a", vec![strange])), "authority that signed", Weight::Blocks);
    // A name of this machine that is not in the certificate.
    let mut named = set_config(&set, &keeper);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    named.seeds[0] = other_name(&runtime, set.member(0).port());
    assert_found(
        &checked(&config(&server, "a", vec![named])),
        "host names that are in the certificates",
        Weight::Blocks,
    );
}

/// Another address by which the same server is reached.
fn other_name(runtime: &tokio::runtime::Runtime, port: u16) -> Address {
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.2:0")).unwrap();
    let own = listener.local_addr().unwrap().port();
    runtime.spawn(async move {
        while let Ok((mut one, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut other = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut one, &mut other).await;
            });
        }
    });
    Address { host: "127.0.0.2".to_owned(), port: own }
}

/// A server that knows nobody, by TLS, at every address of this machine.
fn encrypted(runtime: &tokio::runtime::Runtime, pem: &str) -> u16 {
    let refusal = r#"{"code":"unknownKey","message":"who is this?"}"#;
    let router =
        axum::Router::new().fallback(move || async move { (axum::http::StatusCode::UNAUTHORIZED, refusal) });
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let pem = pem.as_bytes().to_vec();
    runtime.spawn(async move {
        let tls = axum_server::tls_rustls::RustlsConfig::from_pem(pem.clone(), pem).await.unwrap();
        axum_server::from_tcp_rustls(listener, tls).unwrap().serve(router.into_make_service()).await.unwrap();
    });
    port
}

#[test]
fn the_server_is_who_the_authority_says_or_nobody() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let certificates = tidemark_testkit::live::Certificates::generate().unwrap();
    let port = encrypted(&runtime, &certificates.server);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let own = file("own.pem", &certificates.authority);
    let other = file("other.pem", &tidemark_testkit::live::Certificates::generate().unwrap().authority);
    let server = Server::start();
    for (host, ca_file, named) in [
        ("127.0.0.1", own.clone(), "put it into the file as mmsApiKey"),
        ("127.0.0.1", other, "is not the authority of this server"),
        ("127.0.0.1", None, "name it in sslTrustedMMSBackupServerCertificate"),
        ("127.0.0.2", own, "--public-url"),
    ] {
        let motherships = vec![format!("https://{host}:{port}")];
        let config = Config { motherships, ca_file, ..config(&server, "a", Vec::new()) };
        assert_found(&checked(&config), named, Weight::Blocks);
    }
}
