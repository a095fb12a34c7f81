//! The CA is made once, by one, and kept; certificates under it are renewed; foreign ones are read again.

use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use tidemark_base::clock::ManualClock;

const NOW: UnixMillis = UnixMillis(1_795_341_091_408);

fn own(folder: &Path) -> Source {
    Source::OwnCa {
        folder: folder.to_owned(),
        names: vec!["backup.example.com".to_owned(), "::1".to_owned()],
    }
}

#[test]
fn a_ca_is_made_once_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("tls");
    let first = Tls::open(own(&place), &NOW).unwrap();
    let again = Tls::open(own(&place), &NOW).unwrap();
    assert_eq!(first.ca_pem(), again.ca_pem());
    assert_eq!(first.ca_fingerprint().unwrap().len(), 64);
    let mode = |name: &str| fs::metadata(place.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("ca.key"), mode("ca.pem")), (0o600, 0o644));
    let mut names: Vec<_> = fs::read_dir(&place).unwrap().map(|it| it.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["ca.key", "ca.pem"], "nothing is left behind");
}

#[test]
fn of_many_that_start_at_once_all_have_the_same_ca() {
    let folder = tempfile::tempdir().unwrap();
    let open = |_| {
        let place = folder.path().to_owned();
        tidemark_base::threads::spawn("start", move || {
            Tls::open(own(&place), &NOW).unwrap().ca_fingerprint().unwrap()
        })
        .unwrap()
    };
    // The scratch file is named by the process, and these are of one: so the first is alone.
    let first = open(0).join().unwrap();
    let others: Vec<_> = (0..4).map(open).collect();
    assert!(others.into_iter().all(|it| it.join().unwrap() == first));
}

#[test]
fn a_key_that_others_may_read_is_refused_and_one_that_is_gone_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    Tls::open(own(folder.path()), &NOW).unwrap();
    let key = folder.path().join("ca.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let error = Tls::open(own(folder.path()), &NOW).err().unwrap().to_string();
    assert!(error.contains("others may read"), "{error}");
    fs::remove_file(&key).unwrap();
    let error = Tls::open(own(folder.path()), &NOW).err().unwrap().to_string();
    assert!(error.contains("put it back"), "{error}");
    fs::write(&key, "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let error = Tls::open(own(folder.path()), &NOW).err().unwrap().to_string();
    assert!(error.contains("not a private key") && !error.contains("hunter2"), "{error}");
}

#[test]
fn a_certificate_is_renewed_before_it_ends_and_when_the_clock_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(NOW);
    let tls = Tls::open(own(folder.path()), &clock).unwrap();
    assert!(!tls.renew(&clock).unwrap());
    clock.advance(Duration::from_millis(LIFE_MS - RENEW_MS - 1));
    assert!(!tls.renew(&clock).unwrap(), "not yet");
    clock.advance(Duration::from_millis(1));
    let before = tls.config.get_inner();
    assert!(tls.renew(&clock).unwrap());
    assert!(!Arc::ptr_eq(&before, &tls.config.get_inner()));
    assert!(!tls.renew(&clock).unwrap());
    clock.set_wall(UnixMillis(NOW.0 - DAY_MS));
    assert!(tls.renew(&clock).unwrap(), "what begins in the future is of no use");
}

#[test]
fn certificates_from_elsewhere_are_read_again_when_they_change() {
    let folder = tempfile::tempdir().unwrap();
    let (certificates, key) = (folder.path().join("server.pem"), folder.path().join("server.key"));
    let put = || {
        let made = rcgen::generate_simple_self_signed(vec!["backup".to_owned()]).unwrap();
        fs::write(&certificates, made.cert.pem()).unwrap();
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    };
    put();
    let source = Source::Files { certificates: certificates.clone(), key: key.clone() };
    let tls = Tls::open(source, &NOW).unwrap();
    assert_eq!((tls.ca_pem(), tls.ca_fingerprint()), (None, None));
    assert!(!tls.renew(&NOW).unwrap());
    put();
    assert!(tls.renew(&NOW).unwrap());
    let present = tls.config.get_inner();
    fs::write(&key, "half a key").unwrap();
    assert!(tls.renew(&NOW).is_err());
    assert!(Arc::ptr_eq(&present, &tls.config.get_inner()), "the old one stays");
}

#[test]
fn the_host_of_a_url_is_what_a_certificate_can_be_for() {
    let host = |url| host_of(url).ok();
    assert_eq!(host("https://backup.example.com:8080").as_deref(), Some("backup.example.com"));
    assert_eq!(host("https://[::1]:8080").as_deref(), Some("::1"));
    assert_eq!(host("http://127.0.0.1").as_deref(), Some("127.0.0.1"));
    for bad in ["", "backup", "ftp://backup", "https://", "/backup"] {
        assert_eq!(host(bad), None, "{bad}");
    }
}
