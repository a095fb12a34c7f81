//! Scripts: what is done with a head, one step after the other, chosen by a seed.
//!
//! A step makes at most one publish, so that after trouble the refs are as before the step or as after it.

use crate::source::{self, Source};
use tidemark_base::{OpTime, SeededEntropy, Timestamp};
use tidemark_oplog::slice::Link;

/// What somebody tries who was taken over and does not know it yet.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Late {
    Flush,
    Compact,
    CompactRange(i32, i32),
    Snapshot,
    Rewind(u64),
}

/// One step.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Begins the first chain of slices.
    Begin,
    /// Copies the first documents in, and makes the head.
    Import,
    /// Appends a slice, by its number.
    Append(usize),
    /// Applies what was appended, up to here; perhaps to the middle of a slice.
    Apply(Timestamp),
    Flush,
    Compact,
    /// A stretch of the documents that stay, between two `_id`s.
    CompactRange(i32, i32),
    Snapshot,
    Prove(u64),
    Delete(u64),
    /// Goes back to a snapshot, and the oplog goes on in a new chain from there.
    Rewind(u64),
    /// Deletes the slices that end at or before this.
    Expire(Timestamp),
    /// Another takes the head over; who had it tries something once more.
    TakeOver(Late),
    Collect {
        sweep: bool,
    },
    /// The store is closed in good order, and opened again.
    Reopen,
}

/// A script, and the source it follows.
pub(crate) struct Script {
    pub(crate) steps: Vec<Step>,
    pub(crate) slices: Vec<Vec<u8>>,
    pub(crate) source: Source,
    /// A root is taken while a transaction is open; a snapshot is left behind on a dead branch.
    has: (bool, bool),
}

/// What the one who writes a script has to know.
struct Writer {
    script: Script,
    random: SeededEntropy,
    tip: Link,
    /// How far was applied, and how far what was applied is flushed.
    applied: OpTime,
    flushed: OpTime,
    next_snapshot: u64,
    /// Snapshots that were not deleted and lie on no dead branch, and the ends of the last slices in them.
    snapshots: Vec<(u64, OpTime, Link)>,
    /// Ends of the slices of this branch.
    links: Vec<Link>,
    /// Ends of entries that were appended and not applied.
    waiting: Vec<OpTime>,
}

impl Script {
    /// A script of about so many steps.
    pub(crate) fn write(seed: u64, len: usize) -> Self {
        let source = Source::new(seed);
        let at = source.at();
        let script =
            Self { steps: vec![Step::Begin, Step::Import], slices: Vec::new(), source, has: (false, false) };
        let mut writer = Writer {
            script,
            random: SeededEntropy::new(seed ^ 0x0005_c819),
            tip: Link::genesis(at),
            applied: at,
            flushed: at,
            next_snapshot: 1,
            snapshots: Vec::new(),
            links: vec![Link::genesis(at)],
            waiting: Vec::new(),
        };
        while writer.script.steps.len() < len {
            writer.step();
        }
        writer.apply();
        writer.script.steps.push(Step::Snapshot);
        writer.script
    }
}

impl Script {
    /// No steps: slices of so many entries each, and where they end.
    pub(crate) fn of_slices<const N: usize>(entries: [u64; N]) -> (Self, [Timestamp; N]) {
        let mut source = Source::new(1);
        let mut slices = Vec::new();
        let mut tip = Link::genesis(source.at());
        let ends = entries.map(|entries| {
            let (bytes, end) = source.slice(tip, entries);
            slices.push(bytes);
            tip = end;
            end.at.ts
        });
        (Self { steps: Vec::new(), slices, source, has: (false, false) }, ends)
    }
}

impl Writer {
    fn step(&mut self) {
        let step = match self.random.below(100) {
            0..22 => return self.append(),
            22..40 => return self.apply(),
            40..50 => {
                self.note_flush();
                Step::Flush
            }
            50..52 => {
                self.note_flush();
                Step::Compact
            }
            52..54 => {
                self.note_flush();
                let (from, before) = self.stretch();
                Step::CompactRange(from, before)
            }
            54..66 => {
                self.note_flush();
                self.snapshots.push((self.next_snapshot, self.applied, self.applied_slice()));
                self.next_snapshot += 1;
                Step::Snapshot
            }
            66..70 => match self.some_snapshot() {
                Some(at) => Step::Prove(self.snapshots[at].0),
                None => return,
            },
            70..74 => match self.some_snapshot() {
                Some(at) => Step::Delete(self.snapshots.remove(at).0),
                None => return,
            },
            74..81 => return self.rewind(),
            81..84 => Step::Expire(self.flushed.ts),
            84..88 => {
                // What was not flushed is lost with the one who had it.
                let late = self.late();
                self.script.steps.push(Step::TakeOver(late));
                Step::Apply(self.applied.ts)
            }
            88..96 => Step::Collect { sweep: self.random.below(2) == 0 },
            _ => {
                self.script.steps.push(Step::Reopen);
                Step::Apply(self.applied.ts)
            }
        };
        self.script.steps.push(step);
    }

