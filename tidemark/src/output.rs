//! What the program says: results on standard output, everything else on standard error; text or JSON.
//!
//! A result is a value that can be serialised, and shown. Nothing is printed elsewhere, and everything passes
//! through [`crate::safe`].

use crate::exit::Exit;
use crate::safe;
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// One JSON document on one line
    Json,
}

/// Where a run says what it has to say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    format: Format,
}

#[derive(Serialize)]
struct Note<'n> {
    note: &'n str,
}

#[derive(Serialize)]
struct Failure<'m> {
    error: &'m str,
    exit_code: u8,
}

impl Output {
    pub(crate) const fn new(format: Format) -> Self {
        Self { format }
    }

    /// Whether somebody watches how things go on.
    pub(crate) fn shows_progress(self) -> bool {
        self.format == Format::Text && io::stderr().is_terminal()
    }

    /// Writes a result. Lines of its text are escaped one by one.
    pub(crate) fn result(self, result: &(impl Serialize + Display)) -> anyhow::Result<()> {
        let text = self.text(result)?;
        Ok(writeln!(io::stdout().lock(), "{text}")?)
    }

    /// Writes a result beside data that take standard output.
    pub(crate) fn result_aside(self, result: &(impl Serialize + Display)) -> anyhow::Result<()> {
        let text = self.text(result)?;
        Ok(writeln!(io::stderr().lock(), "{text}")?)
    }

    fn text(self, result: &(impl Serialize + Display)) -> anyhow::Result<String> {
        Ok(match self.format {
            Format::Json => safe::json(&serde_json::to_string(result)?),
            Format::Text => {
                result.to_string().trim_end().lines().map(safe::line).collect::<Vec<_>>().join("\n")
            }
        })
    }

    /// Something worth knowing that is no result and no error.
    pub(crate) fn note(self, note: &str) {
        self.aside(&Note { note }, note);
    }

    /// Why the run fails.
    pub(crate) fn error(self, error: &str, exit: Exit) {
        self.aside(&Failure { error, exit_code: exit as u8 }, &format!("error: {error}"));
    }

    fn aside(self, value: &impl Serialize, text: &str) {
        let line = match self.format {
            Format::Json => serde_json::to_string(value).map_or_else(|_| String::new(), |it| safe::json(&it)),
            Format::Text => format!("tidemark: {}", safe::line(text)),
        };
        // There is nobody left to tell.
        let _ = writeln!(io::stderr().lock(), "{line}");
    }
}
