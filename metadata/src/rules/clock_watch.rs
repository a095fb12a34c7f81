//! Whether the clock may be trusted to delete by. Nothing expires while it may not.
//!
//! Two proofs are asked for: over the last day of running, the wall clock moved as the monotonic one did, up to ten
//! minutes; and it agrees, up to ten minutes, with what a source's server says the time is. A jump therefore
//! pauses expiry for a day, and a clock that stays wrong pauses it until it is right. Without a source that was
//! heard of lately nothing expires either: a wrong clock after a start looks just like a long sleep.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;
use tidemark_base::UnixMillis;

/// How far clocks may be apart.
pub const TOLERANCE: Duration = Duration::from_secs(600);
/// For how long a jump is remembered, in running time.
pub const MEMORY: Duration = Duration::from_secs(24 * 3600);
/// How old the news of a source may be.
pub const NEWS: Duration = Duration::from_secs(3600);
/// Observations of so much running time are kept together.
const BUCKET: Duration = Duration::from_secs(3600);

/// Watches one process's clock for one replica set, so that no agent's clock counts for the snapshots of others. Fed
/// about once a minute; knows nothing before its first observation.
#[derive(Clone, Debug, Default)]
pub struct ClockWatch {
    buckets: VecDeque<Bucket>,
    /// The source's clock minus ours in milliseconds, and when that was seen.
    source: Option<(i128, Duration)>,
}

/// The least and greatest difference of wall and monotonic clock within an hour of running.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    began: Duration,
    least_ms: i128,
    most_ms: i128,
}

/// Why nothing may expire now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// The wall clock jumped, by so many milliseconds in all.
    Jumped {
        /// How far, at most.
        by_ms: u64,
    },
    /// The wall clock and the source's clock differ by so many milliseconds.
    Differs {
        /// How far.
        by_ms: u64,
    },
    /// No source said lately what time it is.
    NoSource,
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = |ms: &u64| ms / 60_000;
        match self {
            Self::Jumped { by_ms } => write!(
                f,
                "nothing expires: the clock of this machine jumped by {} minutes; set it right, expiry goes on after \
                 a day without jumps",
                minutes(by_ms)
            ),
            Self::Differs { by_ms } => write!(
                f,
                "nothing expires: the clock of this machine and that of the source differ by {} minutes; set the \
                 wrong one right",
                minutes(by_ms)
            ),
            Self::NoSource => f.write_str(
                "nothing expires: no source has said lately what time it is, so the clock cannot be checked; expiry \
                 goes on when an agent is heard of",
            ),
        }
    }
}

impl ClockWatch {
    /// Nothing seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes both clocks.
    pub fn observe(&mut self, now: UnixMillis, monotonic: Duration) {
        let difference = i128::from(now.0) - ms(monotonic);
        match self.buckets.back_mut() {
            Some(last) if monotonic < last.began + BUCKET => {
                last.least_ms = last.least_ms.min(difference);
                last.most_ms = last.most_ms.max(difference);
            }
            _ => {
                let bucket = Bucket { began: monotonic, least_ms: difference, most_ms: difference };
                self.buckets.push_back(bucket);
            }
        }
        // A bucket goes when all of it is older than the memory; the newest always stays.
        while self.buckets.len() > 1
            && self.buckets.front().is_some_and(|it| it.began + BUCKET + MEMORY <= monotonic)
        {
            self.buckets.pop_front();
        }
    }

    /// Notes what a source's server said the time was (`localTime`), just now.
    pub fn heard(&mut self, source: UnixMillis, now: UnixMillis, monotonic: Duration) {
        self.observe(now, monotonic);
        // Kept against the monotonic clock: a later jump of ours shows at once.
        self.source = Some((i128::from(source.0) - ms(monotonic), monotonic));
    }

    /// Whether the clock went steadily, as far as it was watched. With the proof that an order was known for a day
    /// ([`super::second_thoughts`]), and so was watched for that day, enough for what a person has ordered.
    ///
    /// # Errors
    /// How far it jumped.
    pub fn steady(&mut self, now: UnixMillis, monotonic: Duration) -> Result<(), Pause> {
        self.observe(now, monotonic);
        let least = self.buckets.iter().map(|it| it.least_ms).min().unwrap_or_default();
        let most = self.buckets.iter().map(|it| it.most_ms).max().unwrap_or_default();
        if most - least > ms(TOLERANCE) {
            return Err(Pause::Jumped { by_ms: unsigned(most - least) });
        }
        Ok(())
    }

    /// Whether it has watched for as long as the news of a source may be old. Before that, silence is no news: whoever has
    /// just begun has heard of nobody yet.
    #[must_use]
    pub fn is_settled(&self, monotonic: Duration) -> bool {
        self.buckets.front().is_some_and(|it| monotonic >= it.began + NEWS)
    }

    /// Whether something may expire by the clock as it is now: it went steadily, and the source agrees.
    ///
    /// # Errors
    /// Why not.
    pub fn judge(&mut self, now: UnixMillis, monotonic: Duration) -> Result<(), Pause> {
        self.steady(now, monotonic)?;
        let Some((source, seen)) = self.source.filter(|(_, seen)| monotonic <= *seen + NEWS) else {
            return Err(Pause::NoSource);
        };
        debug_assert!(seen <= monotonic, "the monotonic clock goes forward");
        let apart = (source - (i128::from(now.0) - ms(monotonic))).abs();
        if apart > ms(TOLERANCE) {
            return Err(Pause::Differs { by_ms: unsigned(apart) });
        }
        Ok(())
    }
}

