//! What a collection should do with each pack: a pure function of the packs and of what is in use.

use super::{GcFigures, GcReport};
use crate::ids::PackId;
use crate::pack::PACK_HEADER_LEN;
use crate::state::collect::Begun;
use crate::state::packs::{PackRow, PackState};
use crate::walk::Marks;
use tidemark_base::limits::PACK_TARGET_BYTES;

/// A live pack is rewritten when less than this part of it is in use, in percent (design part 4).
const REWRITE_BELOW_PERCENT: u64 = 70;
/// A pack shorter than this is small, in bytes.
const SMALL_PACK_BYTES: u64 = PACK_TARGET_BYTES / 4;
/// Small packs are merged when there are this many, so that each byte is copied a bounded number of times.
const MERGE_SMALL_PACKS: usize = 8;

/// What to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Condemned by an earlier collection and not used since: delete.
    pub(super) delete: Vec<PackId>,
    /// Condemned, yet in use: bring back.
    pub(super) absolve: Vec<PackId>,
    /// Without use: condemn.
    pub(super) condemn: Vec<PackId>,
    /// With little use: copy the rest out, least used first.
    pub(super) rewrite: Vec<PackId>,
}

impl Plan {
    /// Decides.
    pub(super) fn make(begun: &Begun, packs: &[(PackId, PackRow)], marks: &Marks) -> Self {
        let mut plan = Self::default();
        let mut sparse = Vec::new();
        let mut small = Vec::new();
        for (id, pack) in packs {
            let used = marks.packs.get(id).map_or(0, |marks| marks.bytes);
            match pack.state {
                PackState::Open => {}
                PackState::Deleting => plan.delete.push(*id),
                PackState::Condemned if used > 0 => plan.absolve.push(*id),
                PackState::Condemned if pack.condemned_at < begun.cycle => plan.delete.push(*id),
                PackState::Condemned => {}
                PackState::Live if pack.touch_epoch >= begun.safe_before => {}
                PackState::Live if used == 0 => plan.condemn.push(*id),
                PackState::Live => {
                    if used * 100 < record_bytes(pack) * REWRITE_BELOW_PERCENT {
                        sparse.push((used, *id));
                    } else if pack.len_bytes < SMALL_PACK_BYTES {
                        small.push((used, *id));
                    }
                }
            }
        }
        if small.len() >= MERGE_SMALL_PACKS {
            sparse.append(&mut small);
        }
        sparse.sort_unstable();
        plan.rewrite = sparse.into_iter().map(|(_, id)| id).collect();
        plan
    }

    /// The report of a collection that has not done anything yet.
    pub(super) fn report(&self, packs: &[(PackId, PackRow)], marks: &Marks) -> GcReport {
        let mut figures =
            GcFigures { live_blocks: marks.blocks, live_bytes: marks.stored_bytes, ..GcFigures::default() };
        for (id, pack) in packs {
            let used = marks.packs.get(id).map_or(0, |marks| marks.bytes);
            match pack.state {
                PackState::Open | PackState::Live => {
                    figures.dead_bytes += record_bytes(pack).saturating_sub(used);
                }
                PackState::Condemned | PackState::Deleting => figures.condemned_bytes += pack.len_bytes,
            }
        }
        GcReport { figures, ..GcReport::default() }
    }
}

/// Bytes of a pack's records, without its header.
fn record_bytes(pack: &PackRow) -> u64 {
    pack.len_bytes.saturating_sub(u64::from(PACK_HEADER_LEN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Epoch, SessionId};

    fn pack(state: PackState, touched: u64, len_bytes: u64) -> PackRow {
        PackRow {
            state,
            touch_epoch: Epoch(touched),
            session: SessionId(0),
            len_bytes,
            records: 1,
            condemned_at: Epoch(4),
        }
    }

    fn plan(packs: &[(PackId, PackRow)], used: &[(u64, u64)]) -> Plan {
        let begun = Begun { cycle: Epoch(5), safe_before: Epoch(3), roots: Vec::new() };
        let mut marks = Marks::default();
        for (id, bytes) in used {
            marks.packs.entry(PackId(*id)).or_default().bytes = *bytes;
        }
        Plan::make(&begun, packs, &marks)
    }

    const FULL: u64 = 64 << 20;

    #[test]
    fn a_pack_touched_since_the_oldest_session_began_stays() {
        let packs =
            [(PackId(1), pack(PackState::Live, 2, FULL)), (PackId(2), pack(PackState::Live, 3, FULL))];
        assert_eq!(plan(&packs, &[]).condemn, [PackId(1)]);
    }

    #[test]
    fn open_packs_are_left_alone() {
        assert_eq!(plan(&[(PackId(1), pack(PackState::Open, 0, FULL))], &[]), Plan::default());
    }

    #[test]
    fn a_condemned_pack_goes_in_a_later_collection_unless_it_is_used() {
        let mut fresh = pack(PackState::Condemned, 0, FULL);
        fresh.condemned_at = Epoch(5);
        let packs = [
            (PackId(1), pack(PackState::Condemned, 0, FULL)),
            (PackId(2), pack(PackState::Condemned, 0, FULL)),
            (PackId(3), fresh),
        ];
        let plan = plan(&packs, &[(2, 10)]);
        assert_eq!((plan.delete, plan.absolve), (vec![PackId(1)], vec![PackId(2)]));
    }

    #[test]
    fn packs_less_than_70_percent_in_use_are_rewritten_least_used_first() {
        let packs: Vec<_> = (1..=3).map(|id| (PackId(id), pack(PackState::Live, 0, 100_000_048))).collect();
        let plan = plan(&packs, &[(1, 69_999_999), (2, 70_000_000), (3, 1000)]);
        assert_eq!(plan.rewrite, [PackId(3), PackId(1)]);
    }

    #[test]
    fn small_packs_are_merged_once_there_are_eight() {
        let small =
            |count| (1..=count).map(|id| (PackId(id), pack(PackState::Live, 0, 1048))).collect::<Vec<_>>();
        let used: Vec<_> = (1..=8).map(|id| (id, 1000)).collect();
        assert!(plan(&small(7), &used).rewrite.is_empty());
        assert_eq!(plan(&small(8), &used).rewrite.len(), 8);
    }
}
