//! Reading stored slices on from where a state stands.
//!
//! Called by whoever brings a head up to date, and by forks. It reads, checks that the slices go on from what
//! the state has taken in, and hands the entries on; applying them, and flushing in between, is the caller's. While
//! a slice is applied a later one is read and unpacked, and the first two at once: so three are held in memory.

use crate::error::{HeadError, Result};
use crate::state::{Position, is_lower};
use tidemark_base::bson::Doc;
use tidemark_base::{OpTime, Timestamp};
use tidemark_oplog::slice::{Digest, Link, optime};
use tidemark_oplog::store::{SliceStore, StoreError, Stored, Tip};

/// How many entries are handed on at once: what is made of them while they are applied is to stay near.
const PORTION: usize = 8 << 10;

/// Takes entries, and the end of their slice if they reach it.
pub type Each<'e> = &'e mut dyn FnMut(&[Doc<'_>], Option<Link>) -> Result<()>;

/// Hands on the entries of the line up to the tip, as far as `until`, inclusive, slice by slice. `position` is
/// where the state has come to; entries of the first slice may have been applied before, and are passed over when
/// they are applied again.
///
/// # Errors
/// [`HeadError::Fork`] if the slices do not go on from there; [`HeadError::Oplog`] if they are not all
/// there, or damaged; what `each` returns.
pub fn follow(
    slices: &SliceStore,
    tip: &Tip,
    position: Position,
    until: Timestamp,
    each: Each<'_>,
) -> Result<()> {
    let Position { at, taken_in } = position;
    let from = taken_in.map(|link| link.at.ts);
    let to = until.min(tip.link.at.ts);
    let line = slices.line(tip, from, to)?;
    let begin = match line.first() {
        Some(first) => first.header.previous,
        // What is asked for may have expired, and only later slices be left.
        None => slices.line_start(tip)?,
    };
    if taken_in.is_none() && begin.at.ts > at.ts && to > at.ts {
        let why = format!("it begins after {}", begin.at);
        return Err(StoreError::NotCovered { chain: tip.chain, from: at.ts, to, why }.into());
    }
    let Some(first) = line.first() else { return Ok(()) };
    if let Some(from) = taken_in.filter(|from| !goes_on(*from, first.header.previous)) {
        return Err(HeadError::Fork { expected: from.at, found: first.header.previous.at });
    }
    let mut slots = [(); 3].map(|()| (Unpacked::default(), Ok(())));
    let read = |(slice, outcome): &mut Slot, number: usize| {
        *outcome = line.get(number).map_or(Ok(()), |stored| slice.read(slices, stored));
    };
    let [first, second, _] = &mut slots;
    rayon::join(|| read(first, 0), || read(second, 1));
    for (number, stored) in line.iter().enumerate() {
        let [(slice, outcome), _, later] = &mut slots;
        // What stands before one that cannot be read was handed on.
        std::mem::replace(outcome, Ok(()))?;
        let mut handed_on = Ok(());
        rayon::in_place_scope(|scope| {
            scope.spawn(|_| read(later, number + 2));
            handed_on = slice.hand_on(stored, until, each);
        });
        handed_on?;
        slots.rotate_left(1);
    }
    Ok(())
}

/// A slice, and whether it could be read.
type Slot = (Unpacked, Result<()>);

/// The entries of a slice, checked, and where each ends.
#[derive(Default)]
struct Unpacked {
    plain: Vec<u8>,
    ends: Vec<usize>,
}

impl Unpacked {
    fn read(&mut self, slices: &SliceStore, stored: &Stored) -> Result<()> {
        Ok(slices.read_split(stored, &mut self.plain, &mut self.ends)?)
    }

    /// Hands on the entries as far as `until`, in portions.
    fn hand_on(&self, stored: &Stored, until: Timestamp, each: Each<'_>) -> Result<()> {
        let (mut start, mut entries) = (0, Vec::with_capacity(PORTION.min(self.ends.len())));
        for (number, portion) in (1..).zip(self.ends.chunks(PORTION)) {
            entries.clear();
            for end in portion {
                let entry = Doc::known(self.plain.get(start..*end).unwrap_or_default());
                if stored.header.last.ts > until && optime(entry)?.ts > until {
                    return each(&entries, None);
                }
                entries.push(entry);
                start = *end;
            }
            let is_end = number * PORTION >= self.ends.len();
            each(&entries, is_end.then(|| stored.header.end()))?;
        }
        Ok(())
    }
}

/// Whether slices that go on from `previous` go on from where a state has come to. A copy knows its position,
/// but no slice that ends there: slices reach back to it, and say of its term what they know.
fn goes_on(from: Link, previous: Link) -> bool {
    if from.digest != Digest::NONE {
        return previous == from;
    }
    let is_same_term = previous.at.term == from.at.term;
    let is_unknown = [previous.at.term, from.at.term].contains(&OpTime::NO_TERM);
    let is_before = previous.at.ts < from.at.ts && !is_lower(from.at, previous.at);
    is_same_term || is_unknown || is_before
}
