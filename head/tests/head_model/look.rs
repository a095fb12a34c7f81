//! Forks: each is the state that the ordered map had there, or is refused for the reason that holds.

use crate::dump;
use crate::past::Documents;
use crate::rig::{Rig, UUIDS, spelled};
use crate::step::{Export, From};
use bson::{Document, doc};
use tidemark_base::Timestamp;
use tidemark_base::bson::Doc;
use tidemark_head::fork::Fork;
use tidemark_head::run::Source;
use tidemark_head::state::State;
use tidemark_head::{HeadError, Result};

/// What must become of a fork at a point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The documents of this second.
    Of(u32),
    TooLate,
    TooEarly,
    /// A later root has come about without slices.
    NoEntries,
    Fuzzy,
}

impl Rig {
    /// Reads a state and exports it, or is refused.
    pub(crate) fn look(&mut self, from: From, export: Option<Export>) {
        match from {
            From::Memory => {
                self.check();
                let (state, documents) = (self.head.state(), &self.documents);
                export
                    .into_iter()
                    .for_each(|it| dump::check(state, &self.store, it, documents, self.tolerant));
            }
            From::Head => {
                let fork = Fork::of_head(&self.store, &self.name).unwrap();
                assert_eq!(fork.state().at().ts.secs, self.flushed);
                self.seen(fork, &self.past.at(self.flushed), export);
            }
            From::Snapshot(number) => {
                let Some(kept) = self.snapshots.get(number) else { return };
                let fork = Fork::of_snapshot(&self.store, &self.name, kept.id).unwrap();
                assert_eq!(fork.state().at(), kept.at);
                self.seen(fork, &kept.documents, export);
            }
            From::Moment { thousandths, whole_second } => {
                let secs = (self.secs + 2) * thousandths / 1000;
                self.look_at(Timestamp { secs, ordinal: if whole_second { u32::MAX } else { 1 } }, export);
            }
        }
    }

    /// Looks at moments all the way from before the beginning to behind the end.
    pub(crate) fn look_everywhere(&self) {
        let end = self.secs + 2;
        for secs in (0..end).step_by(end as usize / 16 + 1).chain([self.flushed, self.sent, self.secs]) {
            let ordinal = if secs % 2 == 0 { u32::MAX } else { 1 };
            self.look_at(Timestamp { secs, ordinal }, None);
        }
    }

    fn look_at(&self, until: Timestamp, export: Option<Export>) {
        let outcome = Fork::at(&self.store, &self.name, until);
        let verdict = self.verdict(until);
        let is_as_expected = matches!(
            (&outcome, verdict),
            (Ok(_), Verdict::Of(_))
                | (Err(HeadError::TooLate { .. }), Verdict::TooLate)
                | (Err(HeadError::TooEarly { .. }), Verdict::TooEarly)
                | (Err(HeadError::NoEntries { .. }), Verdict::NoEntries)
                | (Err(HeadError::Fuzzy { .. }), Verdict::Fuzzy)
        );
        assert!(is_as_expected, "at {until}: {:?}, not {verdict:?}", outcome.map(|it| it.state().at()));
        if let (Ok(fork), Verdict::Of(secs)) = (outcome, verdict) {
            assert!(fork.state().at().ts <= until);
            self.seen(fork, &self.past.at(secs), export);
        }
    }

    fn verdict(&self, until: Timestamp) -> Verdict {
        let at = |secs| Timestamp { secs, ordinal: 1 };
        let kept = self.snapshots.iter().filter(|it| !it.is_dead).map(|it| it.at.ts);
        let roots: Vec<_> = kept.chain([at(self.flushed)]).collect();
        let last = roots.iter().copied().chain([at(self.sent)]).max().unwrap();
        let Some(nearest) = roots.into_iter().filter(|it| *it <= until).max() else {
            return Verdict::TooEarly;
        };
        if until > last && !(until.ordinal == u32::MAX && until.secs == last.secs) {
            Verdict::TooLate
        } else if nearest.max(at(self.sent)) < until.min(last) {
            Verdict::NoEntries
        } else if self.tolerant {
            Verdict::Fuzzy
        } else {
            Verdict::Of(until.secs)
        }
    }

    fn seen(&self, mut fork: Fork, documents: &Documents, export: Option<Export>) {
        same(fork.state(), fork.session(), documents).unwrap();
        let found = fork.take_divergences();
        assert!(found.is_empty(), "{found:?}");
        let (state, session) = (fork.state(), fork.session());
        export.into_iter().for_each(|it| dump::check(state, session, it, documents, self.tolerant));
    }
}

/// What can be read of a state is what the map holds.
pub(crate) fn same(state: &State, source: &dyn Source, documents: &Documents) -> Result<()> {
    for (uuid, expected) in UUIDS.into_iter().zip(documents) {
        let mut found = Vec::new();
        let misfits = state.fold(source, uuid, &mut |document| {
            found.push(Document::from_reader(document).unwrap());
            Ok(())
        })?;
        assert!(misfits.is_empty(), "{misfits:?}");
        assert_eq!(found, expected.values().cloned().collect::<Vec<_>>());
        for (id, document) in expected {
            assert_eq!(get(state, source, uuid, *id)?, Some(document.to_vec().unwrap()));
        }
        for id in (0..12).filter(|id| !expected.contains_key(id)) {
            assert_eq!(get(state, source, uuid, id)?, None);
        }
    }
    Ok(())
}

fn get(
    state: &State,
    source: &dyn Source,
    uuid: tidemark_base::CollectionUuid,
    id: i32,
) -> Result<Option<Vec<u8>>> {
    let asked = doc! {"_id": spelled(id, 2)}.to_vec().unwrap();
    state.get(source, uuid, Doc::new(&asked).unwrap().first_element().unwrap().unwrap())
}
