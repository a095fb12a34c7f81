//! Proof that a part starts, and the reason when it does not.
//!
//! The usual reasons: a shared library that is not installed, a C library that is too old or another, a CPU
//! without AVX (MongoDB 5 and later need it).

use super::bundle::last_lines;
use anyhow::{Result, bail};
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tidemark_testkit::parts::{Env, Part};

/// The signal for an instruction that the CPU doesn't know.
const SIGILL: i32 = 4;

/// Libraries the fetched parts link to, and the package that has each on Debian and Ubuntu.
const PACKAGES: [(&str, &str); 10] = [
    ("libcurl.so", "libcurl4"),
    ("libssl.so", "libssl3"),
    ("libcrypto.so", "libssl3"),
    ("liblzma.so", "liblzma5"),
    ("libgcc_s.so", "libgcc-s1"),
    ("libgssapi_krb5.so", "libgssapi-krb5-2"),
    ("libkrb5.so", "libkrb5-3"),
    ("libk5crypto.so", "libk5crypto3"),
    ("libkrb5support.so", "libkrb5support0"),
    ("libcom_err.so", "libcom-err2"),
];

/// The first line of what the part says to `--version`.
pub(super) fn version(env: &Env, part: Part, path: &Path) -> Result<String> {
    let run = Command::new(path).arg("--version").stdin(Stdio::null()).output();
    let (reason, remedy) = match run {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            return Ok(text.lines().next().unwrap_or_default().to_owned());
        }
        Ok(output) => diagnose(env, path, &output),
        // The file is there, so it is the interpreter it names that is not.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            ("the dynamic loader it needs is not here".to_owned(), Some("use a system with glibc".to_owned()))
        }
        Err(error) => (error.to_string(), None),
    };
    let remedy = remedy.map(|it| format!("{it}, or ")).unwrap_or_default();
    let variable = part.variable();
    bail!(
        "{} does not start: {reason}\nTo do: {remedy}set {variable} to a {part} that runs here",
        path.display()
    );
}

/// Why a part that was started failed, and what to do about it if that is known.
fn diagnose(env: &Env, path: &Path, output: &Output) -> (String, Option<String>) {
    if output.status.signal() == Some(SIGILL) {
        return ("this CPU lacks an instruction it uses; MongoDB 5 and later need AVX".to_owned(), None);
    }
    let stderr = last_lines(&output.stderr);
    let linked = linked(env, path);
    let libraries = missing_libraries(&linked);
    if !libraries.is_empty() {
        let remedy = format!("install them (Debian, Ubuntu: `apt-get install {}`)", packages(&libraries));
        return (format!("shared libraries are missing: {}", libraries.join(", ")), Some(remedy));
    }
    if stderr.contains("GLIBC_") {
        return (format!("the C library is too old: {stderr}"), Some("use a newer system".to_owned()));
    }
    (format!("{}: {stderr}", output.status), None)
}

/// What `ldd` says of the file; nothing when there is no `ldd`.
fn linked(env: &Env, path: &Path) -> String {
    let Some(ldd) = env.find_on_path("ldd") else { return String::new() };
    let run = Command::new(ldd).arg(path).env("PATH", env.search_path()).output();
    run.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

fn missing_libraries(ldd: &str) -> Vec<&str> {
    ldd.lines().filter_map(|line| line.trim().strip_suffix("=> not found")).map(str::trim).collect()
}

fn packages(libraries: &[&str]) -> String {
    let package = |library: &&str| {
        let known = PACKAGES.iter().find(|(prefix, _)| library.starts_with(prefix));
        known.map_or_else(|| format!("<the package of {library}>"), |(_, package)| (*package).to_owned())
    };
    let mut packages: Vec<_> = libraries.iter().map(package).collect();
    packages.sort();
    packages.dedup();
    packages.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LDD: &str = "\tlinux-vdso.so.1 (0x00007fbe7e6c5000)\n\
        \tlibcurl.so.4 => not found\n\
        \tliblzma.so.5 => /lib/x86_64-linux-gnu/liblzma.so.5 (0x00007fbe7e685000)\n\
        \tlibcrypto.so.3 => not found\n\tlibssl.so.3 => not found\n";

    #[test]
    fn libraries_that_ldd_does_not_find_are_listed() {
        assert_eq!(missing_libraries(LDD), ["libcurl.so.4", "libcrypto.so.3", "libssl.so.3"]);
    }

    #[test]
    fn each_missing_library_gets_its_package_once() {
        assert_eq!(packages(&missing_libraries(LDD)), "libcurl4 libssl3");
        assert_eq!(packages(&["libodd.so.1"]), "<the package of libodd.so.1>");
    }
}
