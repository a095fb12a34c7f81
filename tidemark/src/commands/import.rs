//! `tidemark head import`: a dump becomes the first state of a head.
//!
//! A dump that holds an oplog (`mongodump --oplog`) was copied while its source changed: its entries are put
//! aside while the documents are read, then stored and applied tolerantly, and the head is consistent behind
//! the last. It is the dump that says where it stands then; of others the operator may know it.

use super::applying::{Applied, Applying};
use crate::exit::{Exit, Problem};
use crate::oplog_file::OplogFile;
use crate::output::Output;
use crate::place::{HeadArg, short};
use crate::progress::Progress;
use crate::times::At;
use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Seek, Write};
use std::path::{Path, PathBuf};
use tidemark_base::bson::split;
use tidemark_base::{OpTime, Timestamp};
use tidemark_head::HeadError;
use tidemark_head::dump::{ArchiveReader, DirectoryReader, DumpError, Item, Namespace, Source, Versions};
use tidemark_head::head::{Head, HeadName, look_up};
use tidemark_head::import::{Copied, Import, of_dump};
use tidemark_oplog::filter::Filter;
use tidemark_oplog::slice::optime;

/// How much memory an import may use.
const BUDGET_BYTES: usize = 512 << 20;

const EXAMPLES: &str = "\
Examples:
  tidemark head import dump/ --store backup --name rs0 --optime 1795341091,408
  tidemark head import dump.archive.gz --store backup --name rs0
  mongodump --oplog --archive | tidemark head import - --store backup --name rs0
";

/// Import a dump of mongodump as a new head
///
/// A folder or an archive, plain or gzipped. The oplog of a dump made with --oplog is applied too, and says
/// where the dump stands; else give --optime here, or --after when oplog is applied.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ImportArgs {
    /// The dump: a folder, an archive, or - for an archive on standard input
    #[arg(value_name = "DUMP")]
    dump: PathBuf,
    #[command(flatten)]
    head: HeadArg,
    /// The position of the oplog that the data has
    #[arg(long, value_name = "T,I")]
    optime: Option<Timestamp>,
}

#[derive(Serialize)]
struct Imported {
    name: String,
    at: At,
    collections: u64,
    documents: u64,
    document_bytes: u64,
    /// What the dump's own oplog did.
    oplog: Option<Applied>,
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, at, collections, documents, document_bytes, oplog } = self;
        writeln!(f, "imported {collections} collections, {documents} documents, {document_bytes} bytes")?;
        match oplog {
            Some(applied) => write!(f, "{applied}"),
            None => write!(f, "{name} is at {at}"),
        }
    }
}

/// The entries of a dump's oplog, until the documents are in.
struct Aside {
    file: BufWriter<File>,
    first: Option<OpTime>,
    last: OpTime,
}

pub(super) fn run(args: &ImportArgs, out: Output) -> Result<Exit> {
    let store = args.head.open(out)?;
    let name = &args.head.name;
    match look_up(&store, name) {
        Err(HeadError::NoHead { .. }) => {}
        Err(error) => return Err(error.into()),
        Ok(_) => return Err(HeadError::HeadExists { name: name.head() }.into()),
    }
    let progress = Progress::bytes(out, "importing", None);
    let mut dump = Counted { inner: open(&args.dump)?, progress: &progress };
    let given = args.optime.map(|ts| OpTime { ts, term: OpTime::NO_TERM });
    let mut import = Import::begin(&store, given.unwrap_or(OpTime::NULL), Filter::default(), BUDGET_BYTES)?;
    let mut aside = Aside::new()?;
    let copied = of_dump(&mut import, &mut dump, &mut |entries| aside.keep(entries))?;
    let head = finish(import, name, given, &aside)?;
    let mut at = head.at();
    let mut oplog = None;
    if aside.first.is_some() {
        at = aside.last;
        oplog = Some(apply(head, aside, out, &progress)?);
    }
    drop(progress);
    if at.ts == Timestamp::ZERO {
        out.note(
            "the dump does not say where it stands in the oplog: say it with --after T,I when oplog is applied",
        );
    }
    let exit = oplog.as_ref().map_or(Exit::Done, Applied::exit);
    let Copied { collections, documents, bytes } = copied;
    out.result(&Imported {
        name: short(name),
        at: At::of(at),
        collections,
        documents,
        document_bytes: bytes,
        oplog,
    })?;
    Ok(exit)
}

