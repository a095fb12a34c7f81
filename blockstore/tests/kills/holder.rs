//! The holder: one session with one synced block that nothing else keeps, until told to publish it.

use crate::data::put_own;
use crate::line::Line;
use std::io::BufRead as _;
use tidemark_base::SeededEntropy;
use tidemark_blockstore::{Expect, NewRef, RefChange, Result, Store};

/// Holds until killed; publishes the block under its name for each line of input.
pub(crate) fn run(store: &Store, name: &str, seed: u64) -> Result<()> {
    let session = store.session(&[])?;
    let id = put_own(&session, &mut SeededEntropy::new(seed))?;
    Line::Held(id).say();
    // Ends when nobody is left to say anything.
    for _ in std::io::stdin().lock().lines() {
        let set = Some(NewRef { roots: vec![id], value: Vec::new() });
        session.publish(&[RefChange { name: name.to_owned(), expect: Expect::Any, set }])?;
        Line::Done.say();
    }
    Ok(())
}
