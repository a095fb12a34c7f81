//! Checking that a store holds what it says: every record, every index row, everything that refs reach.
//!
//! Damage never ends a check: it is listed, with the refs that it hurts. Called by the operator's commands
//! and by the daemon's grooming.

use crate::codec;
use crate::error::{Error, Place, Result};
use crate::ids::PackId;
use crate::observer::{Observer, Stage};
use crate::pack::{self, Scanned};
use crate::record::{HEADER_LEN, HEADER_LEN_U32};
use crate::state::blocks;
use crate::state::packs::{self, PackRow, PackState};
use crate::store::Store;
use crate::{node::Node, walk};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};
use tidemark_base::{BlockId, BlockKind};

/// How much is checked of each record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Stored checksums.
    Quick,
    /// Stored checksums, decompression and the block's name.
    Full,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The block, if it is known which.
    pub block: Option<BlockId>,
    /// What is wrong and where.
    pub problem: String,
    /// The refs that reach the block.
    pub hurts: Vec<String>,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Packs read.
    pub packs: u64,
    /// Records read.
    pub records: u64,
    /// Bytes of records read.
    pub bytes: u64,
    /// Blocks that refs reach.
    pub reached_blocks: u64,
    /// All that is wrong.
    pub damage: Vec<Damage>,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.damage.is_empty()
    }
}

/// Findings by block; without one for what belongs to none.
type Findings = BTreeMap<Option<BlockId>, Vec<String>>;

impl Store {
    /// Checks the whole store: every record of every pack, the index, and everything that refs reach.
    ///
    /// # Errors
    /// Only what prevents checking at all: [`Error::Cancelled`], failures of the index.
    pub fn verify(&self, depth: Depth, observer: &dyn Observer) -> Result<VerifyReport> {
        let mut rows = Vec::new();
        self.backend.read(&mut |txn| {
            rows = packs::all(txn)?;
            Ok(())
        })?;
        rows.retain(|(_, pack)| pack.state != PackState::Deleting && pack.records > 0);
        let mut findings = Findings::new();
        for problem in self.backend.audit()? {
            findings.entry(None).or_default().push(problem);
        }
        let mut report = VerifyReport { packs: rows.len() as u64, ..VerifyReport::default() };
        let mut indexed = HashMap::new();
        let mut done = 0;
        // A few packs at a time: whoever puts or gets meanwhile needs the same threads, and is not let in
        // before what was begun is done.
        for part in rows.chunks(rayon::current_num_threads()) {
            let checked: Vec<PackCheck> = part
                .par_iter()
                .map(|(id, pack)| self.check_pack(*id, pack, depth, observer))
                .collect::<Result<_>>()?;
            let mut bytes = 0;
            for ((id, _), pack) in part.iter().zip(checked) {
                report.records += pack.records;
                bytes += pack.bytes;
                indexed.insert(*id, pack.indexed);
                for (block, problem) in pack.findings {
                    findings.entry(block).or_default().push(problem);
                }
            }
            report.bytes += bytes;
            done += part.len() as u64;
            observer.progress(Stage::Verify, done, Some(rows.len() as u64));
            observer.pace(bytes, self.others(None)?);
        }
        self.check_index(&indexed, observer, &mut findings)?;
        self.check_refs(observer, &mut findings, &mut report)?;
        Ok(report)
    }

