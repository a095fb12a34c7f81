//! `tidemark export`: a state as a dump that mongorestore reads.

use super::divergences::Divergences;
use super::origin::{self, OriginArgs};
use super::target::{ArchiveTarget, check_folder, sync_folder};
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::place::{HeadArg, short};
use crate::progress::Progress;
use crate::times::At;
use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};
use tidemark_head::dump::plan::{Plan, Why};
use tidemark_head::dump::{
    ArchiveWriter, Compression, DirectoryWriter, DumpError, Namespace, Part, Sink, Target, Versions, Walked,
};
use tidemark_head::export;
use tidemark_head::fork::Fork;
use tidemark_oplog::filter::Filter;

const EXAMPLES: &str = "\
Examples:
  tidemark export --store backup --name rs0 --out dump
  tidemark export --store backup --name rs0 --snapshot 7 --ns shop --ns crm.customers --out dump --gzip
  tidemark export --store backup --name rs0 --time 2026-11-22T10:00:00+01:00 --archive - | mongorestore --archive
";

/// Write a state as a dump: that of the head, of a snapshot, or of a point in time
///
/// The head itself is written if neither --snapshot nor --time is given. The same state, choice and format
/// give the same bytes. Exits with 3 if operations did not fit the data: what was written is all there is,
/// but it is not what the source had.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[group(id = "target", required = true, multiple = false, args = ["out", "archive"])]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    head: HeadArg,
    #[command(flatten)]
    origin: OriginArgs,
    /// Write a folder, as `mongodump --out` does; it must be new or empty
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write an archive, as `mongodump --archive` does; - is standard output
    #[arg(long, value_name = "FILE|-")]
    archive: Option<PathBuf>,
    /// Only this database, or this collection of one; may be given again. Users and roles are left out then
    #[arg(long, value_name = "DB[.COLL]")]
    ns: Vec<String>,
    /// Pack with gzip: an archive as a whole, of a folder each file
    #[arg(long)]
    gzip: bool,
    /// The version of the server to restore for, as the dump says it; newer restore tools ask for it
    #[arg(long, value_name = "X.Y.Z", value_parser = version)]
    server_version: Option<String>,
}

/// Three numbers.
fn version(text: &str) -> Result<String, &'static str> {
    let numbers: Vec<&str> = text.split('.').collect();
    let is_number =
        |it: &&str| !it.is_empty() && it.len() < 6 && it.bytes().all(|byte| byte.is_ascii_digit());
    match numbers.len() == 3 && numbers.iter().all(is_number) {
        true => Ok(text.to_owned()),
        false => Err("a version is three numbers, for instance 6.0.5"),
    }
}

#[derive(Serialize)]
struct Exported {
    name: String,
    at: At,
    to: String,
    namespaces: Vec<String>,
    document_bytes: u64,
    left_out: Vec<Missing>,
    divergences: Divergences,
}

#[derive(Serialize)]
struct Missing {
    namespace: String,
    why: &'static str,
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespaces, document_bytes, to, .. } = self;
        writeln!(
            f,
            "exported {} namespaces, {document_bytes} bytes of documents, to {to}",
            namespaces.len()
        )?;
        write!(f, "{}", self.divergences)
    }
}

pub(crate) fn run(args: &ExportArgs, out: Output) -> Result<Exit> {
    // What cannot be done is told before anything is opened.
    let chosen = Filter::new([] as [&str; 0], &args.ns).map_err(|error| Problem::Usage(error.to_string()))?;
    args.out.iter().try_for_each(|folder| check_folder(folder))?;
    let archive = args.archive.as_deref().map(ArchiveTarget::open).transpose()?;
    let store = args.head.open(out)?;
    let (fork, divergences) = origin::open(&args.head, &args.origin, &store, out)?;
    let plan = export::plan(fork.state(), fork.session(), &chosen, args.ns.is_empty())?;
    require_all(&args.ns, &plan)?;
    let left_out = left_out(&plan, out);
    warn_of_line_breaks(&plan, out);
    let mut writing = Writing {
        args,
        fork: &fork,
        plan: &plan,
        progress: Progress::bytes(out, "exporting", None),
        bytes: 0,
        divergences,
    };
    let to = match (&args.out, archive) {
        (Some(folder), _) => writing.folder(folder)?,
        (None, Some(archive)) => writing.archive(archive)?,
        (None, None) => return Err(Problem::Usage("give --out or --archive".to_owned()).into()),
    };
    let Writing { bytes: document_bytes, divergences, .. } = writing;
    let exit = if divergences.count == 0 { Exit::Done } else { Exit::Found };
    let exported = Exported {
        name: short(&args.head.name),
        at: At::of(fork.state().at()),
        to,
        namespaces: plan.entries.iter().map(|entry| entry.part.namespace.shown()).collect(),
        document_bytes,
        left_out,
        divergences,
    };
    match args.archive.as_deref() == Some(Path::new("-")) {
        true => out.result_aside(&exported)?,
        false => out.result(&exported)?,
    }
    Ok(exit)
}

