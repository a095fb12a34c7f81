//! The life of sessions.

use crate::bench::{Bench, HOUR, MINUTE, NOW, each, later, some_hash};
use tidemark_base::UnixMillis;
use tidemark_metadata::{By, Purpose, Session, Token, csrf_token};

fn lives(bench: &Bench, token: &Token, now: UnixMillis) -> bool {
    bench.metadata.session_user(token.reveal(), now).unwrap().is_some()
}

#[test]
fn a_session_dies_of_idleness_and_of_age() {
    each(|bench| {
        let owner = bench.owner();
        let begin = || bench.metadata.begin_session(&owner, NOW, &mut bench.random()).unwrap();
        let idle = begin();
        assert!(lives(bench, &idle, later(2 * HOUR - 1)));
        assert!(lives(bench, &idle, later(4 * HOUR - 2)), "it was used in between");
        assert!(!lives(bench, &idle, later(6 * HOUR)));
        let busy = begin();
        for hour in 1..24 {
            assert!(lives(bench, &busy, later(hour * HOUR)), "{hour}");
        }
        assert!(!lives(bench, &busy, later(24 * HOUR)));
    });
}

#[test]
fn a_session_dies_when_it_ends_or_its_person_changes_the_password_or_goes() {
    each(|bench| {
        let owner = bench.owner();
        let begin = || {
            let owner = bench.metadata.user_by_login("owner").unwrap().unwrap().record;
            bench.metadata.begin_session(&owner, NOW, &mut bench.random()).unwrap()
        };
        let (one, two) = (begin(), begin());
        bench.metadata.end_session(one.reveal()).unwrap();
        bench.metadata.end_session(one.reveal()).unwrap();
        assert!(!lives(bench, &one, NOW) && lives(bench, &two, NOW));
        bench.metadata.set_password(owner.id, &some_hash(3)).unwrap();
        assert!(!lives(bench, &two, NOW));
        let three = begin();
        assert!(lives(bench, &three, NOW));
        bench.metadata.end_sessions(owner.id).unwrap();
        assert!(!lives(bench, &three, NOW));
    });
}

#[test]
fn what_is_no_session_opens_nothing() {
    each(|bench| {
        bench.owner();
        let stranger = Token::generate(Purpose::Session, &mut bench.random());
        for shown in [stranger.reveal(), "", "tms_", "x"] {
            assert!(bench.metadata.session_user(shown, NOW).unwrap().is_none());
        }
    });
}

#[test]
fn dead_sessions_are_swept_and_living_ones_are_not() {
    each(|bench| {
        let owner = bench.owner();
        let old = bench.metadata.begin_session(&owner, NOW, &mut bench.random()).unwrap();
        let young = bench.metadata.begin_session(&owner, later(2 * HOUR), &mut bench.random()).unwrap();
        assert_eq!(bench.metadata.sweep(|it: &Session| !it.lives(later(2 * HOUR + MINUTE))).unwrap(), 1);
        let left = bench.metadata.all::<Session>(By::Key(&owner.id.to_string())).unwrap();
        assert_eq!(left.len(), 1);
        assert!(lives(bench, &young, later(3 * HOUR)) && !lives(bench, &old, NOW));
    });
}

#[test]
fn the_token_of_forms_is_of_one_session_and_does_not_give_it_away() {
    each(|bench| {
        let owner = bench.owner();
        let begin = || bench.metadata.begin_session(&owner, NOW, &mut bench.random()).unwrap();
        let (one, two) = (begin(), begin());
        let csrf = csrf_token(one.reveal());
        assert_eq!(csrf, csrf_token(one.reveal()));
        assert_ne!(csrf, csrf_token(two.reveal()));
        assert_ne!(csrf, one.hash().as_id(), "nor what is stored");
        assert!(bench.metadata.session_user(&format!("tms_{csrf}"), NOW).unwrap().is_none());
    });
}
