//! The life of a job.

use super::*;
use tidemark_base::{ErrorKind, SeededEntropy};

fn holder(name: &str) -> Holder {
    Holder { name: Subject::new(name).unwrap(), incarnation: [1; 8] }
}

fn at(secs: u64) -> UnixMillis {
    UnixMillis(1_000_000 + secs * 1000)
}

fn job() -> Job {
    Job::new(Some(GroupId::from_bytes([1; 12])), JobKind::Apply, Subject::new("rs0").unwrap(), at(0))
}

fn error(text: &str) -> Text {
    Text::fit(text)
}

#[test]
fn one_works_on_it_until_the_lease_is_over_and_then_another() {
    let mut job = job();
    let first = job.claim(&holder("a"), at(0)).unwrap();
    assert!(job.claim(&holder("b"), at(59)).is_err());
    assert!(!job.heartbeat(&first, at(59), Progress::default()).unwrap());
    assert!(job.claim(&holder("b"), at(100)).is_err(), "the heartbeat renewed it");
    let second = job.claim(&holder("b"), at(119)).unwrap();
    assert!(second.epoch > first.epoch);
    let late = job.heartbeat(&first, at(120), Progress::default()).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Fenced);
    let before = job.clone();
    let late = job.finish(&first, Outcome::Done, at(120), &mut SeededEntropy::new(1)).unwrap_err();
    assert_eq!((late.kind(), &job), (ErrorKind::Fenced, &before));
}

#[test]
fn a_lease_that_ran_out_is_renewed_if_nobody_came() {
    let mut job = job();
    let claim = job.claim(&holder("a"), at(0)).unwrap();
    job.heartbeat(&claim, at(10_000), Progress::default()).unwrap();
    assert!(!job.is_claimable(&holder("b"), at(10_001)));
}

#[test]
fn failures_wait_longer_each_time_and_a_long_run_starts_over() {
    let mut random = SeededEntropy::new(1);
    let mut job = job();
    let mut now = 0;
    for most in [10, 20, 40, 80] {
        let claim = job.claim(&holder("a"), at(now)).unwrap();
        job.finish(&claim, Outcome::Again(error("disk full")), at(now), &mut random).unwrap();
        assert!(!job.is_claimable(&holder("a"), at(now + most / 2)), "{most}");
        assert!(job.is_claimable(&holder("a"), at(now + most)), "{most}");
        now += most;
    }
    assert_eq!((job.failures, job.last_error.clone()), (4, Some(error("disk full"))));
    let claim = job.claim(&holder("a"), at(now)).unwrap();
    job.finish(&claim, Outcome::Again(error("x")), at(now + 3601), &mut random).unwrap();
    assert_eq!(job.failures, 1);
}

#[test]
fn a_clock_that_was_set_back_delays_nothing() {
    let mut job = job();
    let claim = job.claim(&holder("a"), at(7200)).unwrap();
    assert!(job.is_claimable(&holder("b"), at(0)), "running");
    job.finish(&claim, Outcome::Again(error("x")), at(7200), &mut SeededEntropy::new(1)).unwrap();
    assert!(job.is_claimable(&holder("b"), at(0)), "waiting");
}

#[test]
fn cancelling_asks_who_works_on_it_and_ends_it_if_nobody_does() {
    let mut random = SeededEntropy::new(1);
    let mut waiting = job();
    waiting.cancel(at(1));
    assert_eq!(waiting.state, JobState::Cancelled { at: at(1) });
    for outcome in [Outcome::Cancelled, Outcome::Again(error("x")), Outcome::Released] {
        let mut running = job();
        let claim = running.claim(&holder("a"), at(0)).unwrap();
        running.cancel(at(1));
        assert!(running.heartbeat(&claim, at(2), Progress::default()).unwrap(), "it is told");
        running.finish(&claim, outcome, at(3), &mut random).unwrap();
        assert_eq!(running.state, JobState::Cancelled { at: at(3) });
    }
    let mut done = job();
    let claim = done.claim(&holder("a"), at(0)).unwrap();
    done.cancel(at(1));
    done.finish(&claim, Outcome::Done, at(3), &mut random).unwrap();
    assert_eq!(done.state, JobState::Done { at: at(3) }, "it was done before it heard");
    let before = done.clone();
    done.cancel(at(4));
    assert_eq!(done, before);
}

