//! Appending a slice: checked, stored, made durable, and only then made part of the chain.

use super::refs::Tip;
use super::{ATTEMPTS, Result, SliceStore, StoreError};
use crate::chain::{Judgement, judge};
use crate::slice::{Header, SliceReader};
use tidemark_base::BlockId;
use tidemark_blockstore::{BlockRef, Error, Expect, NewRef, RefChange, RefVersion, Session};

/// A slice is durable in the store, and part of the chain: its sender may forget it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is now.
    Now {
        /// Where the chain ends: with this slice.
        tip: Tip,
    },
    /// It was before: a resend.
    Before {
        /// Where the chain ends: with this slice or a later one.
        tip: Tip,
    },
}

impl Appended {
    /// Where the chain ends.
    #[must_use]
    pub const fn tip(&self) -> &Tip {
        match self {
            Self::Now { tip } | Self::Before { tip } => tip,
        }
    }
}

/// What an attempt came to.
enum Attempt {
    Done(Tip),
    Lost,
}

impl SliceStore {
    /// Appends a slice to the present chain. When it returns `Ok`, the slice is durable and part of the
    /// chain; a slice that is there already, just so, is answered alike, however often it is sent.
    ///
    /// Any number may append at once, through any number of processes: of slices that exclude each other
    /// one wins. The session may be shared and kept: all that it put is kept by refs when this returns, so
    /// the caller checkpoints it now and then without naming anything.
    ///
    /// # Errors
    /// [`StoreError::Given`] if the slice is not sound. [`StoreError::Refused`] with the tip for a gap, an
    /// overlap or a fork; nothing was stored. [`StoreError::NoChain`]. [`StoreError::Contended`] after many
    /// lost races. Failures of the store: the slice may be part of the chain or not, and the caller opens a
    /// new session and sends it again.
    pub fn append(&self, session: &Session, slice: &[u8]) -> Result<Appended> {
        let reader = SliceReader::open(slice).map_err(StoreError::given)?;
        reader.decode(&mut Vec::new()).map_err(StoreError::given)?;
        let header = reader.header();
        let mut block = None;
        for _ in 0..ATTEMPTS {
            let (tip, version) = self.required_tip()?;
            let known = match header.first.ts <= tip.link.at.ts {
                true => self.slice_at(tip.chain, header.first.ts)?,
                false => None,
            };
            match judge(&tip.link, known.as_ref().map(|known| &known.header), header) {
                Judgement::Appends => {}
                Judgement::Duplicate => return Ok(Appended::Before { tip }),
                why => return Err(StoreError::Refused { why, tip: Box::new(tip) }),
            }
            // Only now, so that what is refused leaves no garbage.
            let block = match block {
                Some(block) => block,
                None => *block.insert(put(session, slice)?),
            };
            if let Attempt::Done(tip) = self.publish(session, &tip, version, header, block)? {
                return Ok(Appended::Now { tip });
            }
        }
        Err(StoreError::Contended { prefix: self.names.prefix.clone() })
    }

    /// Makes the slice durable, then creates its ref and moves the tip to its end, both or neither.
    fn publish(
        &self,
        session: &Session,
        tip: &Tip,
        version: RefVersion,
        header: &Header,
        block: BlockId,
    ) -> Result<Attempt> {
        let tip = Tip { link: header.end(), ..*tip };
        let slice = RefChange {
            name: self.names.slice(tip.chain, header.first.ts),
            expect: Expect::Absent,
            set: Some(NewRef { roots: vec![block], value: header.encode() }),
        };
        let moved = RefChange {
            name: self.names.tip(),
            expect: Expect::Version(version),
            set: Some(NewRef { roots: Vec::new(), value: tip.encode() }),
        };
        // A publish syncs what its session put before it begins.
        match session.publish(&[slice, moved]) {
            Ok(_) => Ok(Attempt::Done(tip)),
            Err(Error::RefConflict { .. }) => Ok(Attempt::Lost),
            Err(error) => Err(error.into()),
        }
    }
}

fn put(session: &Session, slice: &[u8]) -> Result<BlockId> {
    let named = session.put(&[BlockRef::leaf(slice)])?;
    Ok(named.first().copied().expect("one name for one block"))
}
