//! Steps of a verb: announced, run, timed, and summed up at the end. The first that fails ends the verb.

use anyhow::{Context, Result, bail};
use std::fmt;
use std::process::Command;
use std::time::Duration;
use tidemark_base::{Clock, SystemClock};
use tidemark_testkit::parts;

/// A command line with the environment variables it adds.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    words: Vec<String>,
    variables: Vec<(&'static str, String)>,
}

impl<const N: usize> From<[&str; N]> for Invocation {
    fn from(words: [&str; N]) -> Self {
        Self { words: words.map(str::to_owned).to_vec(), variables: Vec::new() }
    }
}

impl Invocation {
    /// A command line of words that are put together when it is needed.
    pub(crate) fn new<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        Self { words: words.into_iter().map(str::to_owned).collect(), variables: Vec::new() }
    }

    /// Adds an environment variable.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// The command, to be run in the workspace's folder.
    pub(crate) fn command(&self) -> Result<Command> {
        let (program, arguments) = self.words.split_first().context("an empty command line")?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(parts::workspace());
        // What cargo told this program about its own package would make build scripts of dependencies that
        // watch these variables run again, and half the workspace be built twice.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(is_about_this_package) {
                command.env_remove(name);
            }
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.variables {
            write!(f, "{name}={value} ")?;
        }
        f.write_str(&self.words.join(" "))
    }
}

fn is_about_this_package(variable: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"].iter().any(|it| variable.starts_with(it))
        || ["CARGO_PRIMARY_PACKAGE", "OUT_DIR"].contains(&variable)
}

/// Formatting of every crate is as rustfmt has it.
pub(crate) fn format() -> Invocation {
    ["cargo", "fmt", "--all", "--check"].into()
}

/// No warning anywhere.
pub(crate) fn clippy() -> Invocation {
    ["cargo", "clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"].into()
}

/// The steps done so far.
pub(crate) struct Steps {
    clock: Box<dyn Clock>,
    done: Vec<(&'static str, Duration)>,
}

impl Steps {
    pub(crate) fn new() -> Self {
        Self { clock: Box::new(SystemClock::new()), done: Vec::new() }
    }

    /// A step that is a command.
    pub(crate) fn command(&mut self, name: &'static str, invocation: &Invocation) -> Result<()> {
        self.step(name, &invocation.to_string(), || {
            let status =
                invocation.command()?.status().with_context(|| format!("cannot run {invocation}"))?;
            if !status.success() {
                bail!("{status}");
            }
            Ok(())
        })
    }

    /// A step that is work of this program.
    pub(crate) fn work(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        self.step(name, "", work)
    }

    fn step(&mut self, name: &'static str, how: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        println!("\n=== {name}{}{how}", if how.is_empty() { "" } else { ": " });
        let start = self.clock.monotonic();
        let result = work();
        self.done.push((name, self.clock.monotonic().saturating_sub(start)));
        if result.is_err() {
            self.summary();
        }
        result.with_context(|| format!("step {name:?} failed"))
    }

    /// Prints the steps and how long each took.
    pub(crate) fn summary(&self) {
        println!("\n=== summary");
        let total = self.done.iter().map(|(_, took)| *took).sum::<Duration>();
        for (name, took) in self.done.iter().chain([&("total", total)]) {
            println!("{name:12} {:8.1} s", took.as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tidemark_base::clock::ManualClock;

    #[test]
    fn each_step_is_timed() {
        struct Shared(Arc<ManualClock>);
        impl Clock for Shared {
            fn now(&self) -> tidemark_base::UnixMillis {
                self.0.now()
            }
            fn monotonic(&self) -> Duration {
                self.0.monotonic()
            }
        }
        let clock = Arc::new(ManualClock::default());
        let mut steps = Steps { clock: Box::new(Shared(clock.clone())), done: Vec::new() };
        for seconds in [3, 4] {
            let work = || {
                clock.advance(Duration::from_secs(seconds));
                Ok(())
            };
            steps.work("a", work).unwrap();
        }
        assert_eq!(steps.done, [("a", Duration::from_secs(3)), ("a", Duration::from_secs(4))]);
    }

    #[test]
    fn a_failed_step_is_named() {
        let _turn = crate::turn::take();
        let error = Steps::new().command("doomed", &["false"].into()).unwrap_err();
        assert!(format!("{error:#}").starts_with("step \"doomed\" failed: exit status: 1"), "{error:#}");
        let error = Steps::new().command("absent", &["no-such-program-here"].into()).unwrap_err();
        assert!(format!("{error:#}").contains("cannot run no-such-program-here"), "{error:#}");
    }

    #[test]
    fn a_command_line_shows_its_variables() {
        let invocation = Invocation::from(["cargo", "doc"]).with("RUSTDOCFLAGS", "-Dwarnings");
        assert_eq!(invocation.to_string(), "RUSTDOCFLAGS=-Dwarnings cargo doc");
    }

    #[test]
    fn what_cargo_says_of_xtask_is_not_passed_on() {
        let _turn = crate::turn::take();
        // Cargo sets these for the process of this test, too.
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some());
        let output = Invocation::from(["env"]).with("ADDED", "1").command().unwrap().output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let names: Vec<_> = text.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
        assert!(!names.iter().any(|name| is_about_this_package(name)), "{names:?}");
        assert!(names.contains(&"PATH") && names.contains(&"ADDED"), "{names:?}");
    }
}
