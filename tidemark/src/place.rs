//! Where commands work: the store's folder, and a head in it.

use crate::output::Output;
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidemark_blockstore::{LocalBackend, Store};
use tidemark_head::HeadError;
use tidemark_head::head::HeadName;

/// The group of all heads that are made by hand.
pub(crate) const GROUP: &str = "local";

/// Which store.
#[derive(Debug, Args)]
pub(crate) struct StoreArg {
    /// The store's folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) store: PathBuf,
}

/// Which head.
#[derive(Debug, Args)]
pub(crate) struct HeadArg {
    #[command(flatten)]
    pub(crate) store: StoreArg,
    /// The head's name, for instance that of the replica set; one that a service made: GROUP/SET, by their ids
    #[arg(long, value_parser = name)]
    pub(crate) name: HeadName,
}

fn name(text: &str) -> Result<HeadName, HeadError> {
    let (group, head) = text.split_once('/').unwrap_or((GROUP, text));
    HeadName::new(group, head)
}

/// Opens a store, and tells what was wrong with it and put right.
pub(crate) fn open(folder: &Path, out: Output) -> anyhow::Result<Store> {
    let backend = LocalBackend::open(folder)?;
    for healed in backend.healed() {
        out.note(&healed.to_string());
    }
    Ok(Store::new(Arc::new(backend)))
}

impl StoreArg {
    pub(crate) fn open(&self, out: Output) -> anyhow::Result<Store> {
        open(&self.store, out)
    }
}

impl HeadArg {
    pub(crate) fn open(&self, out: Output) -> anyhow::Result<Store> {
        self.store.open(out)
    }
}

/// The name of a head as users give it: without its group if it was made by hand.
pub(crate) fn short(name: &HeadName) -> String {
    let mut parts = name.prefix().split('/').skip(1).step_by(2);
    match (parts.next(), parts.next()) {
        (Some(group), Some(head)) if group != GROUP => format!("{group}/{head}"),
        (_, head) => head.unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shown_as_it_is_given() {
        for text in ["rs0", "6740a/6740b"] {
            assert_eq!(short(&name(text).unwrap()), text);
        }
        for bad in ["a/b/c", "/b", "a/", "../x"] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }
}
