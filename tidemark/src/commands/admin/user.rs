//! `tidemark admin add-user`.

use crate::data::DataArg;
use crate::exit::Exit;
use crate::output::Output;
use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use std::fmt;
use std::fs;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use tidemark_base::{Clock as _, OsEntropy, SystemClock};
use tidemark_metadata::{Login, NewUser, Password, PasswordHasher};

/// Make a user; the first one owns the installation
///
/// The password is asked for on a terminal, and else read as one line from standard input or from a file: it never
/// stands among the arguments, where every user of the machine could read it.
#[derive(Debug, Args)]
pub(crate) struct AddUserArgs {
    #[command(flatten)]
    data: DataArg,
    /// What the person logs in with
    login: String,
    /// A file with the password in its first line
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

#[derive(Serialize)]
struct Added {
    id: String,
    login: String,
    owner: bool,
}

impl fmt::Display for Added {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, login, owner } = self;
        let what = if *owner { ", who owns the installation" } else { ", without any role yet" };
        write!(f, "made user {login} ({id}){what}")
    }
}

pub(super) fn run(args: &AddUserArgs, out: Output) -> Result<Exit> {
    let metadata = args.data.metadata()?;
    let login = Login::new(args.login.as_str())?;
    let password = Password::new(password(args)?)?;
    let hash = PasswordHasher::new(1, 0).hash(&password, &mut OsEntropy)?;
    let (new, now) = (NewUser { login, password: hash }, SystemClock::new().now());
    let is_first = metadata.is_new()?;
    let user = if is_first {
        metadata.sign_up_first(&new, now, &mut OsEntropy)?
    } else {
        metadata.sign_up(&new, now, &mut OsEntropy)?
    };
    let owner = user.roles.global_owner;
    out.result(&Added { id: user.id.to_string(), login: user.login.to_string(), owner })?;
    Ok(Exit::Done)
}

fn password(args: &AddUserArgs) -> Result<String> {
    if let Some(file) = &args.password_file {
        let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        return Ok(text.lines().next().unwrap_or_default().to_owned());
    }
    if !io::stdin().is_terminal() {
        return line();
    }
    let _silent = Silent::begin()?;
    ask("Password: ")?;
    let first = line()?;
    ask("\nThe same again: ")?;
    let second = line()?;
    ask("\n")?;
    if first == second { Ok(first) } else { anyhow::bail!("the two passwords are not the same") }
}

fn ask(text: &str) -> Result<()> {
    let mut err = io::stderr().lock();
    write!(err, "{text}")?;
    Ok(err.flush()?)
}

fn line() -> Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// A terminal that does not show what is typed, until this is dropped.
struct Silent {
    before: rustix::termios::Termios,
}

impl Silent {
    fn begin() -> Result<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self { before })
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // There is nothing to be done about a terminal that has gone.
        let _ = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, &self.before);
    }
}
