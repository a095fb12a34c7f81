//! What a download sends: a prepared restore, opened and planned, written as an archive.

use crate::actions::{Problem, head_of};
use crate::site::Parts;
use std::io::Write;
use tidemark_base::OpTime;
use tidemark_head::dump::plan::Plan;
use tidemark_head::dump::{ArchiveWriter, Compression};
use tidemark_head::export::{self, Restorable};
use tidemark_head::fork::Fork;
use tidemark_head::{HeadError, Result};
use tidemark_metadata::RestoreJob;

/// A prepared restore. Its session keeps what it stands on, also if it is let go meanwhile.
pub(super) struct Prepared {
    fork: Fork,
    restorable: Restorable,
    plan: Plan,
}

/// Opens what was prepared for a restore.
pub(super) fn open(site: &Parts, job: &RestoreJob) -> Result<Prepared, Problem> {
    let name = head_of(job.group, job.replica_set)?;
    let (fork, restorable) = Fork::of_restore(&site.store, &name, &job.id.to_string())?;
    let plan = restorable.plan(&fork)?;
    Ok(Prepared { fork, restorable, plan })
}

impl Prepared {
    /// The length of the plain archive.
    pub(super) const fn bytes(&self) -> u64 {
        self.restorable.bytes
    }

    /// The moment whose state it is.
    pub(super) const fn at(&self) -> OpTime {
        self.restorable.at
    }

    /// Writes the archive.
    pub(super) fn write(&self, out: &mut impl Write, gzip: bool) -> Result<(), HeadError> {
        let compression = if gzip { Compression::Gzip } else { Compression::Plain };
        let parts = self.plan.entries.iter().map(|entry| entry.part.clone()).collect();
        let versions = self.restorable.versions();
        let sink = ArchiveWriter::new(out, "the download", compression, &versions, parts)?;
        export::write(self.fork.state(), self.fork.session(), &self.plan, sink).map(drop)
    }
}
