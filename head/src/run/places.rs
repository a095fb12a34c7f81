//! Where the items of a leaf begin: found once for a leaf that is held in memory, so that lookups need not walk.
//!
//! Finding them is a walk over all items, which checks that each is sound and that their keys ascend. What the node
//! above says is checked anew by each who comes by another way.

#![warn(clippy::indexing_slicing)]

use super::error::Problem;
use super::held::Leaf;
use super::index::Amount;
use super::leaf;
use super::record::RunKind;
use super::separator;
use crate::key::key_of_document;
use tidemark_base::bson::Doc;

/// What the node above says of a leaf.
pub(super) struct Said<'a> {
    pub(super) amount: Amount,
    pub(super) low: &'a [u8],
    pub(super) high: Option<&'a [u8]>,
}

/// A leaf of documents or patches whose places are known.
pub(super) struct Placed<'l> {
    kind: RunKind,
    plain: &'l [u8],
    places: &'l [u32],
}

impl<'l> Placed<'l> {
    /// Walks over the leaf, whose items begin at `start`, unless somebody did before.
    pub(super) fn open(
        kind: RunKind,
        leaf: &'l Leaf,
        start: usize,
        said: &Said<'_>,
    ) -> Result<Self, Problem> {
        let plain = leaf.block.bytes();
        let places = match leaf.places.get() {
            Some(places) => places,
            None => {
                let found = walk(kind, plain, start)?;
                leaf.places.get_or_init(|| found)
            }
        };
        let placed = Self { kind, plain, places };
        said.amount.check(Amount { items: places.len() as u64, ..said.amount })?;
        let mut key = Vec::new();
        if let (Some(first), Some(last)) = (places.first(), places.last()) {
            placed.key_at(*first, &mut key)?;
            if key.as_slice() < said.low {
                return Err(Problem::Range);
            }
            placed.key_at(*last, &mut key)?;
            if said.high.is_some_and(|high| separator::is_passed(high, &key)) {
                return Err(Problem::Range);
            }
        }
        Ok(placed)
    }

    /// How many items have smaller keys than `from`, and where the next one begins: at the end, if there is none.
    pub(super) fn find(&self, from: &[u8]) -> Result<(usize, usize), Problem> {
        let (mut before, mut behind) = (0, self.places.len());
        let mut key = Vec::new();
        while before < behind {
            let middle = before.midpoint(behind);
            let Some(place) = self.places.get(middle) else { break };
            self.key_at(*place, &mut key)?;
            if key.as_slice() < from {
                before = middle + 1;
            } else {
                behind = middle;
            }
        }
        Ok((before, self.places.get(before).map_or(self.plain.len(), |place| *place as usize)))
    }

    fn key_at(&self, place: u32, key: &mut Vec<u8>) -> Result<(), Problem> {
        key.clear();
        read_key(self.kind, self.plain, place as usize, key).map(drop)
    }
}

/// Appends the key of the item at `at`; where the next one begins, none at the end.
fn read_key(kind: RunKind, plain: &[u8], at: usize, key: &mut Vec<u8>) -> Result<Option<usize>, Problem> {
    let Some((item, next)) = leaf::item_at(kind, plain, at)? else { return Ok(None) };
    let part = |range| plain.get(range).unwrap_or_default();
    if kind == RunKind::Base {
        key_of_document(Doc::new(part(item.bytes))?, key)?;
    } else {
        key.extend_from_slice(part(item.key));
    }
    Ok(Some(next))
}

fn walk(kind: RunKind, plain: &[u8], start: usize) -> Result<Box<[u32]>, Problem> {
    let (mut places, mut at) = (Vec::new(), start);
    let (mut key, mut last) = (Vec::new(), Vec::new());
    while let Some(next) = read_key(kind, plain, at, &mut key)? {
        if !places.is_empty() && key <= last {
            return Err(Problem::Order);
        }
        places.push(u32::try_from(at).expect("blocks are far below 4 GiB"));
        std::mem::swap(&mut key, &mut last);
        key.clear();
        at = next;
    }
    Ok(places.into())
}
