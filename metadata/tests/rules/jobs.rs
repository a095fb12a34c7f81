//! Jobs in a store: who claims, who is told to stop. The life of one job is tested beside its code.

use crate::bench::{NOW, each, later};
use tidemark_base::{ErrorKind, threads};
use tidemark_metadata::rules::lease::Holder;
use tidemark_metadata::{DaemonName, Job, JobKind, Outcome, Progress, Subject, Text};

fn holder(name: &str) -> Holder {
    Holder { name: Subject::new(name).unwrap(), incarnation: [1; 8] }
}

fn subject(text: &str) -> Subject {
    Subject::new(text).unwrap()
}

#[test]
fn of_many_daemons_one_claims() {
    each(|bench| {
        let group = Some(bench.group("g").id);
        bench.metadata.queue_job(group, JobKind::Apply, &subject("rs0"), NOW).unwrap();
        let id = Job::id_of(group, JobKind::Apply, &subject("rs0"));
        let racers: Vec<_> = (0..4)
            .map(|n| {
                let (metadata, id) = (bench.metadata.clone(), id.clone());
                threads::spawn("daemon", move || {
                    metadata.claim_job(&id, &holder(&format!("d{n}")), NOW).unwrap().is_some()
                })
                .unwrap()
            })
            .collect();
        let won = racers.into_iter().map(|it| it.join().unwrap()).filter(|it| *it).count();
        assert_eq!(won, 1, "{}", bench.name);
    });
}

#[test]
fn who_was_taken_over_is_told_so() {
    each(|bench| {
        let (metadata, mut random) = (&bench.metadata, bench.random());
        metadata.queue_job(None, JobKind::Groom, &subject("store"), NOW).unwrap();
        let id = Job::id_of(None, JobKind::Groom, &subject("store"));
        let first = metadata.claim_job(&id, &holder("a"), NOW).unwrap().unwrap();
        assert!(metadata.claim_job(&id, &holder("b"), later(59_999)).unwrap().is_none());
        let second = metadata.claim_job(&id, &holder("b"), later(60_000)).unwrap().unwrap();
        let progress = Progress { done: 1, total: Some(2), doing: Some(Text::fit("marking")) };
        let late = metadata.job_heartbeat(&first, later(60_001), &progress).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::Fenced);
        let late = metadata.finish_job(&first, &Outcome::Done, later(60_001), &mut random).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::Fenced);
        assert!(!metadata.job_heartbeat(&second, later(60_002), &progress).unwrap());
        metadata.cancel_job(&id, later(60_003)).unwrap();
        assert!(metadata.job_heartbeat(&second, later(60_004), &progress).unwrap());
        let job = metadata.get::<Job>(&id).unwrap().record;
        assert_eq!((job.epoch, job.progress), (2, progress));
    });
}

#[test]
fn open_jobs_are_listed_and_closed_ones_come_back_when_they_are_queued() {
    each(|bench| {
        let (metadata, mut random) = (&bench.metadata, bench.random());
        let group = Some(bench.group("g").id);
        for kind in [JobKind::Apply, JobKind::Snapshot] {
            metadata.queue_job(group, kind, &subject("rs0"), NOW).unwrap();
            metadata.queue_job(group, kind, &subject("rs0"), later(1)).unwrap();
        }
        let open = || -> Vec<JobKind> {
            metadata.open_jobs(None, 100).unwrap().iter().map(|it| it.record.kind).collect()
        };
        assert_eq!(open(), [JobKind::Apply, JobKind::Snapshot]);
        let id = Job::id_of(group, JobKind::Snapshot, &subject("rs0"));
        let claim = metadata.claim_job(&id, &holder("a"), NOW).unwrap().unwrap();
        assert_eq!(open().len(), 2, "one in work has to be looked after too");
        metadata.finish_job(&claim, &Outcome::Done, NOW, &mut random).unwrap();
        assert_eq!(open(), [JobKind::Apply]);
        metadata.queue_job(group, JobKind::Snapshot, &subject("rs0"), later(2)).unwrap();
        assert_eq!(open().len(), 2);
        let again = metadata.claim_job(&id, &holder("b"), later(2)).unwrap().unwrap();
        assert!(again.epoch > claim.epoch);
        assert_eq!(metadata.claim_job("nothing", &holder("a"), NOW).unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_daemon_that_starts_again_takes_its_own_jobs_over_and_the_former_one_learns_it() {
    each(|bench| {
        let (metadata, mut random) = (&bench.metadata, bench.random());
        let name = DaemonName::new("daemon-1").unwrap();
        let version = Text::fit("0.1.0");
        let first = metadata.daemon_starts(&name, &version, NOW, &mut random).unwrap();
        assert!(metadata.daemon_lives(&first, later(1)).unwrap());
        metadata.queue_job(None, JobKind::Verify, &subject("store"), NOW).unwrap();
        let id = Job::id_of(None, JobKind::Verify, &subject("store"));
        let old = metadata.claim_job(&id, &first.holder().unwrap(), NOW).unwrap().unwrap();
        let second = metadata.daemon_starts(&name, &version, later(2), &mut random).unwrap();
        assert!(!metadata.daemon_lives(&first, later(3)).unwrap());
        let new = metadata.claim_job(&id, &second.holder().unwrap(), later(3)).unwrap().unwrap();
        assert!(new.epoch > old.epoch);
        let late = metadata.job_heartbeat(&old, later(4), &Progress::default()).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::Fenced);
    });
}
