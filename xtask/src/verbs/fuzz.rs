//! `fuzz`: hostile bytes for every decoder. There is no decoder of a format of ours yet.

use crate::NOT_YET;
use std::process::ExitCode;

pub(crate) fn run(target: Option<&str>, minutes: Option<u32>) -> ExitCode {
    if let Some(target) = target {
        let how_long = minutes.map(|it| format!(" to run for {it} min")).unwrap_or_default();
        eprintln!("there is no fuzz target {target:?}{how_long}");
    }
    eprintln!("there are no fuzz targets yet: the first ones come with the blockstore's record format");
    ExitCode::from(NOT_YET)
}