fn parts(plan: &Plan) -> Vec<Part> {
    plan.entries.iter().map(|entry| entry.part.clone()).collect()
}

impl ExportArgs {
    fn compression(&self) -> Compression {
        if self.gzip { Compression::Gzip } else { Compression::Plain }
    }

    fn versions(&self) -> Versions {
        let tool = Some(format!("tidemark {}", env!("CARGO_PKG_VERSION")));
        Versions { server: self.server_version.clone(), tool }
    }
}

/// An export on its way.
struct Writing<'e> {
    args: &'e ExportArgs,
    fork: &'e Fork,
    plan: &'e Plan,
    progress: Progress,
    /// Bytes of documents so far.
    bytes: u64,
    divergences: Divergences,
}

impl Writing<'_> {
    fn folder(&mut self, folder: &Path) -> Result<String> {
        let (compression, versions) = (self.args.compression(), self.args.versions());
        let sink = DirectoryWriter::new(folder, Target::Empty, compression, &versions, parts(self.plan))?;
        let shown = folder.display().to_string();
        self.write(sink).with_context(|| format!("what is in {shown} is not the whole dump"))?;
        sync_folder(folder)?;
        Ok(shown)
    }

    fn archive(&mut self, target: ArchiveTarget) -> Result<String> {
        let place = target.place();
        let (compression, versions) = (self.args.compression(), self.args.versions());
        let sink = ArchiveWriter::new(target, &place, compression, &versions, parts(self.plan))?;
        self.write(sink)?.finish()?;
        Ok(place)
    }

    fn write<S: Sink>(&mut self, inner: S) -> Result<S::Finished> {
        let sink = Counted { inner, bytes: &mut self.bytes, progress: &self.progress };
        let told = &mut |found: &tidemark_head::Divergences| self.divergences.add(found);
        Ok(export::write_and_tell(self.fork.state(), self.fork.session(), self.plan, sink, told)?)
    }
}

/// Everything that was asked for must be there: a dump that lacks it would be noticed when it is needed.
fn require_all(asked: &[String], plan: &Plan) -> Result<()> {
    let is = |asked: &str, Namespace { database, collection, .. }: &Namespace| {
        let rest = asked.strip_prefix(database.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix('.') == Some(collection))
    };
    for asked in asked {
        if !plan.entries.iter().any(|entry| is(asked, &entry.part.namespace)) {
            let shown = asked.escape_debug();
            return Err(
                Problem::NotThere(format!("there is no {shown} in this state that a dump can hold")).into()
            );
        }
    }
    Ok(())
}

/// What the dump does not hold; told is what somebody may miss.
fn left_out(plan: &Plan, out: Output) -> Vec<Missing> {
    let mut missing = Vec::new();
    for it in &plan.left_out {
        let (why, is_missed) = match it.why {
            Why::ServersOwn => ("it belongs to the server", false),
            Why::System => ("it is a system collection that servers make themselves", false),
            Why::WithOther => ("it is part of others", false),
            Why::NotAsked => ("users and roles were not asked for", false),
            Why::Temporary => ("it is temporary", true),
            Why::Dollar => ("names with a dollar are the server's own", true),
            Why::NameTaken => ("something else has the name of its time-series collection", true),
            Why::BrokenView => ("no server can use this view", true),
        };
        if is_missed {
            out.note(&format!("{} is left out: {why}", it.namespace));
        }
        missing.push(Missing { namespace: it.namespace.clone(), why });
    }
    missing
}

/// mongorestore passes over collections whose names hold a line break, and does not say so (seen with 100.8.0).
fn warn_of_line_breaks(plan: &Plan, out: Output) {
    for entry in &plan.entries {
        let namespace = &entry.part.namespace;
        if namespace.collection.contains('\n') {
            out.note(&format!(
                "mongorestore passes over {} without a word, because of the line break in its name: restore it under \
                 another name",
                namespace.shown()
            ));
        }
    }
}

/// A writer whose documents are counted as they go by.
struct Counted<'c, S> {
    inner: S,
    bytes: &'c mut u64,
    progress: &'c Progress,
}

impl<S: Sink> Sink for Counted<'_, S> {
    type Finished = S::Finished;

    fn begin(&mut self, part: &Part) -> Result<(), DumpError> {
        self.inner.begin(part)
    }

    fn documents(&mut self, documents: &[u8]) -> Result<(), DumpError> {
        *self.bytes += documents.len() as u64;
        self.progress.add(documents.len() as u64);
        self.inner.documents(documents)
    }

    fn walked(&mut self, documents: &Walked<'_>) -> Result<(), DumpError> {
        *self.bytes += documents.bytes as u64;
        self.progress.add(documents.bytes as u64);
        self.inner.walked(documents)
    }

    fn end(&mut self) -> Result<(), DumpError> {
        self.inner.end()
    }

    fn finish(self) -> Result<S::Finished, DumpError> {
        self.inner.finish()
    }
}
