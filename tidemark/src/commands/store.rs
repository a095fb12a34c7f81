//! `tidemark store`: the folder as a whole, whatever lies in it.

use super::verify;
use crate::exit::Exit;
use crate::output::Output;
use crate::place;
use crate::progress::Progress;
use anyhow::Result;
use clap::Subcommand;
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};
use tidemark_blockstore::{GcOptions, GcReport, OpenOptions, RepairReport, Stats, repair};

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Make an empty store in a new or empty folder
    Init { folder: PathBuf },
    /// Show how large a store is, and what each ref in it reaches
    Stats { folder: PathBuf },
    /// Check that all is there and is what was written; exits with 3 if not
    Verify {
        folder: PathBuf,
        /// Checksums of what is stored only, without unpacking
        #[arg(long)]
        quick: bool,
    },
    /// Delete what nothing refers to any more
    ///
    /// What is found to be garbage is deleted by the collection after it, or at once with --sweep. Others may
    /// use the store meanwhile.
    Gc {
        folder: PathBuf,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
        /// Delete at once what is found
        #[arg(long, conflicts_with = "dry_run")]
        sweep: bool,
    },
    /// Rebuild the index from packs and journal; nobody else may use the store meanwhile
    ///
    /// Exits with 3 if places were found that hold nothing readable; everything else is kept.
    Repair { folder: PathBuf },
}

pub(crate) fn run(command: StoreCommand, out: Output) -> Result<Exit> {
    match command {
        StoreCommand::Init { folder } => init(&folder, out),
        StoreCommand::Stats { folder } => stats(&folder, out),
        StoreCommand::Verify { folder, quick } => verify::run(&folder, quick, out),
        StoreCommand::Gc { folder, dry_run, sweep } => collect(&folder, GcOptions { dry_run, sweep }, out),
        StoreCommand::Repair { folder } => rebuild(&folder, out),
    }
}

#[derive(Serialize)]
struct Made {
    folder: String,
    store: String,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "made store {} in {}", self.store, self.folder)
    }
}

fn init(folder: &Path, out: Output) -> Result<Exit> {
    let backend = OpenOptions::default().create(folder)?;
    let store = tidemark_blockstore::Backend::superblock(&backend).store.to_string();
    out.result(&Made { folder: folder.display().to_string(), store })?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Sizes {
    logical_bytes: u64,
    unique_bytes: u64,
    stored_bytes: u64,
    pack_bytes: u64,
    blocks: u64,
    packs: u64,
    dedup_ratio: f64,
    compression_ratio: f64,
    refs: Vec<RefSize>,
}

#[derive(Serialize)]
struct RefSize {
    name: String,
    logical_bytes: u64,
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>15} bytes as all refs see them", self.logical_bytes)?;
        writeln!(f, "{:>15} bytes, each block once ({:.2} times less)", self.unique_bytes, self.dedup_ratio)?;
        writeln!(f, "{:>15} bytes stored ({:.2} times less)", self.stored_bytes, self.compression_ratio)?;
        writeln!(f, "{:>15} bytes in {} packs, garbage too", self.pack_bytes, self.packs)?;
        writeln!(f, "{:>15} blocks", self.blocks)?;
        writeln!(f, "bytes by ref:")?;
        self.refs.iter().try_for_each(|it| writeln!(f, "{:>15} {}", it.logical_bytes, it.name))
    }
}

fn stats(folder: &Path, out: Output) -> Result<Exit> {
    let store = place::open(folder, out)?;
    let found = store.stats(&Progress::things(out, "measuring"))?;
    let (dedup_ratio, compression_ratio) = (found.dedup_ratio(), found.compression_ratio());
    let Stats { logical_bytes, unique_bytes, stored_bytes, pack_bytes, blocks, packs, refs } = found;
    let refs = refs.into_iter().map(|it| RefSize { name: it.name, logical_bytes: it.logical_bytes });
    out.result(&Sizes {
        logical_bytes,
        unique_bytes,
        stored_bytes,
        pack_bytes,
        blocks,
        packs,
        dedup_ratio,
        compression_ratio,
        refs: refs.collect(),
    })?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Collected {
    dry_run: bool,
    live_blocks: u64,
    live_bytes: u64,
    dead_bytes: u64,
    condemned_bytes: u64,
    reclaimed_bytes: u64,
    copied_bytes: u64,
    deleted_packs: u64,
    condemned_packs: u64,
    rewritten_packs: u64,
    kept_by_writers: u64,
    damaged: Vec<String>,
    no_room_to_copy: bool,
}

impl fmt::Display for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tense, were) = if self.dry_run { ("would be ", "would be") } else { ("", "were") };
        writeln!(f, "{:>15} bytes in use, {} blocks", self.live_bytes, self.live_blocks)?;
        writeln!(f, "{:>15} bytes garbage", self.dead_bytes)?;
        let (deleted, rewritten) = (self.deleted_packs, self.rewritten_packs);
        writeln!(f, "{:>15} bytes {tense}deleted, {deleted} packs", self.reclaimed_bytes)?;
        writeln!(f, "{:>15} bytes {tense}copied, {rewritten} packs {were} rewritten", self.copied_bytes)?;
        let condemned = self.condemned_packs;
        writeln!(f, "{:>15} bytes wait to be deleted, {condemned} more packs", self.condemned_bytes)?;
        if self.kept_by_writers > 0 {
            writeln!(f, "{} packs stay: writers need them", self.kept_by_writers)?;
        }
        if self.no_room_to_copy {
            writeln!(f, "the disk is too full to copy: free some space, or run it again")?;
        }
        self.damaged.iter().try_for_each(|it| writeln!(f, "left alone: {it}"))
    }
}

fn collect(folder: &Path, options: GcOptions, out: Output) -> Result<Exit> {
    let store = place::open(folder, out)?;
    let GcReport {
        figures,
        deleted_packs,
        condemned_packs,
        rewritten_packs,
        kept_by_writers,
        damaged,
        no_room_to_copy,
    } = store.collect(options, &Progress::things(out, "collecting"))?;
    let exit = if damaged.is_empty() { Exit::Done } else { Exit::Found };
    out.result(&Collected {
        dry_run: options.dry_run,
        live_blocks: figures.live_blocks,
        live_bytes: figures.live_bytes,
        dead_bytes: figures.dead_bytes,
        condemned_bytes: figures.condemned_bytes,
        reclaimed_bytes: figures.reclaimed_bytes,
        copied_bytes: figures.copied_bytes,
        deleted_packs,
        condemned_packs,
        rewritten_packs,
        kept_by_writers,
        damaged,
        no_room_to_copy,
    })?;
    Ok(exit)
}

#[derive(Serialize)]
struct Repaired {
    packs: u64,
    blocks: u64,
    refs: u64,
    damage: Vec<String>,
    left_out_last_publish: bool,
}

impl fmt::Display for Repaired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "index rebuilt: {} packs, {} blocks, {} refs", self.packs, self.blocks, self.refs)?;
        if self.left_out_last_publish {
            writeln!(f, "the last publish was incomplete and left out")?;
        }
        self.damage.iter().try_for_each(|it| writeln!(f, "damaged: {it}"))?;
        write!(f, "run `tidemark store verify` to see whether anything is missing")
    }
}

fn rebuild(folder: &Path, out: Output) -> Result<Exit> {
    let RepairReport { packs, blocks, refs, damage, left_out_last_publish } = repair(folder)?;
    let exit = if damage.is_empty() { Exit::Done } else { Exit::Found };
    out.result(&Repaired { packs, blocks, refs, damage, left_out_last_publish })?;
    Ok(exit)
}
