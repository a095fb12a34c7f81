//! Where the real parts are: mongod, mongodump, mongorestore.
//!
//! The fixtures call [`locate`]; `cargo xtask setup` calls [`locate_in`] and fills the cache. A part is
//! looked for in this order: its environment variable, the folders of `PATH`, the cache. What the first two
//! give is the user's own choice and is used as it is; only `cargo xtask setup` writes to the cache, and
//! only files with the hash given here. Nothing is fetched, started or hashed here. Tests that need a part
//! fail with the text of [`Error`]; they are never skipped.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A program of MongoDB's that the tests run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// The server, 6.0.5 when `cargo xtask setup` fetched it.
    Mongod,
    /// The dump tool, 100.7.0 when `cargo xtask setup` fetched it.
    Mongodump,
    /// The restore tool, 100.7.0 when `cargo xtask setup` fetched it.
    Mongorestore,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 3] = [Self::Mongod, Self::Mongodump, Self::Mongorestore];

    /// The name of the program, on `PATH` and in the cache.
    #[must_use]
    pub const fn program(self) -> &'static str {
        match self {
            Self::Mongod => "mongod",
            Self::Mongodump => "mongodump",
            Self::Mongorestore => "mongorestore",
        }
    }

    /// The environment variable that names a program of the user's own.
    #[must_use]
    pub const fn variable(self) -> &'static str {
        match self {
            Self::Mongod => "TIDEMARK_MONGOD",
            Self::Mongodump => "TIDEMARK_MONGODUMP",
            Self::Mongorestore => "TIDEMARK_MONGORESTORE",
        }
    }

    /// SHA-256 of the program that `cargo xtask setup` puts into the cache, in hex.
    #[must_use]
    pub const fn sha256(self) -> &'static str {
        match self {
            Self::Mongod => "268063f487a8ba75bf832d1f7938882b8bda1029825bb58d0611725f8fe16ce8",
            Self::Mongodump => "32a2b843e704ec6e7a35ab18986dfba97a2ddd693d6ef1d3b0fc29584f4a1ce1",
            Self::Mongorestore => "7a9f76f1392c3a5a25b15469976edf6e77418ce00f16207606fd0b741ca03e3a",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program())
    }
}

/// Which of the three places a part was found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The part's environment variable.
    Variable,
    /// A folder of `PATH`.
    Path,
    /// The cache that `cargo xtask setup` fills.
    Cache,
}

/// A part that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The executable file.
    pub path: PathBuf,
    /// Where the search ended.
    pub origin: Origin,
}

/// Why a part can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The user named a program that can't be run.
    #[error("{variable} names {path}, which is not an executable file: correct the variable or unset it")]
    NotExecutable {
        /// The variable.
        variable: &'static str,
        /// What it names.
        path: PathBuf,
    },
    /// The part is in none of the three places.
    #[error(
        "{part} is missing: it is not on PATH and not in {cache}. Run `cargo xtask setup`, \
         or set {variable} to the path of a {part}"
    )]
    Missing {
        /// The part.
        part: Part,
        /// The part's variable, which is not set.
        variable: &'static str,
        /// The cache, which does not have it.
        cache: PathBuf,
    },
}

/// What the search reads of its surroundings: a few environment variables and the workspace's folder.
#[derive(Clone, Debug)]
pub struct Env {
    workspace: PathBuf,
    variables: BTreeMap<String, OsString>,
}

impl Env {
    /// Surroundings made by hand; variables that are empty count as not set.
    pub fn new<N, V>(workspace: impl Into<PathBuf>, variables: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<String>,
        V: Into<OsString>,
    {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self { workspace: workspace.into(), variables: variables.filter(|(_, v)| !v.is_empty()).collect() }
    }

    /// The surroundings of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let read = ["PATH", "HOME", "XDG_CACHE_HOME", "TIDEMARK_CACHE"].into_iter();
        let names = read.chain(Part::ALL.map(Part::variable));
        Self::new(workspace(), names.filter_map(|name| Some((name, std::env::var_os(name)?))))
    }

    /// The value of `PATH`.
    #[must_use]
    pub fn search_path(&self) -> &OsStr {
        self.variable("PATH").unwrap_or_default()
    }

    /// The first executable file of this name in the folders of `PATH`. Relative folders are passed over:
    /// tests run in other folders than the command that looked.
    #[must_use]
    pub fn find_on_path(&self, program: &str) -> Option<PathBuf> {
        let folders = std::env::split_paths(self.search_path()).filter(|folder| folder.is_absolute());
        folders.map(|folder| folder.join(program)).find(|path| is_executable(path))
    }

    /// The folder that `cargo xtask setup` puts parts into: `TIDEMARK_CACHE`, or `tidemark/parts` in the
    /// user's cache folder, or `target/parts` of the workspace for a user without a home.
    #[must_use]
    pub fn cache_dir(&self) -> PathBuf {
        if let Some(chosen) = self.variable("TIDEMARK_CACHE") {
            return self.workspace.join(chosen);
        }
        let absolute = |name| self.variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let user_cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
        match user_cache {
            Some(folder) => folder.join("tidemark").join("parts"),
            None => self.workspace.join("target").join("parts"),
        }
    }

    fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(name).map(OsString::as_os_str)
    }
}

/// The workspace's folder, known since this crate was compiled.
#[must_use]
pub fn workspace() -> PathBuf {
    let testkit = Path::new(env!("CARGO_MANIFEST_DIR"));
    testkit.parent().unwrap_or(testkit).to_path_buf()
}