fn ms(duration: Duration) -> i128 {
    i128::try_from(duration.as_millis()).unwrap_or(i128::MAX)
}

fn unsigned(ms: i128) -> u64 {
    u64::try_from(ms).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;
    const HOUR: u64 = 60 * MINUTE;
    const START: u64 = 1_795_341_091_000;

    /// Two clocks of ours and the source's, moved together or apart.
    struct Scene {
        watch: ClockWatch,
        wall: u64,
        running: Duration,
        source: u64,
    }

    impl Scene {
        fn new() -> Self {
            let mut scene =
                Self { watch: ClockWatch::new(), wall: START, running: Duration::ZERO, source: START };
            scene.hear();
            scene
        }

        fn hear(&mut self) {
            self.watch.heard(UnixMillis(self.source), UnixMillis(self.wall), self.running);
        }

        /// Time passes, and each minute both clocks are looked at.
        fn pass(&mut self, minutes: u64) {
            for _ in 0..minutes {
                self.wall += MINUTE;
                self.source += MINUTE;
                self.running += Duration::from_millis(MINUTE);
                self.hear();
            }
        }

        fn judge(&mut self) -> Result<(), Pause> {
            self.watch.judge(UnixMillis(self.wall), self.running)
        }
    }

    #[test]
    fn steady_clocks_are_trusted() {
        let mut scene = Scene::new();
        for _ in 0..100 {
            scene.pass(30);
            assert_eq!(scene.judge(), Ok(()));
        }
        assert!(scene.watch.buckets.len() <= 26, "a bounded memory");
    }

    #[test]
    fn a_jump_either_way_pauses_expiry_at_once_and_for_a_day() {
        for back in [true, false] {
            let mut scene = Scene::new();
            scene.pass(180);
            scene.wall = if back { scene.wall - HOUR } else { scene.wall + HOUR };
            assert_eq!(scene.judge(), Err(Pause::Jumped { by_ms: HOUR }), "before anybody else looked");
            assert!(scene.watch.steady(UnixMillis(scene.wall), scene.running).is_err());
            scene.pass(5);
            assert!(scene.judge().is_err());
            // And back again, as in the acceptance: still nothing for a day, then it recovers by itself.
            scene.wall = if back { scene.wall + HOUR } else { scene.wall - HOUR };
            scene.pass(23 * 60);
            assert!(matches!(scene.judge(), Err(Pause::Jumped { .. })));
            scene.pass(3 * 60);
            assert_eq!(scene.judge(), Ok(()));
        }
    }

    #[test]
    fn a_clock_that_stays_wrong_pauses_until_it_agrees_with_the_source() {
        let mut scene = Scene::new();
        scene.pass(10);
        scene.wall += HOUR;
        scene.pass(3 * 24 * 60);
        assert_eq!(scene.judge(), Err(Pause::Differs { by_ms: HOUR }));
        scene.source += HOUR - 9 * MINUTE;
        scene.pass(1);
        assert_eq!(scene.judge(), Ok(()));
    }

    #[test]
    fn a_slow_drift_is_no_jump_but_the_source_finds_it() {
        let mut scene = Scene::new();
        for _ in 0..48 * 60 {
            scene.pass(1);
            scene.wall += 250;
        }
        assert_eq!(scene.judge(), Err(Pause::Differs { by_ms: 48 * 60 * 250 }));
    }

    #[test]
    fn without_news_of_a_source_nothing_expires() {
        let mut scene = Scene::new();
        scene.watch.source = None;
        assert_eq!(scene.judge(), Err(Pause::NoSource));
        assert_eq!(
            scene.watch.steady(UnixMillis(scene.wall), scene.running),
            Ok(()),
            "its own clock is steady"
        );
        scene.hear();
        scene.running += NEWS + Duration::from_secs(1);
        scene.wall += HOUR + 1000;
        assert_eq!(scene.judge(), Err(Pause::NoSource));
    }

    #[test]
    fn who_has_just_begun_takes_no_silence_for_news() {
        let mut watch = ClockWatch::new();
        assert!(!watch.is_settled(Duration::ZERO));
        watch.observe(UnixMillis(START), Duration::from_secs(5));
        assert_eq!(
            watch.judge(UnixMillis(START), Duration::from_secs(5)),
            Err(Pause::NoSource),
            "nothing expires"
        );
        assert!(!watch.is_settled(Duration::from_secs(5) + NEWS - Duration::from_millis(1)));
        assert!(watch.is_settled(Duration::from_secs(5) + NEWS));
    }

    #[test]
    fn the_limits_are_ten_minutes() {
        for (apart, trusted) in [(10 * MINUTE, true), (10 * MINUTE + 1, false)] {
            let mut scene = Scene::new();
            scene.source += apart;
            scene.hear();
            assert_eq!(scene.judge().is_ok(), trusted);
            let mut scene = Scene::new();
            scene.wall += apart;
            assert_eq!(scene.judge().is_ok(), trusted);
        }
    }
}