    /// The end of the last slice that was applied whole.
    fn applied_slice(&self) -> Link {
        let mut ends = self.links.iter().rev();
        *ends.find(|end| end.at.ts <= self.applied.ts).expect("a branch begins with a link")
    }

    fn note_flush(&mut self) {
        self.flushed = self.applied;
        self.script.has.0 |= self.script.source.within_transactions.contains(&self.applied.ts);
    }

    fn stretch(&mut self) -> (i32, i32) {
        // The stretches follow from where the script is, so that they cost none of the seed's luck.
        let from = i32::try_from(self.script.steps.len()).unwrap() * 7 % 240;
        (from, from + 60)
    }

    fn late(&mut self) -> Late {
        match (self.random.below(4), self.snapshots.last()) {
            (0, Some((id, ..))) => Late::Rewind(*id),
            (1, _) if self.script.steps.len().is_multiple_of(2) => {
                let (from, before) = self.stretch();
                Late::CompactRange(from, before)
            }
            (1, _) => Late::Compact,
            (2, _) => Late::Snapshot,
            _ => Late::Flush,
        }
    }

    fn some_snapshot(&mut self) -> Option<usize> {
        let len = self.snapshots.len() as u64;
        (len > 0).then(|| usize::try_from(self.random.below(len)).unwrap())
    }

    fn append(&mut self) {
        let before = self.script.source.at().ts.secs;
        let entries = 1 + self.random.below(8);
        let (bytes, end) = self.script.source.slice(self.tip, entries);
        self.script.steps.push(Step::Append(self.script.slices.len()));
        self.script.slices.push(bytes);
        self.tip = end;
        self.links.push(end);
        self.waiting.extend((before + 1..=end.at.ts.secs).map(|secs| source::at(secs, end.at.term)));
    }

    /// All that is waiting, or some.
    fn apply(&mut self) {
        let len = self.waiting.len() as u64;
        if len == 0 {
            return;
        }
        let count = if self.random.below(3) == 0 { 1 + self.random.below(len) } else { len };
        let mut applied = self.waiting.drain(..usize::try_from(count).unwrap());
        self.applied = applied.next_back().unwrap();
        self.script.steps.push(Step::Apply(self.applied.ts));
    }

    fn rewind(&mut self) {
        let Some(at) = self.some_snapshot() else { return };
        let (id, to, link) = self.snapshots[at];
        self.script.steps.push(Step::Rewind(id));
        let before = self.snapshots.len();
        self.snapshots.retain(|(_, other, _)| other.ts <= to.ts);
        self.script.has.1 |= self.snapshots.len() < before;
        (self.applied, self.flushed, self.tip) = (to, to, link);
        self.script.source.go_back(to.ts, link.at.ts);
        self.waiting.clear();
        self.links.retain(|other| other.at.ts <= link.at.ts);
    }
}

/// The scripts of those tests that run one for each operation or call are this short, and begin with this seed:
/// the first of which such a script has everything.
pub(crate) const SHORT_STEPS: usize = 28;
pub(crate) const SHORT_SEED: u64 = 617;

fn assert_has(scripts: impl Iterator<Item = Script>, kinds: &[&str]) {
    let steps: Vec<String> =
        scripts.flat_map(|script| script.steps).map(|step| format!("{step:?}")).collect();
    for kind in kinds {
        assert!(steps.iter().any(|step| step.starts_with(kind)), "no {kind} in the scripts: {steps:?}");
    }
}

/// What the seeds of the short run do not do is not tested by it.
#[test]
fn the_scripts_of_the_short_runs_do_everything() {
    let everything = [
        "Append",
        "Apply",
        "Flush",
        "Compact",
        "CompactRange",
        "Snapshot",
        "Prove",
        "Delete",
        "Rewind",
        "Expire",
        "TakeOver",
        "Collect",
    ];
    let short = Script::write(SHORT_SEED, SHORT_STEPS);
    assert_eq!(short.has, (true, true));
    assert_has([short].into_iter(), &everything);
    let late = ["TakeOver(Flush", "TakeOver(Compact", "TakeOver(Snapshot", "TakeOver(Rewind"];
    let scripts =
        || (crate::cuts::SEED..crate::cuts::SEED + 3).map(|seed| Script::write(seed, crate::cuts::STEPS));
    assert!(scripts().any(|script| script.has.0) && scripts().any(|script| script.has.1));
    assert_has(scripts(), &everything);
    assert_has(scripts(), &late);
    assert_has(scripts(), &["Collect { sweep: true", "Collect { sweep: false", "Reopen"]);
}