    /// Checks everything that the given roots reach, decompressing and naming every block.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub fn verify_roots(&self, roots: &[BlockId], observer: &dyn Observer) -> Result<VerifyReport> {
        let mut report = VerifyReport::default();
        let mut seen: HashSet<BlockId> = roots.iter().copied().collect();
        let mut todo: Vec<BlockId> = seen.iter().copied().collect();
        while !todo.is_empty() {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let batch = todo.split_off(todo.len().saturating_sub(256));
            let before = report.bytes;
            for (id, block) in batch.iter().zip(self.get(&batch)) {
                report.records += 1;
                match block.and_then(|block| children(*id, &block)) {
                    Ok((bytes, children)) => {
                        report.bytes += bytes;
                        todo.extend(children.into_iter().filter(|child| seen.insert(*child)));
                    }
                    Err(e) => report.damage.push(Damage {
                        block: Some(*id),
                        problem: e.to_string(),
                        hurts: Vec::new(),
                    }),
                }
            }
            observer.progress(Stage::Verify, report.records, None);
            observer.pace(report.bytes - before, self.others(None)?);
        }
        report.reached_blocks = seen.len() as u64;
        Ok(report)
    }

    /// Checks every record of a pack, and that the index agrees with it.
    fn check_pack(
        &self,
        id: PackId,
        pack: &PackRow,
        depth: Depth,
        observer: &dyn Observer,
    ) -> Result<PackCheck> {
        let mut check = PackCheck::default();
        let read = |offset, len| self.backend.read_pack(id, offset, len);
        let header = read(0, pack::PACK_HEADER_LEN)?.unwrap_or_default();
        if let Err(e) = pack::check_header(&header, self.superblock().store, id) {
            check.findings.push((None, e.to_string()));
        }
        pack::scan(id, pack.len_bytes, &read, |found| {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            match found {
                Scanned::Damage { offset, len_bytes, problem } => {
                    check
                        .findings
                        .push((None, format!("pack {id} at {offset}, {len_bytes} bytes: {problem}")));
                }
                Scanned::Record { place, header } => {
                    let bytes = read(place.offset, HEADER_LEN_U32 + header.stored_len)?.unwrap_or_default();
                    check.records += 1;
                    check.bytes += bytes.len() as u64;
                    let payload = bytes.get(HEADER_LEN..).unwrap_or_default();
                    let sound = match depth {
                        Depth::Quick => header.check_payload(payload).map_err(|e| e.to_string()),
                        Depth::Full => {
                            codec::decode(header.id, place, &bytes).map(drop).map_err(|e| e.to_string())
                        }
                    };
                    check.found.push(Found { id: header.id, place, problem: sound.err() });
                }
            }
            Ok(())
        })?;
        self.check_rows(&mut check)?;
        if !check.findings.is_empty() && !self.is_there(id)? {
            // A collection has deleted the pack meanwhile: nothing in it matters any more.
            return Ok(PackCheck::default());
        }
        Ok(check)
    }

    fn is_there(&self, id: PackId) -> Result<bool> {
        let mut there = false;
        self.backend.read(&mut |txn| {
            there = packs::load(txn, id)?.is_some_and(|pack| pack.state != PackState::Deleting);
            Ok(())
        })?;
        Ok(there)
    }

    /// Counts the pack's records to which the index points, and finds out whom damaged ones concern.
    fn check_rows(&self, check: &mut PackCheck) -> Result<()> {
        for found in std::mem::take(&mut check.found).chunks(4096) {
            let ids: Vec<BlockId> = found.iter().map(|found| found.id).collect();
            for (found, row) in found.iter().zip(self.locate(&ids)?) {
                // The exact place: a record that was moved or copied is not where it is looked for.
                let used = row.is_some_and(|row| row.place == found.place);
                check.indexed += u64::from(used);
                if let Some(problem) = &found.problem {
                    // A record that nobody uses says nothing against the block it names, unless there is no
                    // other.
                    let id = Some(found.id).filter(|_| used || row.is_none());
                    check.findings.push((id, format!("{}, block {}: {problem}", found.place, found.id)));
                }
            }
        }
        Ok(())
    }

    /// Finds index rows that point to no record: looks closely at the packs to which more rows point than
    /// were found to point to a record, by pack in `indexed`.
    fn check_index(
        &self,
        indexed: &HashMap<PackId, u64>,
        observer: &dyn Observer,
        findings: &mut Findings,
    ) -> Result<()> {
        let mut rows: HashMap<PackId, u64> = HashMap::new();
        self.backend.read(&mut |txn| {
            rows.clear();
            blocks::for_each(txn, |_, row| {
                *rows.entry(row.place.pack).or_default() += 1;
                Ok(())
            })
        })?;
        rows.retain(|pack, rows| *rows > indexed.get(pack).copied().unwrap_or(0));
        if rows.is_empty() {
            return Ok(());
        }
        let mut ids = Vec::new();
        self.backend.read(&mut |txn| {
            ids.clear();
            blocks::for_each(txn, |id, row| {
                if rows.contains_key(&row.place.pack) {
                    ids.push(id);
                }
                Ok(())
            })
        })?;
        for batch in ids.chunks(256) {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let mut bytes = 0;
            for (id, block) in batch.iter().zip(self.get(batch)) {
                match block {
                    Ok(block) => bytes += block.bytes().len() as u64,
                    // A collection may have removed the block meanwhile.
                    Err(Error::Missing { .. }) => {}
                    Err(e) => findings.entry(Some(*id)).or_default().push(e.to_string()),
                }
            }
            observer.pace(bytes, self.others(None)?);
        }
        Ok(())
    }

    /// Finds what refs reach but cannot have, and names the refs that each damaged block hurts.
    fn check_refs(
        &self,
        observer: &dyn Observer,
        findings: &mut Findings,
        report: &mut VerifyReport,
    ) -> Result<()> {
        let roots: Vec<BlockId> =
            self.list_refs("")?.into_iter().flat_map(|(_, found)| found.roots).collect();
        let mut missing = HashSet::new();
        let marks = walk::reach(self, &roots, observer, &mut |id, error| {
            if matches!(error, Error::Missing { .. }) {
                missing.insert(id);
            }
            findings.entry(Some(id)).or_default().push(error.to_string());
            Ok(())
        })?;
        report.reached_blocks = marks.blocks;
        let damaged: HashSet<BlockId> = findings.keys().flatten().copied().collect();
        let mut hurt = HashMap::new();
        if !damaged.is_empty() {
            let mut memo = HashMap::new();
            for (name, found) in self.list_refs("")? {
                for block in self.damage_below(&found.roots, &damaged, &mut memo) {
                    hurt.entry(block).or_insert_with(Vec::new).push(name.clone());
                }
            }
        }
        // What is missing, but reached by no ref any more, went with its ref while this walked.
        findings.retain(|block, _| block.is_none_or(|id| !missing.contains(&id) || hurt.contains_key(&id)));
        for (block, problems) in std::mem::take(findings) {
            let mut hurts = block.and_then(|block| hurt.get(&block).cloned()).unwrap_or_default();
            hurts.dedup();
            report.damage.push(Damage { block, problem: problems.join("; "), hurts });
        }
        Ok(())
    }

    /// The damaged blocks that roots reach. `memo` keeps what was found for each node.
    fn damage_below(
        &self,
        roots: &[BlockId],
        damaged: &HashSet<BlockId>,
        memo: &mut HashMap<BlockId, HashSet<BlockId>>,
    ) -> HashSet<BlockId> {
        // Depth first with a stack of our own: (block, its children once they are known).
        let mut stack: Vec<(BlockId, Option<Vec<BlockId>>)> = roots.iter().map(|id| (*id, None)).collect();
        while let Some((id, known)) = stack.pop() {
            if known.is_none() && memo.contains_key(&id) {
                continue;
            }
            match known {
                Some(children) => {
                    let mut below: HashSet<BlockId> =
                        children.iter().filter_map(|child| memo.get(child)).flatten().copied().collect();
                    below.extend(damaged.get(&id));
                    memo.insert(id, below);
                }
                None => {
                    let own: HashSet<BlockId> = damaged.get(&id).copied().into_iter().collect();
                    memo.insert(id, own);
                    let is_node = self
                        .locate(&[id])
                        .is_ok_and(|rows| rows.iter().flatten().any(|row| row.kind == BlockKind::Node));
                    let below = is_node.then(|| self.get_one(id).and_then(|block| children(id, &block)));
                    if let Some(Ok((_, children))) = below {
                        stack.push((id, Some(children.clone())));
                        stack.extend(children.into_iter().map(|child| (child, None)));
                    }
                }
            }
        }
        roots.iter().filter_map(|root| memo.get(root)).flatten().copied().collect()
    }
}

/// A block's length, and its children if it is a node.
fn children(id: BlockId, block: &codec::Block) -> Result<(u64, Vec<BlockId>)> {
    let children = match block.kind() {
        BlockKind::Leaf => Vec::new(),
        BlockKind::Node => Node::decode(block.bytes())
            .map_err(|e| Error::BadRow { place: format!("node {id}"), problem: e.to_string() })?
            .children()
            .collect(),
    };
    Ok((block.bytes().len() as u64, children))
}

/// A record with a sound header, and what else is wrong with it.
struct Found {
    id: BlockId,
    place: Place,
    problem: Option<String>,
}

/// What was found in one pack.
#[derive(Default)]
struct PackCheck {
    records: u64,
    bytes: u64,
    /// Records to which the index points.
    indexed: u64,
    /// Every record with a sound header.
    found: Vec<Found>,
    findings: Vec<(Option<BlockId>, String)>,
}
