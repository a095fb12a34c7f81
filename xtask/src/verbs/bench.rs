//! `bench`: measurements that are kept. There is nothing to measure yet.

use crate::NOT_YET;
use std::process::ExitCode;

pub(crate) fn run(name: Option<&str>) -> ExitCode {
    if let Some(name) = name {
        eprintln!("there is no benchmark {name:?}");
    }
    eprintln!("there are no benchmarks yet: the first ones come with the blockstore");
    ExitCode::from(NOT_YET)
}
