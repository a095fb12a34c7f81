//! Running the binary, and captures as files.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;
use tidemark_base::{OpTime, Timestamp};
use tidemark_head::dump::{Compression, DirectoryWriter, Namespace, Part, Sink, Target, Versions};
use tidemark_oplog::slice::optime;
use tidemark_testkit::captures::{Capture, Mode};

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// The binary, one hour ahead of UTC, without a terminal.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemark"));
    command.args(args).env("TZ", "CET-1").stdin(Stdio::null());
    command
}

pub(crate) fn run(args: &[&str]) -> Ran {
    ended(command(args).output().unwrap())
}

pub(crate) fn ended(output: Output) -> Ran {
    let Output { status, stdout, stderr } = output;
    Ran { code: status.code().unwrap(), stdout, stderr: String::from_utf8(stderr).unwrap() }
}

impl Ran {
    /// The run must have ended so.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.stderr, self.text());
        self
    }

    /// It must have been refused with this code and these words.
    #[track_caller]
    pub(crate) fn refused(self, code: i32, words: &str) {
        let ran = self.code(code);
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
        assert!(ran.stdout.is_empty(), "{}", ran.text());
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let text = self.text();
        assert_eq!(text.lines().count(), 1, "{text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

/// A folder with a store, and what goes in and out of it.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
}

impl Place {
    /// With an empty store.
    pub(crate) fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        run(&["store", "init", &place.store()]).code(0);
        place
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn store(&self) -> String {
        self.path("store")
    }

    /// Runs a command on the head `rs0`.
    pub(crate) fn on_head(&self, args: &[&str]) -> Ran {
        let store = self.store();
        run(&[args, &["--store", &store, "--name", "rs0"]].concat())
    }

    /// The same, and its result as JSON.
    #[track_caller]
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        self.on_head(&[args, &["-o", "json"]].concat()).code(0).json()
    }

    /// With a capture imported at its position.
    pub(crate) fn imported(capture: &Capture) -> Self {
        let place = Self::new();
        let dump = place.path("initial");
        write_initial(capture, Path::new(&dump));
        place.on_head(&["head", "import", &dump, "--optime", &capture.apply_after.to_string()]).code(0);
        place
    }

    /// With all of a capture applied.
    pub(crate) fn applied(capture: &Capture) -> Self {
        let place = Self::imported(capture);
        let oplog = place.oplog("oplog.bson", &capture.entries);
        let until = capture.consistent_from.map(|it| it.to_string());
        let fuzzy: Vec<&str> = until.iter().flat_map(|it| ["--fuzzy-until", it.as_str()]).collect();
        place.on_head(&[&["head", "apply", oplog.as_str()], fuzzy.as_slice()].concat()).code(0);
        place
    }

    /// Writes entries to a file.
    pub(crate) fn oplog(&self, name: &str, entries: &[&[u8]]) -> String {
        let path = self.path(name);
        fs::write(&path, entries.concat()).unwrap();
        path
    }

    /// Exports to a new folder.
    pub(crate) fn export(&self, name: &str, args: &[&str]) -> PathBuf {
        let out = self.path(name);
        self.on_head(&[&["export", "--out", &out], args].concat()).code(0);
        out.into()
    }
}

/// The initial state of a capture, as mongodump would have it.
pub(crate) fn write_initial(capture: &Capture, folder: &Path) {
    let initial = &capture.initial;
    let admin = initial.admin.iter().filter(|_| capture.mode == Mode::Exact);
    let part = |it: &tidemark_testkit::state::Collection| {
        let namespace = Namespace {
            uuid: it.uuid,
            options: it.options.to_vec(),
            indexes: it.indexes.iter().map(|index| index.to_vec()).collect(),
            ..Namespace::bare(&it.db, &it.name)
        };
        Part { namespace, stream: Some(it.name.clone()) }
    };
    let collections: Vec<_> = admin.chain(&initial.collections).collect();
    let parts: Vec<Part> = collections.iter().map(|it| part(it)).collect();
    let versions = Versions::default();
    let mut writer =
        DirectoryWriter::new(folder, Target::Empty, Compression::Plain, &versions, parts.clone()).unwrap();
    for (part, collection) in parts.iter().zip(collections) {
        writer.begin(part).unwrap();
        collection.documents.iter().for_each(|it| writer.documents(it).unwrap());
        writer.end().unwrap();
    }
    writer.finish().unwrap();
}

/// The position of an entry.
pub(crate) fn at(entry: &[u8]) -> OpTime {
    optime(tidemark_base::bson::Doc::new(entry).unwrap()).unwrap()
}

/// A wall second.
pub(crate) fn utc(ts: Timestamp) -> String {
    jiff::Timestamp::from_second(ts.secs.into()).unwrap().to_string()
}
