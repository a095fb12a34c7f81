//! A runner to be killed: starts a replica set of one, says where it is, and holds it until its input ends.
//!
//! Started by the tests in `tests/live.rs` that kill it in several ways and look what is left. Its output is
//! one line: the pid of the mongod, the pid of the watchdog, the run folder.

#![expect(clippy::print_stdout, reason = "its output is what the test reads")]

use std::error::Error;
use std::io::Read;

use tidemark_testkit::live;

fn main() -> Result<(), Box<dyn Error>> {
    let set = live::replica_set_of_one()?;
    let mongod = set.member(0);
    let pid = mongod.pid().ok_or("the mongod has no pid")?;
    println!("{pid} {} {}", mongod.watchdog_pid(), mongod.folder().display());
    // Ends with the test that started it, even if that forgets to kill it.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
