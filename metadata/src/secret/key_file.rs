//! The file with the key that seals secrets. It must lie outside the folder of the store, so that a copy of that
//! folder does not carry it, and only its owner may read it.
//!
//! One line: `tidemark-key-v1 ` and 64 hexadecimal digits.

use super::SealingKey;
use crate::error::{Error, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use tidemark_base::Entropy;

const MAGIC: &str = "tidemark-key-v1 ";
const LENGTH: usize = MAGIC.len() + 64 + 1;

/// Reads the key file; makes it if there is none. `store` is the folder it must not lie in. Of several who make it
/// at once, all get the same key.
///
/// # Errors
/// `Invalid` if it lies in the store, others may read it, or it is no key file; `Retry` if the disk is full or fails.
pub fn load_or_create(path: &Path, store: &Path, entropy: &mut dyn Entropy) -> Result<SealingKey> {
    let folder = parent(path);
    refuse_inside(path, &folder, store)?;
    if !path.try_exists().map_err(|source| io_error("looking for", path, source))? {
        create(path, &folder, entropy)?;
    }
    read(path)
}

fn parent(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
    parent.unwrap_or_else(|| Path::new(".")).to_owned()
}

fn bad(path: &Path, problem: impl Into<String>) -> Error {
    Error::BadFile { path: path.to_owned(), problem: problem.into() }
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Error::Full { path: path.to_owned(), action }
        }
        _ => Error::Io { action, path: path.to_owned(), source },
    }
}

fn refuse_inside(path: &Path, folder: &Path, store: &Path) -> Result<()> {
    let real =
        |it: &Path| fs::canonicalize(it).map_err(|source| io_error("looking for the folder", it, source));
    // The file may itself be a link into the store.
    let target = fs::canonicalize(path).ok();
    let store = real(store)?;
    if real(folder)?.starts_with(&store) || target.is_some_and(|it| it.starts_with(&store)) {
        let problem = "the key file lies in the folder of the store, where every copy of the store would take it along: put it elsewhere";
        return Err(bad(path, problem));
    }
    Ok(())
}

fn create(path: &Path, folder: &Path, entropy: &mut dyn Entropy) -> Result<()> {
    let (mut key, mut suffix) = ([0; 32], [0; 8]);
    entropy.fill(&mut key);
    entropy.fill(&mut suffix);
    let failed = |source| io_error("making", path, source);
    // Whole under another name first, then linked: so it is never seen in part, and never replaced.
    let draft = folder.join(format!(".tidemark-key-{}", hex::encode(suffix)));
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(format!("{MAGIC}{}\n", hex::encode(key)).as_bytes())?;
        file.sync_all()
    };
    let made = write().and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    let _ = fs::remove_file(&draft);
    made.and_then(|()| File::open(folder)?.sync_all()).map_err(failed)
}

fn read(path: &Path) -> Result<SealingKey> {
    let failed = |source| io_error("reading", path, source);
    let file = File::open(path).map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    let mode = about.permissions().mode();
    if !about.is_file() {
        return Err(bad(path, "it is no file: name one, or a new one"));
    }
    if mode & 0o077 != 0 {
        return Err(bad(path, format!("others may read this key (mode {:o}): chmod 600 it", mode & 0o777)));
    }
    let mut text = String::new();
    let read = file.take(LENGTH as u64 + 1).read_to_string(&mut text);
    let no_key = || bad(path, "it is no Tidemark key file: put the former one back, or name a new one");
    match read {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(no_key()),
        other => other.map_err(failed)?,
    };
    let digits = text.strip_prefix(MAGIC).and_then(|it| it.strip_suffix('\n')).ok_or_else(no_key)?;
    let mut key = [0; 32];
    hex::decode_to_slice(digits, &mut key).map_err(|_| no_key())?;
    Ok(SealingKey::from_bytes(&key))
}

#[cfg(test)]
mod tests {
    use super::super::Secret;
    use super::*;
    use tidemark_base::{OsEntropy, SeededEntropy};

    fn folders() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (store, keys) = (folder.path().join("store"), folder.path().join("keys"));
        fs::create_dir(&store).unwrap();
        fs::create_dir(&keys).unwrap();
        (folder, store, keys.join("key"))
    }

    #[test]
    fn the_key_is_made_once_for_its_owner_alone_and_stays() {
        let (_folder, store, path) = folders();
        let first = load_or_create(&path, &store, &mut OsEntropy).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no drafts are left");
        let secret = Secret::new(b"x".to_vec()).unwrap();
        let sealed = first.seal("p", &secret, &mut OsEntropy);
        let second = load_or_create(&path, &store, &mut OsEntropy).unwrap();
        assert_eq!(second.open("p", &sealed).unwrap(), secret);
    }

    #[test]
    fn who_makes_it_second_gets_the_first() {
        let (_folder, store, path) = folders();
        create(&path, &parent(&path), &mut SeededEntropy::new(1)).unwrap();
        let text = fs::read(&path).unwrap();
        create(&path, &parent(&path), &mut SeededEntropy::new(2)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), text);
        load_or_create(&path, &store, &mut OsEntropy).unwrap();
    }

    #[test]
    fn a_key_in_the_store_is_refused_however_it_is_named() {
        let (folder, store, path) = folders();
        let inside = store.join("key");
        let around = path.parent().unwrap().join("../store/key");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&store, &link).unwrap();
        for bad in [&inside, &around, &link.join("key")] {
            let error = load_or_create(bad, &store, &mut OsEntropy).unwrap_err();
            assert!(error.to_string().contains("put it elsewhere"), "{error}");
        }
        assert!(!inside.exists());
        load_or_create(&path, &store, &mut OsEntropy).unwrap();
        fs::rename(&path, &inside).unwrap();
        std::os::unix::fs::symlink(&inside, &path).unwrap();
        assert!(load_or_create(&path, &store, &mut OsEntropy).is_err(), "a link into the store");
    }

    #[test]
    fn a_key_that_others_may_read_or_that_is_none_is_refused_and_not_quoted() {
        let (_folder, store, path) = folders();
        load_or_create(&path, &store, &mut OsEntropy).unwrap();
        let good = fs::read_to_string(&path).unwrap();
        for mode in [0o640, 0o604, 0o644] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = load_or_create(&path, &store, &mut OsEntropy).unwrap_err();
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for bad in ["", "x", good.trim_end(), &good.replace("v1", "v2"), &format!("{good}\n"), "\u{fffd}"] {
            fs::write(&path, bad).unwrap();
            let error = load_or_create(&path, &store, &mut OsEntropy).unwrap_err().to_string();
            assert!(error.contains("no Tidemark key file"), "{error}");
            assert!(!error.contains(&good[20..40]), "{error}");
        }
        fs::write(&path, [0xff; LENGTH]).unwrap();
        assert!(load_or_create(&path, &store, &mut OsEntropy).is_err(), "not UTF-8");
        assert!(load_or_create(path.parent().unwrap(), &store, &mut OsEntropy).is_err(), "a folder");
    }
}