/// Makes a head of what was read. A dump with an oplog stands before the first of its entries, and is
/// consistent behind the last, unless the operator knows better.
fn finish(mut import: Import, name: &HeadName, given: Option<OpTime>, aside: &Aside) -> Result<Head> {
    let Some(first) = aside.first else { return Ok(import.finish(name, None)?) };
    let at = given.unwrap_or_else(|| OpTime {
        ts: Timestamp::from_u64(first.ts.to_u64().saturating_sub(1)),
        term: OpTime::NO_TERM,
    });
    if given.is_none() {
        import.set_position(at)?;
    }
    Ok(import.finish(name, Some(aside.last.ts).filter(|last| *last > at.ts))?)
}

fn apply(head: Head, aside: Aside, out: Output, progress: &Progress) -> Result<Applied> {
    let mut applying = Applying::new(head, Timestamp::MAX, out, progress)?;
    let kept = OplogFile::new("the dump's oplog", aside.read()?)?;
    applying.take(kept).context("the dump is imported, but its oplog could not be applied")?;
    applying.finish()
}

fn open(dump: &Path) -> Result<Box<dyn Source>> {
    if dump == Path::new("-") {
        let input = io::stdin();
        if input.is_terminal() {
            return Err(
                Problem::Usage("no archive comes from a terminal: give a pipe or a file".into()).into()
            );
        }
        return Ok(Box::new(ArchiveReader::new(input.lock(), "standard input")?));
    }
    let shown = dump.display();
    let file = File::open(dump).with_context(|| format!("cannot open {shown}"))?;
    if file.metadata().with_context(|| format!("cannot look at {shown}"))?.is_dir() {
        return Ok(Box::new(DirectoryReader::new(dump)?));
    }
    Ok(Box::new(ArchiveReader::new(file, &shown.to_string())?))
}

impl Aside {
    fn new() -> Result<Self> {
        let file = tempfile::tempfile().context("cannot make a temporary file; is TMPDIR writable?")?;
        Ok(Self { file: BufWriter::new(file), first: None, last: OpTime::NULL })
    }

    fn keep(&mut self, entries: &[u8]) -> Result<(), HeadError> {
        for entry in split(entries) {
            let entry = entry.map_err(|problem| HeadError::Document {
                what: "an entry of the dump's oplog".to_owned(),
                problem: problem.into(),
            })?;
            self.last = optime(entry)?;
            self.first.get_or_insert(self.last);
        }
        self.file.write_all(entries).map_err(|source| {
            let (place, what) = ("a temporary file".to_owned(), "keep the dump's oplog");
            DumpError::Io { place, what, source }.into()
        })
    }

    fn read(self) -> Result<impl Read + 'static> {
        let mut file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok(file)
    }
}

/// A dump whose documents are counted as they go by.
struct Counted<'p> {
    inner: Box<dyn Source>,
    progress: &'p Progress,
}

impl Source for Counted<'_> {
    fn versions(&self) -> &Versions {
        self.inner.versions()
    }

    fn namespaces(&self) -> &[Namespace] {
        self.inner.namespaces()
    }

    fn next(&mut self) -> Result<Option<Item<'_>>, DumpError> {
        let item = self.inner.next()?;
        if let Some(Item::Documents { documents, .. }) = item {
            self.progress.add(documents.len() as u64);
        }
        Ok(item)
    }
}
