//! The configuration file as keys and values: lines of `key = value`, or TOML if it is named so.
//!
//! Called by [`super::Config::load`]. Lines are what agents of this kind have always had, with `#` for comments; a line
//! `[rs0]` puts `rs0.` before the keys that follow. Lists are texts with commas or semicolons, in TOML arrays too. What
//! the keys mean is not known here.

use crate::{Error, Result};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Longest file, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// What names the configuration itself.
pub(super) const CONFIG: &str = "--config";

/// Keys and values.
pub(super) type Values = BTreeMap<String, String>;

/// Reads a file's keys and values.
pub(super) fn read(path: &Path) -> Result<Values> {
    let text = text(path, CONFIG)?;
    let values = if path.extension().is_some_and(|it| it == "toml") { toml(&text) } else { lines(&text) };
    values.map_err(|why| Error::Config(format!("{}: {why}", path.display())))
}

/// A text file of moderate length, named by a key.
pub(super) fn text(path: &Path, key: &str) -> Result<String> {
    let failed = |error| unreadable(key, path, &error);
    if fs::metadata(path).map_err(failed)?.len() > MAX_FILE_BYTES {
        return Err(Error::Config(format!("{} is longer than a MiB", path.display())));
    }
    fs::read_to_string(path).map_err(failed)
}

/// A file that somebody else will read, and who would not say which one cannot be.
pub(super) fn must_be_readable(path: &Path, key: &str) -> Result<()> {
    let failed = |error| unreadable(key, path, &error);
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(Error::Config(format!("{key} names {}, which is no file", path.display())));
    }
    File::open(path).map(drop).map_err(failed)
}

/// That a file cannot be read, by the key that names it, and what helps.
fn unreadable(key: &str, path: &Path, error: &io::Error) -> Error {
    let path = path.display();
    let fix = match error.kind() {
        ErrorKind::NotFound => "write the full path of a file that is there".to_owned(),
        ErrorKind::PermissionDenied => format!(
            "let the user that runs the agent read it: chgrp <its group> {path}; chmod 640 {path}; and let it \
             into the folders above"
        ),
        _ => "it must be a file of text".to_owned(),
    };
    Error::Config(format!("{key} names {path}, which cannot be read: {error}; {fix}"))
}

/// A file with a secret in it must not be for everybody.
pub(super) fn must_be_private(path: &Path, key: &str) -> Result<()> {
    let mode = fs::metadata(path).map_err(|error| unreadable(key, path, &error))?.permissions().mode();
    // Its group may read it, so that it can belong to root and the agent need not.
    if mode & 0o027 == 0 {
        return Ok(());
    }
    let path = path.display();
    Err(Error::Config(format!(
        "{path} holds a secret, and others may read or change it; run: chmod 600 {path}"
    )))
}

fn lines(text: &str) -> std::result::Result<Values, String> {
    let mut values = Values::new();
    let mut section = String::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = format!("{}.", name.trim());
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            // The line may be half of a secret: it is not repeated.
            return Err(format!("line {number} is not 'key = value'"));
        };
        let value = value.trim();
        let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        put(&mut values, format!("{section}{}", key.trim()), quoted.unwrap_or(value).to_owned())?;
    }
    Ok(values)
}

fn toml(text: &str) -> std::result::Result<Values, String> {
    // The parser's own message quotes the line, which may hold a secret.
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        format!("line {} is not TOML: {}", before.lines().count().max(1), error.message())
    })?;
    let mut values = Values::new();
    flatten("", &table, &mut values)?;
    Ok(values)
}

fn flatten(prefix: &str, table: &toml::Table, values: &mut Values) -> std::result::Result<(), String> {
    for (key, value) in table {
        let key = format!("{prefix}{key}");
        let text = match value {
            toml::Value::Table(inner) => {
                flatten(&format!("{key}."), inner, values)?;
                continue;
            }
            toml::Value::Array(items) => {
                let texts: Option<Vec<&str>> = items.iter().map(toml::Value::as_str).collect();
                texts.ok_or_else(|| format!("{key} must be a list of texts"))?.join(";")
            }
            toml::Value::String(text) => text.clone(),
            toml::Value::Integer(number) => number.to_string(),
            _ => return Err(format!("{key} must be a text")),
        };
        put(values, key, text)?;
    }
    Ok(())
}

fn put(values: &mut Values, key: String, value: String) -> std::result::Result<(), String> {
    match values.insert(key.clone(), value) {
        None => Ok(()),
        Some(_) => Err(format!("{key} is there twice")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_toml_say_the_same() {
        let from_lines =
            lines("# agent\nmmsGroupId=aa\n\nmothership = \"https://a, https://b\"\n[rs0]\nusername = u\n");
        let from_toml =
            toml("mmsGroupId = 'aa'\nmothership = 'https://a, https://b'\n[rs0]\nusername = 'u'\n");
        assert_eq!(from_lines, from_toml);
        assert_eq!(from_lines.unwrap()["rs0.username"], "u");
        assert_eq!(toml("replicaSets = ['a/b', 'c/d']").unwrap()["replicaSets"], "a/b;c/d");
    }

    #[test]
    fn who_may_not_read_a_file_is_told_which_and_what_helps() {
        let denied = io::Error::from_raw_os_error(13);
        let said = unreadable("rs0.passwordFile", Path::new("/etc/agent/password"), &denied).to_string();
        for part in [
            "rs0.passwordFile names /etc/agent/password",
            "Permission denied",
            "chmod 640 /etc/agent/password",
        ] {
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_line_itself() {
        for outcome in [lines("a = 1\npasswordhunter2"), toml("a = 1\npassword = hunter2"), lines("a=1\na=2")]
        {
            let why = outcome.unwrap_err();
            assert!(!why.contains("hunter2"), "{why}");
        }
    }
}