/// Finds a part with the environment of this process.
///
/// # Errors
/// See [`locate_in`].
pub fn locate(part: Part) -> Result<Located, Error> {
    locate_in(&Env::of_process(), part)
}

/// Finds a part. A relative path in the part's variable starts at the workspace's folder.
///
/// # Errors
/// [`Error::NotExecutable`] when the part's variable names something that can't be run; nothing else is
/// tried then, since the user asked for that one. [`Error::Missing`] when no place has it.
pub fn locate_in(env: &Env, part: Part) -> Result<Located, Error> {
    let variable = part.variable();
    if let Some(value) = env.variable(variable) {
        let path = env.workspace.join(value);
        if !is_executable(&path) {
            return Err(Error::NotExecutable { variable, path });
        }
        return Ok(Located { path, origin: Origin::Variable });
    }
    if let Some(path) = env.find_on_path(part.program()) {
        return Ok(Located { path, origin: Origin::Path });
    }
    let cache = env.cache_dir();
    let path = cache.join(part.program());
    if !is_executable(&path) {
        return Err(Error::Missing { part, variable, cache });
    }
    Ok(Located { path, origin: Origin::Cache })
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A folder with `own/`, `bin/` and `cache/`, all of which have a mongod.
    struct Places(tempfile::TempDir);

    impl Places {
        fn new() -> Self {
            let places = Self(tempfile::tempdir().unwrap());
            for folder in ["own", "bin", "cache"] {
                fs::create_dir(places.at(folder)).unwrap();
                let program = places.at(folder).join("mongod");
                fs::write(&program, "#!/bin/sh\n").unwrap();
                fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
            }
            places
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn env(&self, variables: &[(&str, &str)]) -> Env {
            Env::new(self.0.path(), variables.iter().map(|(name, value)| (*name, *value)))
        }

        fn env_with(&self, own: bool, path: bool) -> Env {
            let mut variables = vec![("TIDEMARK_CACHE", self.at("cache"))];
            variables.extend(own.then(|| ("TIDEMARK_MONGOD", self.at("own/mongod"))));
            variables.extend(path.then(|| ("PATH", self.at("bin"))));
            Env::new(self.0.path(), variables)
        }
    }

    #[test]
    fn the_variable_wins_over_path_and_path_over_the_cache() {
        let places = Places::new();
        let found = |own, path| locate_in(&places.env_with(own, path), Part::Mongod).unwrap();
        let expected = |file: &str, origin| Located { path: places.at(file), origin };
        assert_eq!(found(true, true), expected("own/mongod", Origin::Variable));
        assert_eq!(found(false, true), expected("bin/mongod", Origin::Path));
        assert_eq!(found(false, false), expected("cache/mongod", Origin::Cache));
    }

    #[test]
    fn a_variable_that_names_no_program_is_an_error_and_nothing_else_is_tried() {
        let places = Places::new();
        fs::write(places.at("plain"), "not executable").unwrap();
        for wrong in ["plain", "own", "nowhere"] {
            let env = places.env(&[("TIDEMARK_MONGOD", wrong), ("TIDEMARK_CACHE", "cache")]);
            let error = locate_in(&env, Part::Mongod).unwrap_err();
            let expected = Error::NotExecutable { variable: "TIDEMARK_MONGOD", path: places.at(wrong) };
            assert_eq!(error, expected);
            assert!(error.to_string().starts_with("TIDEMARK_MONGOD names "), "{error}");
        }
    }

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        let places = Places::new();
        let env = places.env(&[("TIDEMARK_MONGOD", ""), ("TIDEMARK_CACHE", "cache")]);
        assert_eq!(locate_in(&env, Part::Mongod).unwrap().origin, Origin::Cache);
    }

    #[test]
    fn relative_folders_on_path_are_passed_over() {
        let places = Places::new();
        let env = places.env(&[("PATH", "bin:."), ("TIDEMARK_CACHE", "cache")]);
        assert_eq!(locate_in(&env, Part::Mongod).unwrap().origin, Origin::Cache);
    }

    #[test]
    fn a_missing_part_says_what_to_do() {
        let places = Places::new();
        let error = locate_in(&places.env_with(true, true), Part::Mongodump).unwrap_err().to_string();
        for needed in ["mongodump is missing", "cargo xtask setup", "TIDEMARK_MONGODUMP", "PATH"] {
            assert!(error.contains(needed), "{error}");
        }
        assert!(error.contains(&places.at("cache").display().to_string()), "{error}");
    }

    #[test]
    fn the_cache_is_where_the_user_wants_it() {
        let cache = |variables: &[(&str, &str)]| Env::new("/w", variables.iter().copied()).cache_dir();
        let home = ("HOME", "/h");
        assert_eq!(cache(&[("TIDEMARK_CACHE", "/c"), ("XDG_CACHE_HOME", "/x"), home]), Path::new("/c"));
        assert_eq!(cache(&[("TIDEMARK_CACHE", "c"), home]), Path::new("/w/c"));
        assert_eq!(cache(&[("XDG_CACHE_HOME", "/x"), home]), Path::new("/x/tidemark/parts"));
        // The XDG specification: a relative path is to be ignored.
        assert_eq!(cache(&[("XDG_CACHE_HOME", "x"), home]), Path::new("/h/.cache/tidemark/parts"));
        assert_eq!(cache(&[]), Path::new("/w/target/parts"));
    }

    #[test]
    fn the_workspace_is_the_folder_of_the_root_manifest() {
        let manifest = fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[workspace]"));
    }
}
