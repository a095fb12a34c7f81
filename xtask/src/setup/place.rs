//! Giving an extracted file its name in the cache: only when its hash is right and its bytes are durable.

use super::Wanted;
use super::bundle::Bundle;
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Moves `fresh`, a file in a temporary folder of the cache, to its place, or fails and leaves the cache as
/// it was. A program that runs under the old name goes on with the old file.
pub(super) fn verified(fresh: &Path, cache: &Path, wanted: &Wanted, bundle: Bundle) -> Result<()> {
    let sha256 = sha256(fresh)?;
    if sha256 != wanted.sha256 {
        bail!(
            "{} out of {} has SHA-256\n  {sha256}, expected\n  {}.\nIt is not used. Somebody has changed the \
             package or the download: try again, or {}",
            wanted.part,
            bundle.name(),
            wanted.sha256,
            bundle.how_to_bring_your_own()
        );
    }
    let place = cache.join(wanted.part.program());
    let moved = || -> std::io::Result<()> {
        fs::set_permissions(fresh, Permissions::from_mode(0o755))?;
        File::open(fresh)?.sync_all()?;
        fs::rename(fresh, &place)?;
        File::open(cache)?.sync_all()
    };
    moved().with_context(|| super::no_cache(cache))
}

/// SHA-256 of a file, in hex.
pub(super) fn sha256(path: &Path) -> Result<String> {
    let what = || format!("cannot read {}", path.display());
    let mut file = File::open(path).with_context(what)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut buffer).with_context(what)?;
        match buffer.get(..count) {
            Some(bytes) if !bytes.is_empty() => hasher.update(bytes),
            _ => return Ok(hex::encode(hasher.finalize())),
        }
    }
}
