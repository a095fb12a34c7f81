//! Links die by time, by use, and by being revoked.

use crate::bench::{Bench, HOUR, NOW, each, later};
use tidemark_base::{ErrorKind, Timestamp, UnixMillis, threads};
use tidemark_metadata::{
    Batch, GroupId, ReplicaSetId, RestoreJob, RestoreJobId, RestoreState, RestoreTarget, Text, Token, UserId,
};

fn restore(bench: &Bench, state: RestoreState) -> RestoreJob {
    let job = RestoreJob {
        group: GroupId::from_bytes([1; 12]),
        id: RestoreJobId::new(NOW, &mut bench.random()),
        replica_set: ReplicaSetId::from_bytes([2; 12]),
        target: RestoreTarget::PointInTime { timestamp: Timestamp { secs: 5, ordinal: 6 } },
        namespaces: Vec::new(),
        users_and_roles: false,
        gzip: true,
        state,
        created_by: UserId::from_bytes([3; 12]),
        created_at: NOW,
    };
    let mut batch = Batch::new();
    batch.create(&job).unwrap();
    bench.metadata.commit(&batch).unwrap();
    job
}

fn ready(bench: &Bench) -> RestoreJob {
    restore(bench, RestoreState::Ready { bytes: 7, divergences: 0, is_rolled_back: false })
}

fn link(bench: &Bench, job: &RestoreJob, life_ms: u64, uses: u32) -> Token {
    bench.metadata.create_link(job.group, job.id, (life_ms, uses), NOW, &mut bench.random()).unwrap()
}

fn uses(bench: &Bench, token: &Token, now: UnixMillis) -> bool {
    match bench.metadata.use_link(token.reveal(), now) {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
            assert!(!error.to_string().contains("tml_"), "{error}");
            false
        }
    }
}

#[test]
fn a_link_dies_by_time() {
    each(|bench| {
        let job = ready(bench);
        let token = link(bench, &job, HOUR, 9);
        assert!(uses(bench, &token, later(HOUR - 1)));
        assert!(!uses(bench, &token, later(HOUR)));
        assert!(bench.metadata.look_at_link(token.reveal(), later(HOUR)).is_err());
    });
}

#[test]
fn a_link_dies_by_use_and_looking_at_it_is_no_use() {
    each(|bench| {
        let job = ready(bench);
        let token = link(bench, &job, HOUR, 2);
        for _ in 0..5 {
            assert_eq!(bench.metadata.look_at_link(token.reveal(), NOW).unwrap(), job);
        }
        assert!(uses(bench, &token, NOW) && uses(bench, &token, NOW) && !uses(bench, &token, NOW));
        assert!(bench.metadata.look_at_link(token.reveal(), NOW).is_err());
    });
}

#[test]
fn of_many_who_use_a_link_at_once_no_more_come_through_than_it_allows() {
    each(|bench| {
        let token = link(bench, &ready(bench), HOUR, 3);
        let racers: Vec<_> = (0..6)
            .map(|_| {
                let (metadata, shown) = (bench.metadata.clone(), token.reveal().to_owned());
                threads::spawn("user", move || metadata.use_link(&shown, NOW).is_ok()).unwrap()
            })
            .collect();
        let through = racers.into_iter().map(|it| it.join().unwrap()).filter(|it| *it).count();
        assert_eq!(through, 3, "{}", bench.name);
    });
}

#[test]
fn a_link_dies_when_it_is_revoked_and_others_live() {
    each(|bench| {
        let (job, other) = (ready(bench), ready(bench));
        let (a, b, c) =
            (link(bench, &job, HOUR, 9), link(bench, &job, HOUR, 9), link(bench, &other, HOUR, 9));
        bench.metadata.revoke_links(job.group, job.id, later(1)).unwrap();
        bench.metadata.revoke_links(job.group, job.id, later(2)).unwrap();
        assert!(!uses(bench, &a, later(3)) && !uses(bench, &b, later(3)) && uses(bench, &c, later(3)));
    });
}

#[test]
fn a_link_dies_with_its_restore() {
    each(|bench| {
        let job = ready(bench);
        let token = link(bench, &job, HOUR, 9);
        let id = RestoreJob::id_of(job.group, job.id);
        bench.metadata.change::<RestoreJob, _>(&id, |it| it.set_state(RestoreState::Cancelled)).unwrap();
        assert!(!uses(bench, &token, NOW));
        bench.metadata.remove::<RestoreJob>(&id).unwrap();
        assert!(!uses(bench, &token, NOW));
    });
}

#[test]
fn links_are_made_for_what_is_ready_for_a_day_at_most() {
    each(|bench| {
        let make = |job: &RestoreJob, life, uses| {
            bench.metadata.create_link(job.group, job.id, (life, uses), NOW, &mut bench.random())
        };
        let failed = RestoreState::Failed { error: Text::fit("no such snapshot") };
        for state in [RestoreState::Preparing, failed, RestoreState::Cancelled] {
            assert_eq!(make(&restore(bench, state), HOUR, 1).unwrap_err().kind(), ErrorKind::Invalid);
        }
        let job = ready(bench);
        for (life, uses) in [(24 * HOUR + 1, 1), (HOUR, 0), (HOUR, 1001), (u64::MAX, 1)] {
            assert_eq!(make(&job, life, uses).unwrap_err().kind(), ErrorKind::Invalid, "{life} {uses}");
        }
        make(&job, 24 * HOUR, 1000).unwrap();
        let elsewhere = RestoreJob { group: GroupId::from_bytes([9; 12]), ..job };
        assert_eq!(make(&elsewhere, HOUR, 1).unwrap_err().kind(), ErrorKind::NotFound, "another group's");
    });
}

#[test]
fn a_restore_leaves_preparing_once() {
    each(|bench| {
        let mut job = restore(bench, RestoreState::Preparing);
        assert!(job.clone().set_state(RestoreState::Preparing).is_err());
        job.set_state(RestoreState::Ready { bytes: 1, divergences: 0, is_rolled_back: false }).unwrap();
        assert!(
            job.clone()
                .set_state(RestoreState::Ready { bytes: 2, divergences: 0, is_rolled_back: false })
                .is_err()
        );
        assert!(job.clone().set_state(RestoreState::Failed { error: Text::fit("x") }).is_err());
        job.set_state(RestoreState::Cancelled).unwrap();
        assert!(
            job.set_state(RestoreState::Ready { bytes: 1, divergences: 0, is_rolled_back: false }).is_err()
        );
    });
}
