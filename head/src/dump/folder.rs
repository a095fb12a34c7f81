//! Folders and files below a dump's root, one component at a time and never through a symlink.
//!
//! Every step is taken from an open folder, so nobody can put a link into the way between a check and its
//! use. The path of the root itself is the user's own word and may lead through links.

use super::DumpError;
use super::error::shown_path;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, mkdirat, open, openat, statat};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

/// An open folder.
#[derive(Debug)]
pub(super) struct Folder {
    fd: OwnedFd,
    /// Its path, for messages.
    place: String,
}

/// What stands in a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) is_folder: bool,
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Folder {
    /// Opens a root.
    pub(super) fn open(path: &Path) -> Result<Self, DumpError> {
        let place = shown_path(path);
        let fd = open(path, FOLDER, Mode::empty())
            .map_err(|error| DumpError::io(&place, "open the folder", error.into()))?;
        Ok(Self { fd, place })
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// The path of something in it, for messages.
    pub(super) fn place_of(&self, name: &str) -> String {
        format!("{}/{}", self.place, name.escape_debug())
    }

    /// Opens a folder in it.
    pub(super) fn folder(&self, name: &str) -> Result<Self, DumpError> {
        let place = self.checked(name)?;
        let fd = openat(&self.fd, name, FOLDER | OFlags::NOFOLLOW, Mode::empty());
        Ok(Self { fd: fd.map_err(|error| no_link(&place, "open the folder", error))?, place })
    }

    /// Makes a folder in it, unless it is there, and opens it.
    pub(super) fn make_folder(&self, name: &str) -> Result<Self, DumpError> {
        let place = self.checked(name)?;
        match mkdirat(&self.fd, name, Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => self.folder(name),
            Err(error) => Err(DumpError::io(&place, "make the folder", error.into())),
        }
    }

    /// Makes a file in it. One that is there is an error, and so is a link.
    pub(super) fn make_file(&self, name: &str) -> Result<File, DumpError> {
        let place = self.checked(name)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(&self.fd, name, flags, Mode::from_raw_mode(0o666));
        let fd = fd.map_err(|error| DumpError::io(&place, "make the file", error.into()))?;
        Ok(File::from(fd))
    }

    /// Opens a file in it for reading. Anything but a file is an error.
    pub(super) fn file(&self, name: &str) -> Result<File, DumpError> {
        let place = self.checked(name)?;
        // Without NONBLOCK, opening a pipe would wait for its other end.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = openat(&self.fd, name, flags, Mode::empty());
        let fd = fd.map_err(|error| no_link(&place, "open the file", error))?;
        let stat = fstat(&fd).map_err(|error| DumpError::io(&place, "look at the file", error.into()))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(DumpError::layout(place, "it is not a regular file"));
        }
        Ok(File::from(fd))
    }

    /// What stands in it, by name, at most so many. Links and special files are errors.
    pub(super) fn list(&self, most: usize) -> Result<Vec<Listed>, DumpError> {
        let io = |error: Errno| DumpError::io(&self.place, "list the folder", error.into());
        let mut listed = Vec::new();
        for entry in Dir::read_from(&self.fd).map_err(io)? {
            let entry = entry.map_err(io)?;
            let raw = entry.file_name();
            if matches!(raw.to_bytes(), b"." | b"..") {
                continue;
            }
            let Ok(name) = raw.to_str() else {
                let place = self.place_of(&raw.to_string_lossy());
                return Err(DumpError::layout(place, "the name is not UTF-8; a dump has no such files"));
            };
            let place = self.place_of(name);
            let stat = statat(&self.fd, raw, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|error| DumpError::io(&place, "look at", error.into()))?;
            let is_folder = match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => true,
                FileType::RegularFile => false,
                FileType::Symlink => return Err(DumpError::layout(place, LINK)),
                _ => return Err(DumpError::layout(place, "it is neither file nor folder; move it away")),
            };
            if listed.len() == most {
                let problem = format!("more than {most} files and folders; that is no dump");
                return Err(DumpError::layout(&self.place, problem));
            }
            listed.push(Listed { name: name.to_owned(), is_folder });
        }
        listed.sort_unstable();
        Ok(listed)
    }

    /// Whether nothing stands in it.
    pub(super) fn is_empty(&self) -> Result<bool, DumpError> {
        let io = |error: Errno| DumpError::io(&self.place, "list the folder", error.into());
        for entry in Dir::read_from(&self.fd).map_err(io)? {
            if !matches!(entry.map_err(io)?.file_name().to_bytes(), b"." | b"..") {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A name must be one component. What was checked for what a server accepts always is; checked again where
    /// it becomes a path.
    fn checked(&self, name: &str) -> Result<String, DumpError> {
        let place = self.place_of(name);
        if name.is_empty() || matches!(name, "." | "..") || name.contains(['/', '\0']) {
            return Err(DumpError::layout(place, "the name would leave its folder"));
        }
        Ok(place)
    }
}

const LINK: &str = "it is a symlink, and links in a dump are not followed; put the file itself there";

/// The errors that openat gives for a link, in words.
fn no_link(place: &str, what: &'static str, error: Errno) -> DumpError {
    match error {
        Errno::LOOP => DumpError::layout(place, LINK),
        other => DumpError::io(place, what, other.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        let here = tempfile::tempdir().unwrap();
        let folder = Folder::open(here.path()).unwrap();
        for bad in ["", ".", "..", "/etc", "a/b", "a\0b"] {
            folder.folder(bad).unwrap_err();
            folder.make_folder(bad).unwrap_err();
            folder.file(bad).unwrap_err();
            folder.make_file(bad).unwrap_err();
        }
    }

    #[test]
    fn links_are_not_followed() {
        let here = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::fs::write(elsewhere.path().join("secret"), b"x").unwrap();
        symlink(elsewhere.path(), here.path().join("folder")).unwrap();
        symlink(elsewhere.path().join("secret"), here.path().join("file")).unwrap();
        symlink(elsewhere.path().join("new"), here.path().join("dangling")).unwrap();
        let folder = Folder::open(here.path()).unwrap();
        folder.folder("folder").unwrap_err();
        folder.make_folder("folder").unwrap_err();
        let error = folder.file("file").unwrap_err().to_string();
        assert!(error.contains("links in a dump are not followed"), "{error}");
        folder.make_file("file").unwrap_err();
        folder.make_file("dangling").unwrap_err();
        assert!(!elsewhere.path().join("new").exists());
        folder.list(10).unwrap_err();
    }

    #[test]
    fn special_files_are_refused_without_waiting() {
        let here = tempfile::tempdir().unwrap();
        let made = std::process::Command::new("mkfifo").arg(here.path().join("pipe")).status().unwrap();
        assert!(made.success());
        let folder = Folder::open(here.path()).unwrap();
        assert!(folder.file("pipe").unwrap_err().to_string().ends_with("not a regular file"));
        folder.list(10).unwrap_err();
    }

    #[test]
    fn a_file_that_is_there_is_never_written_to() {
        let here = tempfile::tempdir().unwrap();
        std::fs::write(here.path().join("file"), b"x").unwrap();
        let folder = Folder::open(here.path()).unwrap();
        folder.make_file("file").unwrap_err();
        assert_eq!(folder.list(1).unwrap(), [Listed { name: "file".into(), is_folder: false }]);
        folder.list(0).unwrap_err();
    }
}
