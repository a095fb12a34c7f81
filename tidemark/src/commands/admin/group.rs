//! `tidemark admin add-group`.

use crate::data::DataArg;
use crate::exit::Exit;
use crate::output::Output;
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::fmt;
use tidemark_base::{Clock as _, OsEntropy, SystemClock};
use tidemark_metadata::Name;

/// Make a group
#[derive(Debug, Args)]
pub(crate) struct AddGroupArgs {
    #[command(flatten)]
    data: DataArg,
    /// What people call it
    name: String,
}

#[derive(Serialize)]
struct Added {
    id: String,
    name: String,
}

impl fmt::Display for Added {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "made group {}, id {}", self.name, self.id)
    }
}

pub(super) fn run(args: &AddGroupArgs, out: Output) -> Result<Exit> {
    let metadata = args.data.metadata()?;
    let name = Name::new(args.name.as_str())?;
    let group = metadata.create_group(name, SystemClock::new().now(), &mut OsEntropy)?;
    out.result(&Added { id: group.id.to_string(), name: group.name.to_string() })?;
    Ok(Exit::Done)
}
