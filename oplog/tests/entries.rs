//! Every entry that the captured server wrote is understood, and counts as what the capturing tool called it.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use tidemark_base::bson::{Doc, Element};
use tidemark_oplog::entry::{
    Action, Body, Change, Command, CommandEntry, Entry, Fuzzy, Manner, Operation, Operations, Step,
};
use tidemark_oplog::update::Update;
use tidemark_testkit::captures::{self, Capture, Mode};

fn captures() -> impl Iterator<Item = &'static Capture> {
    let names = captures::names().unwrap();
    names.into_iter().map(|name| captures::get(name).unwrap()).chain([captures::divergent().unwrap()])
}

fn entries(capture: &'static Capture) -> impl Iterator<Item = Entry<'static>> {
    let fuzzy =
        Fuzzy { until: (capture.mode == Mode::InitialSync).then(|| capture.consistent_from.unwrap()) };
    capture.entries.iter().map(move |raw| Entry::parse(Doc::new(raw).unwrap(), fuzzy).unwrap())
}

#[test]
fn every_entry_is_counted_as_the_capturing_tool_counted_it() {
    for capture in captures() {
        let mut kinds = BTreeMap::new();
        for entry in entries(capture) {
            count(&entry, &mut kinds);
        }
        assert_eq!(kinds, capture.kinds, "{}", capture.name);
    }
}

fn count(entry: &Entry<'_>, kinds: &mut BTreeMap<String, u64>) {
    let mut add = |kind: String| *kinds.entry(kind).or_default() += 1;
    for field in ["fromMigrate", "needsRetryImage", "preImageOpTime", "postImageOpTime"] {
        if entry.raw.get(field).unwrap().is_some() {
            add(format!("+{field}"));
        }
    }
    let o = entry.raw.get("o").unwrap().and_then(Element::as_object);
    let counted = || if o.unwrap().get("count").unwrap().is_some() { "+count" } else { "" };
    let (kind, inner) = match &entry.body {
        Body::Nothing => ("n".to_owned(), None),
        Body::Change(change) => (change_kind(change, true), None),
        Body::Command(command) => (format!("c:{}", name_of(command)), None),
        Body::Group(operations) => ("c:applyOps".to_owned(), Some(*operations)),
        Body::Transaction(step) => match step.step {
            Step::Part(operations) => ("c:applyOps+partialTxn+txn".to_owned(), Some(operations)),
            Step::Prepare(operations) => (format!("c:applyOps+prepare{}+txn", counted()), Some(operations)),
            Step::Commit(operations) => (format!("c:applyOps{}+txn", counted()), Some(operations)),
            Step::CommitPrepared => ("c:commitTransaction".to_owned(), None),
            Step::Abort => ("c:abortTransaction".to_owned(), None),
        },
    };
    add(kind);
    for operation in inner.map(Operations::iter).into_iter().flatten() {
        add(match operation.unwrap() {
            Operation::Change(change) => format!("applyOps/{}", change_kind(&change, false)),
            Operation::Command(command) => format!("applyOps/c:{}", name_of(&command)),
        });
    }
}

fn change_kind(change: &Change<'_>, with_form: bool) -> String {
    let kind = match change.action {
        Action::Insert { .. } => "i",
        Action::Delete { .. } => "d",
        Action::Update { .. } if !with_form => "u",
        Action::Update { update: Update::Diff(_), .. } => "u:delta",
        Action::Update { update: Update::Replacement(_), .. } => "u:replace",
        Action::Update { update: Update::Modifiers(_), .. } => "u:modifiers",
    };
    kind.to_owned()
}

fn name_of(command: &CommandEntry<'_>) -> &'static str {
    match command.command {
        Command::Create { .. } => "create",
        Command::Drop { .. } => "drop",
        Command::DropDatabase => "dropDatabase",
        Command::Rename { .. } => "renameCollection",
        Command::ConvertToCapped { .. } => "convertToCapped",
        Command::EmptyCapped { .. } => "emptycapped",
        Command::CollMod { .. } => "collMod",
        Command::CreateIndex { .. } => "createIndexes",
        Command::StartIndexBuild { .. } => "startIndexBuild",
        Command::CommitIndexBuild { .. } => "commitIndexBuild",
        Command::AbortIndexBuild { .. } => "abortIndexBuild",
        Command::DropIndexes { .. } => "dropIndexes",
    }
}

#[test]
fn entries_keep_their_bytes_and_stand_where_the_capture_says() {
    for capture in captures() {
        let mut last = None;
        for (entry, raw) in entries(capture).zip(&capture.entries) {
            assert_eq!(entry.raw.as_bytes(), *raw);
            assert!(entry.wall_ms.is_some() && Some(entry.at.ts) > last);
            last = Some(entry.at.ts);
        }
        assert_eq!(last, Some(capture.stop));
    }
}

#[test]
fn only_the_users_own_apply_ops_are_the_users() {
    for capture in captures() {
        let mut groups = 0;
        for entry in entries(capture) {
            let Body::Group(operations) = entry.body else { continue };
            assert_eq!(
                operations.manner,
                Manner::User { upsert: true, fuzzy: false },
                "{}: {entry:?}",
                capture.name
            );
            groups += 1;
        }
        // One of the eight is nested in another and logged apart, without the request's fields.
        assert_eq!(groups, if capture.name == "applyops_command" { 8 } else { 0 }, "{}", capture.name);
    }
}

#[test]
fn operations_are_tolerant_up_to_the_end_of_an_initial_sync_and_strict_after() {
    for capture in captures() {
        for entry in entries(capture) {
            let manner = match entry.body {
                Body::Change(change) => change.manner,
                Body::Command(command) => command.manner,
                _ => continue,
            };
            let tolerant =
                capture.mode == Mode::InitialSync && entry.at.ts <= capture.consistent_from.unwrap();
            assert_eq!(manner, if tolerant { Manner::Tolerant } else { Manner::Strict });
        }
    }
}
