//! Writes the golden store of the present format version into an empty folder, and reads it back.
//!
//! Run by hand when a format gets a new version: `cargo run -p tidemark-blockstore --example write_golden --
//! <folder>`. The kept stores of older versions are never written again. The folder `locks/` is left out:
//! what is in it means nothing to anybody else.

use std::path::Path;
use std::sync::Arc;
use tidemark_blockstore::Store;

#[path = "../tests/golden_store/generator.rs"]
mod generator;
#[path = "../tests/golden_store/mod.rs"]
mod golden_store;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(folder) = std::env::args_os().nth(1) else {
        return Err("usage: write_golden <empty or missing folder>".into());
    };
    let folder = Path::new(&folder);
    generator::write(folder)?;
    let store = Store::new(Arc::new(golden_store::open(folder)?));
    let answers = golden_store::ask(&store, &golden_store::Contents::new()?);
    drop(store);
    if !answers.wrong.is_empty() || !answers.refused.is_empty() {
        return Err(format!("what was written is not what is read: {answers:?}").into());
    }
    std::fs::remove_dir_all(folder.join("locks"))?;
    Ok(())
}
