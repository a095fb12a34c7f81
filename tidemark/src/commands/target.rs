//! Where an export goes: a folder, a file that is whole or not there, or standard output.

use crate::exit::Problem;
use anyhow::{Context, Result};
use rustix::fs::syncfs;
use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// How much is written at once, in bytes.
const BUFFER_BYTES: usize = 1 << 20;

/// Refuses a folder that holds something, before any work is done.
pub(super) fn check_folder(folder: &Path) -> Result<()> {
    let shown = folder.display();
    match fs::read_dir(folder).map(|mut entries| entries.next().is_some()) {
        Ok(true) => {
            Err(Problem::Usage(format!("{shown} is not empty: --out needs a new or empty folder")).into())
        }
        Ok(false) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(anyhow::Error::new(error).context(format!("cannot look into {shown}"))),
    }
}

/// Makes everything in a folder durable, and its name.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    let open = |path: &Path| File::open(path).with_context(|| format!("cannot open {}", path.display()));
    syncfs(open(folder)?).with_context(|| format!("cannot sync {}", folder.display()))?;
    let above = parent(folder);
    open(&above)?.sync_all().with_context(|| format!("cannot sync {}", above.display()))
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// What an archive is written to.
pub(super) enum ArchiveTarget {
    Stdout(BufWriter<io::Stdout>),
    File { file: BufWriter<NamedTempFile>, path: PathBuf },
}

impl ArchiveTarget {
    /// Standard output for `-`, unless it is a terminal; else a file that must not be there yet.
    pub(super) fn open(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            let stdout = io::stdout();
            if stdout.is_terminal() {
                let what = "an archive is not written to a terminal: give a file, or a pipe to mongorestore";
                return Err(Problem::Usage(what.to_owned()).into());
            }
            return Ok(Self::Stdout(BufWriter::with_capacity(BUFFER_BYTES, stdout)));
        }
        let shown = path.display();
        if path.symlink_metadata().is_ok() {
            return Err(
                Problem::Usage(format!("{shown} is there already: name another file, or remove it")).into()
            );
        }
        let file = tempfile::Builder::new()
            .prefix(".tidemark-")
            .suffix(".archive")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(parent(path))
            .with_context(|| format!("cannot make a file beside {shown}"))?;
        Ok(Self::File { file: BufWriter::with_capacity(BUFFER_BYTES, file), path: path.to_owned() })
    }

    /// What it is called in messages.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Stdout(_) => "standard output".to_owned(),
            Self::File { path, .. } => path.display().to_string(),
        }
    }

    /// Makes all of it durable, and gives the file its name.
    pub(super) fn finish(self) -> Result<()> {
        match self {
            Self::Stdout(mut out) => Ok(out.flush()?),
            Self::File { file, path } => {
                let shown = path.display().to_string();
                let file = file.into_inner().map_err(io::IntoInnerError::into_error);
                let file = file.with_context(|| format!("cannot write {shown}"))?;
                file.as_file().sync_all().with_context(|| format!("cannot sync {shown}"))?;
                file.persist_noclobber(&path).with_context(|| format!("cannot name the archive {shown}"))?;
                let above = parent(&path);
                let synced = File::open(&above).and_then(|folder| folder.sync_all());
                synced.with_context(|| format!("cannot sync {}", above.display()))
            }
        }
    }
}

impl Write for ArchiveTarget {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(bytes),
            Self::File { file, .. } => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::File { file, .. } => file.flush(),
        }
    }
}
