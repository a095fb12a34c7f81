//! Reading a mongod's log, and keeping it where a person finds it after a failure.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::Error;
use super::run_folder::RunFolder;

/// The log line "Waiting for connections".
const READY: &[u8] = br#""id":23016"#;
/// What mongod logs when it finds its port taken.
const PORT_TAKEN: &[u8] = b"Address already in use";

/// What a log says about a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StartNews {
    /// Nothing yet.
    Starting,
    /// Clients can connect.
    Ready,
    /// Somebody else has the port.
    PortTaken,
}

/// How long the log is now; a start is read from here.
pub(super) fn length(folder: &RunFolder) -> u64 {
    fs::metadata(folder.log()).map_or(0, |meta| meta.len())
}

/// What the log says after its first `from` bytes.
pub(super) fn news(folder: &RunFolder, from: u64) -> StartNews {
    let new = read_from(&folder.log(), from).unwrap_or_default();
    let holds = |needle: &[u8]| new.windows(needle.len()).any(|window| window == needle);
    if holds(READY) {
        StartNews::Ready
    } else if holds(PORT_TAKEN) {
        StartNews::PortTaken
    } else {
        StartNews::Starting
    }
}

fn read_from(path: &Path, from: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The last `lines` lines of output and log together.
pub(super) fn tail(folder: &RunFolder, lines: usize) -> String {
    let text: String = [folder.output(), folder.log()]
        .iter()
        .map(|path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned())
        .collect();
    let all: Vec<&str> = text.lines().collect();
    all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
}

/// Where logs are kept: `target/testkit-logs` of the workspace.
#[must_use]
pub fn kept_logs_folder() -> PathBuf {
    crate::parts::workspace().join("target/testkit-logs")
}

/// Copies output and log to `<thread>-<run folder>.log`; the thread of a test has the test's name.
pub(super) fn keep(folder: &RunFolder) -> Result<PathBuf, Error> {
    let to = kept_logs_folder();
    fs::create_dir_all(&to).map_err(Error::io("make the folder", &to))?;
    let thread = std::thread::current();
    let test: String = thread
        .name()
        .unwrap_or("unnamed")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let file = to.join(format!("{test}-{}.log", folder.name()));
    fs::write(&file, tail(folder, usize::MAX)).map_err(Error::io("keep the log at", &file))?;
    Ok(file)
}

/// As [`keep`], in words for an error message.
pub(super) fn keep_in_words(folder: &RunFolder) -> String {
    keep(folder).map_or_else(|error| format!("(not kept: {error})"), |path| path.display().to_string())
}
