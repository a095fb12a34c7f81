//! Rule: which crate of ours may use which, and which crates of others the engine may not use.
//!
//! The table says the same as ARCHITECTURE.md and is what is enforced. It is read from the declared
//! dependencies, so one behind a feature or for one platform counts as well. What a crate exports to whom
//! within these edges (the front-end uses only the export side of `head`) is not checked here.

use super::Finding;
use anyhow::{Context, Result};
use cargo_metadata::{Dependency, DependencyKind, MetadataCommand};
use std::path::Path;

/// A crate of ours: its folder, and the folders of the crates that its shipped code may use.
struct Place {
    folder: &'static str,
    may_use: &'static [&'static str],
    engine: bool,
}

const fn place(folder: &'static str, may_use: &'static [&'static str]) -> Place {
    Place { folder, may_use, engine: false }
}

const fn engine(folder: &'static str, may_use: &'static [&'static str]) -> Place {
    Place { folder, may_use, engine: true }
}

const ALL: &[&str] = &[
    "base",
    "blockstore",
    "oplog",
    "head",
    "metadata",
    "daemon",
    "frontend",
    "agent",
    "tidemark",
    "testkit",
    "benches",
    "fuzz",
    "xtask",
];

const SHIPPED: &[&str] = &["base", "blockstore", "oplog", "head", "metadata", "daemon", "frontend", "agent"];

const PLACES: [Place; 13] = [
    engine("base", &[]),
    engine("blockstore", &["base"]),
    engine("oplog", &["base", "blockstore"]),
    engine("head", &["base", "blockstore", "oplog"]),
    place("metadata", &["base"]),
    place("daemon", &["base", "blockstore", "oplog", "head", "metadata"]),
    place("frontend", &["base", "blockstore", "oplog", "head", "metadata"]),
    place("agent", &["base", "oplog"]),
    place("tidemark", SHIPPED),
    place("testkit", ALL),
    place("benches", ALL),
    place("fuzz", ALL),
    place("xtask", ALL),
];

/// Crates of others that need a server or a runtime: the engine is synchronous and talks to nobody.
const NOT_IN_ENGINE: [&str; 2] = ["tokio", "mongodb"];

/// An edge that must be optional, so that who is in front builds without who is behind.
const OPTIONAL: [(&str, &str); 1] = [("oplog", "blockstore")];

/// A crate of the workspace and what its manifest declares.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    /// The folder of the crate, relative to the workspace.
    folder: String,
    manifest: String,
    uses: Vec<Use>,
}

#[derive(Clone, Debug)]
struct Use {
    /// The package's name; for one of ours, the name of its folder.
    name: String,
    ours: bool,
    dev: bool,
    optional: bool,
}

/// Reads the manifests. Needs no network: nothing is resolved.
pub(super) fn declared(workspace: &Path) -> Result<Vec<Declared>> {
    let mut command = MetadataCommand::new();
    command.manifest_path(workspace.join("Cargo.toml")).no_deps();
    let metadata = command.exec().context("cargo metadata")?;
    let root = metadata.workspace_root.as_std_path();
    let folder = |path: &Path| path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
    let mut crates = Vec::new();
    for package in &metadata.packages {
        let path = package.manifest_path.as_std_path();
        let manifest =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let one_use = |it: &Dependency| Use {
            name: it.path.as_ref().map_or_else(|| it.name.clone(), |path| folder(path.as_std_path())),
            ours: it.path.is_some(),
            dev: it.kind == DependencyKind::Development,
            optional: it.optional,
        };
        let uses = package.dependencies.iter().map(one_use).collect();
        crates.push(Declared { folder: folder(path.parent().unwrap_or(path)), manifest, uses });
    }
    crates.sort_by(|a, b| a.folder.cmp(&b.folder));
    Ok(crates)
}

/// Compares what is declared with the table.
pub(super) fn check(crates: &[Declared]) -> Vec<Finding> {
    crates.iter().flat_map(check_one).collect()
}

fn check_one(declared: &Declared) -> Vec<Finding> {
    let folder = declared.folder.as_str();
    let Some(place) = PLACES.iter().find(|it| it.folder == folder) else {
        let advice = format!("{folder} is not in the table of crates: add it there and to ARCHITECTURE.md");
        return vec![declared.finding("[package]", advice)];
    };
    let mut findings = Vec::new();
    for it in &declared.uses {
        let name = it.name.as_str();
        let allowed = place.may_use.contains(&name) || (it.dev && name == "testkit");
        if it.ours && !allowed {
            let may =
                if place.may_use.is_empty() { "nothing of ours".into() } else { place.may_use.join(", ") };
            findings.push(declared.finding(name, format!("{folder} must not use {name}; it may use {may}")));
        }
        if !it.ours && !it.dev && place.engine && NOT_IN_ENGINE.contains(&name) {
            let advice = format!("{folder} is part of the engine and must not use {name}");
            findings.push(declared.finding(name, advice));
        }
        if it.ours && !it.dev && !it.optional && OPTIONAL.contains(&(folder, name)) {
            let advice = format!("{folder} must use {name} behind a feature only (`optional = true`)");
            findings.push(declared.finding(name, advice));
        }
    }
    findings
}

impl Declared {
    /// A finding at the line of the manifest that names the dependency, or at its first.
    fn finding(&self, dependency: &str, advice: String) -> Finding {
        let names = |line: &str| {
            let line = line.trim_start();
            let line = line.strip_prefix("tidemark-").unwrap_or(line);
            let rest = line.strip_prefix(dependency);
            rest.is_some_and(|it| it.is_empty() || it.starts_with(['.', ' ', '=']))
        };
        let line = self.manifest.lines().position(names).map_or(1, |at| at + 1);
        Finding { path: format!("{}/Cargo.toml", self.folder), line, rule: "dependency direction", advice }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(name: &str) -> Use {
        Use { name: name.into(), ours: true, dev: false, optional: false }
    }

    fn crate_with(folder: &str, uses: Vec<Use>) -> Vec<Finding> {
        let lines: String =
            uses.iter().map(|it| format!("tidemark-{}.workspace = true\n", it.name)).collect();
        let manifest = format!("[package]\n[dependencies]\nserde.workspace = true\n{lines}");
        check(&[Declared { folder: folder.into(), manifest, uses }])
    }

    #[test]
    fn an_edge_against_the_direction_is_found_with_its_line() {
        let findings = crate_with("blockstore", vec![ours("base"), ours("head")]);
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!((finding.path.as_str(), finding.line), ("blockstore/Cargo.toml", 5));
        assert_eq!(finding.advice, "blockstore must not use head; it may use base");
    }

    #[test]
    fn the_edges_that_matter_most_are_refused() {
        for (from, to) in [
            ("base", "oplog"),
            ("oplog", "head"),
            ("frontend", "daemon"),
            ("frontend", "agent"),
            ("agent", "blockstore"),
            ("agent", "head"),
            ("metadata", "blockstore"),
            ("daemon", "testkit"),
            ("tidemark", "xtask"),
        ] {
            assert_eq!(crate_with(from, vec![ours(to)]).len(), 1, "{from} -> {to}");
        }
    }

    #[test]
    fn tests_may_use_the_testkit_but_nothing_else_beyond_the_table() {
        let dev = |name: &str| Use { dev: true, ..ours(name) };
        assert_eq!(crate_with("blockstore", vec![dev("testkit"), dev("base")]), []);
        assert_eq!(crate_with("blockstore", vec![dev("head")]).len(), 1);
    }

    #[test]
    fn the_engine_uses_no_runtime_and_no_driver() {
        let theirs = |name: &str, dev| Use { name: name.into(), ours: false, dev, optional: true };
        for folder in ["base", "blockstore", "oplog", "head"] {
            assert_eq!(crate_with(folder, vec![theirs("tokio", false), theirs("mongodb", false)]).len(), 2);
            assert_eq!(crate_with(folder, vec![theirs("mongodb", true), theirs("zstd", false)]), []);
        }
        assert_eq!(crate_with("agent", vec![theirs("mongodb", false)]), []);
    }

    #[test]
    fn the_oplog_uses_the_blockstore_behind_a_feature_only() {
        assert_eq!(crate_with("oplog", vec![ours("blockstore")]).len(), 1);
        assert_eq!(crate_with("oplog", vec![Use { optional: true, ..ours("blockstore") }]), []);
    }

    #[test]
    fn a_crate_that_nobody_has_placed_is_found() {
        assert_eq!(crate_with("misc", vec![]).len(), 1);
    }

    #[test]
    fn the_table_has_no_circle_and_knows_every_name_it_uses() {
        // Shipped crates only use crates that stand before them in the table.
        let position = |name: &str| PLACES.iter().position(|it| it.folder == name).unwrap();
        for place in PLACES.iter().filter(|it| SHIPPED.contains(&it.folder) || it.folder == "tidemark") {
            assert!(place.may_use.iter().all(|it| position(it) < position(place.folder)), "{}", place.folder);
        }
        assert!(ALL.iter().all(|name| PLACES.iter().any(|it| it.folder == *name)));
        assert_eq!(ALL.len(), PLACES.len());
    }

    #[test]
    fn the_real_manifests_are_read() {
        let _turn = crate::turn::take();
        let crates = declared(&tidemark_testkit::parts::workspace()).unwrap();
        let xtask = crates.iter().find(|it| it.folder == "xtask").unwrap();
        let uses: Vec<_> = xtask.uses.iter().filter(|it| it.ours).map(|it| it.name.as_str()).collect();
        assert_eq!(uses, ["base", "testkit"]);
    }
}
