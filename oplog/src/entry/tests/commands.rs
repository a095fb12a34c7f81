//! Commands: each is read, each that is known to do nothing does nothing, and all others are errors.

use super::super::{Body, Command, CommandEntry, DropTarget, Manner};
use super::{UUID, field, problem, uuid, with};
use crate::error::EntryProblem;
use bson::{Document, doc};
use tidemark_base::CollectionUuid;

fn logged(o: Document) -> Document {
    doc! {"op": "c", "ns": "a.$cmd", "ui": uuid(), "o": o}
}

fn command<T>(o: Document, check: impl FnOnce(Command<'_>) -> T) -> T {
    with(logged(o), |entry| {
        let Body::Command(command) = entry.body else { panic!("{:?} is no command", entry.body) };
        let uuid = Some(CollectionUuid::from_bytes(UUID));
        let CommandEntry { database, manner, .. } = command;
        assert_eq!((database, command.uuid, manner), ("a", uuid, Manner::Strict));
        check(command.command)
    })
}

/// The name in a command that has nothing but one.
fn name<'a>(command: &Command<'a>) -> &'a str {
    match command {
        Command::Create { name, .. }
        | Command::Drop { name }
        | Command::EmptyCapped { name }
        | Command::CollMod { name, .. }
        | Command::CreateIndex { name, .. }
        | Command::StartIndexBuild { name }
        | Command::CommitIndexBuild { name, .. }
        | Command::AbortIndexBuild { name, .. }
        | Command::ConvertToCapped { name, .. }
        | Command::DropIndexes { name, .. } => name,
        Command::DropDatabase | Command::Rename { .. } => panic!("{command:?} has no one name"),
    }
}

#[test]
fn every_command_that_changes_the_catalog_is_read() {
    let spec = doc! {"v": 2, "key": {"x": 1}, "name": "x_1"};
    let index = |command: &str| doc! {command: "c", "indexBuildUUID": uuid(), "indexes": [spec.clone()]};
    for o in [
        doc! {"create": "c", "capped": true, "size": 4096, "unheardOf": 1},
        doc! {"drop": "c"},
        doc! {"emptycapped": "c"},
        doc! {"collMod": "c", "validator": {}},
        doc! {"createIndexes": "c", "v": 2, "key": {"x": 1}, "name": "x_1"},
        index("startIndexBuild"),
        index("commitIndexBuild"),
        index("abortIndexBuild"),
        doc! {"convertToCapped": "c", "size": 100_000},
        doc! {"dropIndexes": "c", "index": "x_1"},
    ] {
        let whole = super::bytes(&o);
        command(o, |command| {
            assert_eq!(name(&command), "c");
            if let Command::Create { o, .. } | Command::CollMod { o, .. } | Command::CreateIndex { o, .. } =
                command
            {
                assert_eq!(o.as_bytes(), whole, "unknown options are kept");
            }
            if let Command::CommitIndexBuild { indexes, .. } | Command::AbortIndexBuild { indexes, .. } =
                command
            {
                assert_eq!(indexes.elements().count(), 1);
            }
        });
    }
    command(doc! {"dropDatabase": 1}, |command| assert_eq!(command, Command::DropDatabase));
}

#[test]
fn create_has_an_id_index_or_not() {
    command(doc! {"create": "c", "idIndex": {"v": 2}}, |command| {
        assert!(matches!(command, Command::Create { id_index: Some(index), .. } if !index.is_empty()));
    });
    command(doc! {"create": "c", "clusteredIndex": true}, |command| {
        assert!(matches!(command, Command::Create { id_index: None, .. }));
    });
    assert_eq!(problem(logged(doc! {"create": "c", "idIndex": 1})), field("o.idIndex"));
}

#[test]
fn indexes_are_dropped_under_all_spellings() {
    for spelling in ["dropIndexes", "dropIndex", "deleteIndexes", "deleteIndex"] {
        command(doc! {spelling: "c", "index": "*"}, |command| {
            assert_eq!(command, Command::DropIndexes { name: "c", index: "*" });
        });
    }
    assert_eq!(problem(logged(doc! {"dropIndexes": "c", "index": {"x": 1}})), field("o.index"));
}

