//! Taking one file out of a zip or a gzipped tar.
//!
//! Only the member asked for is written, to the path the caller gives; names inside an archive never
//! become paths.

use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// Copies a member of a zip file (a wheel is one) to a new file.
pub(super) fn unzip(archive: &Path, member: &str, to: &Path) -> Result<()> {
    let what = || format!("{member} in {}", archive.display());
    let file = BufReader::new(File::open(archive).with_context(what)?);
    let mut zip = zip::ZipArchive::new(file).with_context(what)?;
    copy(&mut zip.by_name(member).with_context(what)?, to).with_context(what)
}

/// Copies a member of a `.tgz` to a new file.
pub(super) fn untar(archive: &Path, member: &str, to: &Path) -> Result<()> {
    let what = || format!("{member} in {}", archive.display());
    let file = BufReader::new(File::open(archive).with_context(what)?);
    let mut tar = tar::Archive::new(flate2::bufread::GzDecoder::new(file));
    for entry in tar.entries().with_context(what)? {
        let mut entry = entry.with_context(what)?;
        if entry.path().with_context(what)? == Path::new(member) {
            return copy(&mut entry, to).with_context(what);
        }
    }
    bail!("{} has no {member}: it is not the package that was asked for", archive.display());
}

fn copy(from: &mut impl Read, to: &Path) -> io::Result<()> {
    io::copy(from, &mut File::create_new(to)?)?;
    Ok(())
}
