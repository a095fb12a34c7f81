//! `tidemark store verify`: the blocks, and then what the refs say: heads, snapshots, chains of oplog slices.

use super::head::names;
use crate::exit::Exit;
use crate::output::Output;
use crate::place;
use crate::progress::Progress;
use anyhow::Result;
use serde::Serialize;
use std::fmt;
use std::path::Path;
use tidemark_blockstore::{Depth, Store};
use tidemark_head::head::HeadName;
use tidemark_head::root::Root;
use tidemark_head::{catalog, head, snapshot};

#[derive(Serialize)]
struct Verified {
    packs: u64,
    records: u64,
    bytes: u64,
    reached_blocks: u64,
    damage: Vec<Damage>,
}

#[derive(Serialize)]
struct Damage {
    #[serde(skip_serializing_if = "Option::is_none")]
    block: Option<String>,
    problem: String,
    /// Refs that reach it.
    hurts: Vec<String>,
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { packs, records, bytes, reached_blocks, damage } = self;
        writeln!(
            f,
            "checked {packs} packs, {records} blocks, {bytes} bytes; {reached_blocks} blocks in use"
        )?;
        if damage.is_empty() {
            return f.write_str("all is well");
        }
        for Damage { block, problem, hurts } in damage {
            let of = block.as_deref().map_or_else(String::new, |it| format!("block {it}: "));
            writeln!(f, "damaged: {of}{problem}")?;
            hurts.iter().try_for_each(|name| writeln!(f, "  hurts {name}"))?;
        }
        write!(f, "{} damaged places", damage.len())
    }
}

pub(super) fn run(folder: &Path, quick: bool, out: Output) -> Result<Exit> {
    let store = place::open(folder, out)?;
    let depth = if quick { Depth::Quick } else { Depth::Full };
    let found = store.verify(depth, &Progress::things(out, "checking packs"))?;
    let damage = found.damage.into_iter().map(|it| Damage {
        block: it.block.map(|it| it.to_string()),
        problem: it.problem,
        hurts: it.hurts,
    });
    let mut damage: Vec<Damage> = damage.collect();
    for name in names(&store)? {
        damage.extend(of_head(&store, &name));
    }
    let exit = if damage.is_empty() { Exit::Done } else { Exit::Found };
    out.result(&Verified {
        packs: found.packs,
        records: found.records,
        bytes: found.bytes,
        reached_blocks: found.reached_blocks,
        damage,
    })?;
    Ok(exit)
}

/// What the refs of a head say, and the blocks they name at once.
fn of_head(store: &Store, name: &HeadName) -> Vec<Damage> {
    let mut found = Vec::new();
    let mut note = |of: String, problem: String| {
        found.push(Damage { block: None, problem, hurts: vec![of] });
    };
    let root = |root| -> Result<(), tidemark_head::HeadError> {
        let root = Root::read(store, root)?;
        catalog::read(store, root.catalog.as_ref()).map(drop)
    };
    if let Err(error) = head::look_up(store, name).and_then(|found| root(found.root)) {
        note(name.head(), error.to_string());
    }
    match snapshot::list(store, name) {
        Ok(snapshots) => {
            for (id, snapshot) in snapshots {
                if let Err(error) = root(snapshot.root) {
                    note(name.snapshot(id), error.to_string());
                }
            }
        }
        Err(error) => note(name.snapshots(), error.to_string()),
    }
    match name.slices(store).check() {
        Ok(findings) => {
            findings.iter().for_each(|it| note(format!("{}/oplog", name.prefix()), it.to_string()));
        }
        Err(error) => note(format!("{}/oplog", name.prefix()), error.to_string()),
    }
    found
}