#[test]
fn a_closed_job_is_nobodys_and_its_epoch_goes_on_when_it_is_queued_again() {
    let mut random = SeededEntropy::new(1);
    let mut job = job();
    let claim = job.claim(&holder("a"), at(0)).unwrap();
    job.finish(&claim, Outcome::Failed(error("no")), at(1), &mut random).unwrap();
    assert!(!job.is_open() && !job.is_claimable(&holder("a"), at(99_999)) && job.key().is_none());
    assert_eq!(job.heartbeat(&claim, at(2), Progress::default()).unwrap_err().kind(), ErrorKind::Fenced);
    job.requeue(at(5));
    assert!(job.is_open() && job.last_error.is_none() && job.failures == 0);
    let again = job.claim(&holder("a"), at(5)).unwrap();
    assert_eq!(again.epoch, claim.epoch + 1);
    let before = job.clone();
    job.requeue(at(6));
    assert_eq!(job, before, "an open job is left alone");
}

#[test]
fn a_released_job_can_be_claimed_at_once() {
    let mut job = job();
    let claim = job.claim(&holder("a"), at(0)).unwrap();
    job.finish(&claim, Outcome::Released, at(1), &mut SeededEntropy::new(1)).unwrap();
    job.claim(&holder("b"), at(1)).unwrap();
}

#[test]
fn a_claim_of_another_job_is_worth_nothing() {
    let (mut one, mut other) = (job(), Job { kind: JobKind::Snapshot, ..job() });
    let claim = one.claim(&holder("a"), at(0)).unwrap();
    other.claim(&holder("a"), at(0)).unwrap();
    assert_eq!(other.heartbeat(&claim, at(1), Progress::default()).unwrap_err().kind(), ErrorKind::Fenced);
}

#[test]
fn an_order_that_comes_while_it_is_in_work_is_carried_out_afterwards() {
    let mut random = SeededEntropy::new(1);
    let mut job = job();
    let first = job.claim(&holder("a"), at(0)).unwrap();
    job.order(at(1));
    job.order(at(2));
    job.finish(&first, Outcome::Done, at(3), &mut random).unwrap();
    assert!(job.is_open(), "what was made may be of a moment before the order");
    let second = job.claim(&holder("a"), at(3)).unwrap();
    job.finish(&second, Outcome::Done, at(4), &mut random).unwrap();
    assert!(!job.is_open(), "once is enough for all");
    job.order(at(5));
    job.order(at(6));
    let third = job.claim(&holder("a"), at(7)).unwrap();
    job.finish(&third, Outcome::Done, at(8), &mut random).unwrap();
    assert!(!job.is_open(), "orders that wait are one");
    // What fails is tried again anyway, and so is what somebody died of; what is given up is not what was ordered.
    for (outcome, epochs) in [(Outcome::Again(error("x")), 5), (Outcome::Failed(error("x")), 7)] {
        job.order(at(9));
        let claim = job.claim(&holder("a"), at(9)).unwrap();
        job.order(at(10));
        job.finish(&claim, outcome, at(11), &mut random).unwrap();
        let claim = job.claim(&holder("a"), at(100)).unwrap();
        job.finish(&claim, Outcome::Done, at(101), &mut random).unwrap();
        assert!(!job.is_open());
        assert_eq!(job.epoch, epochs);
    }
    job.order(at(200));
    job.claim(&holder("a"), at(200)).unwrap();
    job.order(at(201));
    let next = job.claim(&holder("b"), at(300)).unwrap();
    job.finish(&next, Outcome::Done, at(301), &mut random).unwrap();
    assert!(!job.is_open(), "whoever takes it over begins after the order");
}

#[test]
fn what_is_only_queued_again_is_not_done_twice() {
    let mut job = job();
    let claim = job.claim(&holder("a"), at(0)).unwrap();
    job.requeue(at(1));
    job.finish(&claim, Outcome::Done, at(2), &mut SeededEntropy::new(1)).unwrap();
    assert!(!job.is_open());
    job.order(at(3));
    job.claim(&holder("a"), at(3)).unwrap();
    job.order(at(4));
    job.cancel(at(5));
    assert!(!job.is_ordered_again, "nobody wants it any more");
}
