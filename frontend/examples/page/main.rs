//! The page in a real browser: each of its states is made, shown by a headless Chromium, held against what must hold
//! for every page, and kept as a picture for people to look at.
//!
//! `cargo xtask page` runs it with the folder for the pictures. No test, since a browser is nothing that tests need. The
//! site is that of the tests of the public side, behind the real listener with TLS; what the pages say is for those
//! tests. Fails on a request to another host, a complaint of the browser's, text that runs over the edge of a phone or
//! can hardly be read, and fields without a name.

#![expect(clippy::print_stdout, reason = "a command for people")]
#![expect(clippy::unwrap_used, reason = "makes states as the tests do, with their means")]

mod browser;
#[path = "../../tests/public/rig.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod rig;
mod served;
#[path = "../../tests/public/states.rs"]
mod states;
mod tour;
#[path = "../../tests/public/unreadable.rs"]
mod unreadable;

use served::Served;
use std::path::Path;
use tour::Tour;

/// What goes wrong here ends it, whatever it is.
type Failure = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Failure>;

fn main() -> Result<()> {
    let folder =
        std::env::args().nth(1).ok_or("started by `cargo xtask page`, with a folder for pictures")?;
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let served = runtime.block_on(async { Served::start() })?;
    let mut tour = Tour::new(&served, folder)?;
    let gone_through = tour.go_through();
    let faults = tour.faults();
    faults.iter().for_each(|it| println!("{it}"));
    gone_through?;
    match faults.len() {
        0 => Ok(()),
        count => Err(format!("{count} faults: see above, and the pictures in {}", folder.display()).into()),
    }
}
