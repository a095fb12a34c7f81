//! What the processes tell the one who kills them: lines of text on standard output, each written at once
//! and only after what it says has happened, unless it says otherwise.

use std::io::Write as _;

/// One line. Positions are the seconds of an optime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// The head was claimed, with this epoch.
    Claimed(u64),
    /// A slice that ends here was acknowledged.
    Appended(u32),
    /// What was applied up to here was flushed or compacted.
    Flushed(u32),
    /// A snapshot, by its number, was taken of this position.
    Kept(u64, u32),
    /// A snapshot is about to be deleted.
    Deleting(u64),
    /// Something was tried and refused: the head was taken over. Own epoch, and that found.
    Fenced(u64, u64),
    /// The process gives up.
    Failed(String),
}

impl Line {
    /// Writes the line. Without anybody to read it there is no work left.
    pub(crate) fn say(&self) {
        let text = match self {
            Self::Claimed(epoch) => format!("claimed {epoch}"),
            Self::Appended(secs) => format!("appended {secs}"),
            Self::Flushed(secs) => format!("flushed {secs}"),
            Self::Kept(id, secs) => format!("kept {id} {secs}"),
            Self::Deleting(id) => format!("deleting {id}"),
            Self::Fenced(ours, found) => format!("fenced {ours} {found}"),
            Self::Failed(why) => format!("failed {}", why.replace('\n', " ")),
        };
        let mut out = std::io::stdout().lock();
        if out.write_all(format!("{text}\n").as_bytes()).and_then(|()| out.flush()).is_err() {
            std::process::exit(0);
        }
    }

    /// Reads a line without its end.
    pub(crate) fn parse(text: &str) -> Self {
        let (word, rest) = text.split_once(' ').unwrap();
        let mut numbers = rest.split(' ').map(|number| number.parse::<u64>());
        let mut number = || numbers.next().unwrap().unwrap();
        let secs = |number: u64| u32::try_from(number).unwrap();
        match word {
            "claimed" => Self::Claimed(number()),
            "appended" => Self::Appended(secs(number())),
            "flushed" => Self::Flushed(secs(number())),
            "kept" => Self::Kept(number(), secs(number())),
            "deleting" => Self::Deleting(number()),
            "fenced" => Self::Fenced(number(), number()),
            "failed" => Self::Failed(text.to_owned()),
            _ => panic!("a process says {text:?}"),
        }
    }
}
