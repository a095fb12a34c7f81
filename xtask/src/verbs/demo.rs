//! `demo`: a small Tidemark to look at. There is no server to show yet.

use crate::NOT_YET;
use std::process::ExitCode;

pub(crate) fn run() -> ExitCode {
    eprintln!("there is no demo yet: it needs an agent, a daemon and a front-end, and none is written");
    ExitCode::from(NOT_YET)
}