#[test]
fn a_rename_says_what_it_replaces() {
    let rename = |extra: Document| {
        let mut o = doc! {"renameCollection": "a.x", "to": "a.y.z"};
        o.extend(extra);
        o
    };
    let other = CollectionUuid::from_bytes(UUID);
    for (extra, target, temp) in [
        (doc! {}, DropTarget::No, false),
        (doc! {"stayTemp": false, "dropTarget": false}, DropTarget::No, false),
        (doc! {"stayTemp": true, "dropTarget": true}, DropTarget::ByName, true),
        (doc! {"dropTarget": 1.0}, DropTarget::ByName, false),
        (doc! {"dropTarget": uuid()}, DropTarget::Uuid(other), false),
    ] {
        command(rename(extra), |command| {
            let Command::Rename { from, to, stay_temp, drop_target } = command else { panic!("{command:?}") };
            assert_eq!((from.full(), to.full()), ("a.x", "a.y.z"));
            assert_eq!((stay_temp, drop_target), (temp, target));
        });
    }
    assert_eq!(problem(logged(rename(doc! {"dropTarget": "y"}))), field("o.dropTarget"));
    let across = problem(logged(doc! {"renameCollection": "a.x", "to": "b.x"}));
    assert!(matches!(across, EntryProblem::NeedsResync { .. }), "{across:?}");
}

#[test]
fn sizes_come_as_any_whole_number() {
    for size in [bson::Bson::Int32(512), bson::Bson::Int64(512), bson::Bson::Double(512.0)] {
        command(doc! {"convertToCapped": "c", "size": size}, |command| {
            assert_eq!(command, Command::ConvertToCapped { name: "c", size_bytes: 512 });
        });
    }
    for size in
        [bson::Bson::Int32(-1), bson::Bson::Double(f64::NAN), bson::Bson::Double(1e300), bson::Bson::Null]
    {
        assert_eq!(problem(logged(doc! {"convertToCapped": "c", "size": size})), field("o.size"));
    }
}

#[test]
fn commands_known_to_change_nothing_change_nothing() {
    for name in [
        "dbCheck",
        "dropIdent",
        "setMultikeyMetadata",
        "createDatabaseMetadata",
        "dropDatabaseMetadata",
        "modifyCollectionShardingIndexCatalog",
        "createGlobalIndex",
        "dropGlobalIndex",
    ] {
        with(logged(doc! {name: "c", "more": 1}), |entry| assert_eq!(entry.body, Body::Nothing));
    }
    with(logged(doc! {"truncateRange": "config.system.preimages"}), |entry| {
        assert_eq!(entry.body, Body::Nothing);
    });
}

#[test]
fn commands_that_nobody_can_follow_ask_for_a_resync() {
    for o in [
        doc! {"importCollection": "c"},
        doc! {"upgradeDowngradeViewlessTimeseries": "c"},
        doc! {"truncateRange": "a.c"},
        doc! {"create": "c", "viewOn": "d"},
    ] {
        let first = o.keys().next().unwrap().clone();
        match problem(logged(o)) {
            EntryProblem::NeedsResync { command, .. } => assert_eq!(command, first),
            other => panic!("{first}: {other:?}"),
        }
    }
}

#[test]
fn a_command_that_is_not_known_is_an_error() {
    let unknown = |command: &str| EntryProblem::UnknownCommand { command: command.into() };
    assert_eq!(problem(logged(doc! {"shuffle": "c"})), unknown("shuffle"));
    // The first field is the command, whatever follows.
    assert_eq!(problem(logged(doc! {"x": 1, "drop": "c"})), unknown("x"));
    assert_eq!(problem(logged(doc! {})), field("o"));
}

#[test]
fn a_form_of_create_indexes_without_its_specification_inline_is_refused() {
    assert_eq!(problem(logged(doc! {"createIndexes": "c", "indexes": []})), field("o.key"));
    assert_eq!(problem(logged(doc! {"createIndexes": "c", "key": {"x": 1}})), field("o.name"));
    assert_eq!(problem(logged(doc! {"commitIndexBuild": "c"})), field("o.indexes"));
    assert_eq!(problem(logged(doc! {"abortIndexBuild": "c", "indexes": {}})), field("o.indexes"));
}

#[test]
fn names_in_commands_are_checked() {
    assert_eq!(problem(logged(doc! {"drop": 1})), field("o.<command>"));
    let long = "c".repeat(254);
    for o in [
        doc! {"drop": ""},
        doc! {"create": "a\u{0}b"},
        doc! {"collMod": long.as_str()},
        doc! {"renameCollection": "../x.y", "to": "a.y"},
        doc! {"renameCollection": "a.x", "to": "a/b.y"},
        doc! {"truncateRange": "../x.y"},
    ] {
        let wrong = problem(logged(o));
        assert!(matches!(wrong, EntryProblem::Name(_)), "{wrong:?}");
    }
    for ns in ["a.c", "../x.$cmd", "$cmd"] {
        let wrong = problem(doc! {"op": "c", "ns": ns, "o": {"dropDatabase": 1}});
        assert!(matches!(wrong, EntryProblem::Name(_)), "{ns}: {wrong:?}");
    }
}
