//! What the processes tell the one who kills them: lines of text on standard output, each written at once
//! and only after what it says has happened.

use std::io::Write as _;
use tidemark_base::BlockId;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// The store is open.
    Opened,
    /// A block is synced that nothing but an open session keeps.
    Held(BlockId),
    /// A publish is about to begin: its value, and each ref's new root or none.
    Try(u64, Vec<(String, Option<BlockId>)>),
    /// The publish was acknowledged.
    Done,
    /// A collection ended: so many packs were deleted, so many rewritten.
    Collected(u64, u64),
    /// The process gives up.
    Failed(String),
}

impl Line {
    /// Writes the line. Without anybody to read it there is no work left.
    pub(crate) fn say(&self) {
        let text = match self {
            Self::Opened => "opened".to_owned(),
            Self::Held(id) => format!("held {id}"),
            Self::Try(value, changes) => {
                let change = |(name, root): &(String, Option<BlockId>)| match root {
                    Some(root) => format!(" {name}={root}"),
                    None => format!(" {name}=-"),
                };
                format!("try {value}{}", changes.iter().map(change).collect::<String>())
            }
            Self::Done => "done".to_owned(),
            Self::Collected(deleted, rewritten) => format!("collected {deleted} {rewritten}"),
            Self::Failed(why) => format!("failed {}", why.replace('\n', " ")),
        };
        let mut out = std::io::stdout().lock();
        if out.write_all(format!("{text}\n").as_bytes()).and_then(|()| out.flush()).is_err() {
            std::process::exit(0);
        }
    }

    /// Reads a line without its end.
    pub(crate) fn parse(text: &str) -> Self {
        let mut words = text.split(' ');
        match words.next().unwrap() {
            "opened" => Self::Opened,
            "held" => Self::Held(words.next().unwrap().parse().unwrap()),
            "try" => {
                let value = words.next().unwrap().parse().unwrap();
                let change = |word: &str| {
                    let (name, root) = word.split_once('=').unwrap();
                    (name.to_owned(), (root != "-").then(|| root.parse().unwrap()))
                };
                Self::Try(value, words.map(change).collect())
            }
            "done" => Self::Done,
            "collected" => {
                let mut number = || words.next().unwrap().parse().unwrap();
                Self::Collected(number(), number())
            }
            "failed" => Self::Failed(text.to_owned()),
            _ => panic!("a process says {text:?}"),
        }
    }
}
