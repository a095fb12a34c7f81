//! The holder: claims the head, applies what there is, and does what it is told by lines of input.

use crate::job::{Failure, catch_up};
use crate::line::Line;
use crate::log::name;
use std::io::BufRead as _;
use tidemark_base::UnixMillis;
use tidemark_blockstore::Store;
use tidemark_head::HeadError;
use tidemark_head::head::Head;

/// Does as told until there is nobody left to tell it anything.
pub(crate) fn run(store: &Store) -> Result<(), Failure> {
    let mut head = claim(store)?;
    for order in std::io::stdin().lock().lines() {
        let order = order.unwrap_or_default();
        let outcome = match order.as_str() {
            "claim" => {
                head = claim(store)?;
                continue;
            }
            "flush" => head.flush().map(drop),
            "compact" => head.compact().map(drop),
            "snapshot" => head.snapshot(&UnixMillis(0)).map(drop),
            "rewind" => head.rewind(1),
            other => panic!("nobody can {other:?}"),
        };
        match outcome {
            Ok(()) => Line::Flushed(head.at().ts.secs).say(),
            Err(HeadError::Fenced { ours, found, .. }) => Line::Fenced(ours, found).say(),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn claim(store: &Store) -> Result<Head, Failure> {
    let mut head = Head::claim(store, &name())?;
    catch_up(store, &mut head)?;
    Line::Claimed(head.epoch()).say();
    Ok(head)
}
