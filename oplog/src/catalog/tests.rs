//! Commands of the catalog, each as the entry that a server logs. Expected results were seen on 6.0.5.

use super::*;
use crate::entry::{Body, Entry, Fuzzy};
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, Document, doc};
use tidemark_base::Timestamp;
use tidemark_base::bson::Doc;

const A: u8 = 0xaa;
const B: u8 = 0xbb;
const C: u8 = 0xcc;

fn uuid(byte: u8) -> CollectionUuid {
    CollectionUuid::from_bytes([byte; 16])
}

fn binary(byte: u8) -> Bson {
    Bson::Binary(Binary { subtype: BinarySubtype::Uuid, bytes: vec![byte; 16] })
}

fn raw(document: &Document) -> Vec<u8> {
    let mut bytes = Vec::new();
    document.to_writer(&mut bytes).unwrap();
    bytes
}

fn read(bytes: &[u8]) -> Document {
    Document::from_reader(bytes).unwrap()
}

/// A catalog, and the manner in which commands are applied to it.
struct Rig {
    catalog: Catalog,
    fuzzy: Fuzzy,
}

impl Rig {
    fn strict() -> Self {
        Self { catalog: Catalog::new(), fuzzy: Fuzzy { until: None } }
    }

    fn tolerant() -> Self {
        Self { catalog: Catalog::new(), fuzzy: Fuzzy { until: Some(Timestamp::MAX) } }
    }

    fn try_run(&mut self, ui: Option<u8>, o: Document) -> Result<Applied, EntryProblem> {
        let mut entry = doc! {"op": "c", "ns": "app.$cmd", "o": o, "ts": bson::Timestamp { time: 9, increment: 1 }, "t": 1_i64, "v": 2_i64};
        if let Some(ui) = ui {
            entry.insert("ui", binary(ui));
        }
        let bytes = raw(&entry);
        let entry = Entry::parse(Doc::new(&bytes).unwrap(), self.fuzzy).unwrap();
        let Body::Command(command) = &entry.body else { panic!("no command: {entry:?}") };
        self.catalog.apply(command)
    }

    fn run(&mut self, ui: u8, o: Document) -> Applied {
        self.try_run(Some(ui), o).unwrap()
    }

    /// Runs a command that must fit and do nothing to documents.
    fn fits(&mut self, ui: u8, o: Document) {
        assert_eq!(self.run(ui, o), Applied::default());
    }

    fn create(&mut self, ui: u8, name: &str, options: Document) {
        let mut o = doc! {"create": name};
        o.extend(options);
        assert_eq!(self.run(ui, o), Applied { effect: Effect::Created(uuid(ui)), misfits: Vec::new() });
    }

    fn options(&self, ui: u8) -> Document {
        read(&self.catalog.get(uuid(ui)).unwrap().options)
    }

    fn indexes(&self, ui: u8) -> Vec<Document> {
        self.catalog.get(uuid(ui)).unwrap().indexes.iter().map(|spec| read(spec)).collect()
    }

    fn index(&self, ui: u8, name: &str) -> Document {
        self.indexes(ui).into_iter().find(|spec| spec.get_str("name").is_ok_and(|it| it == name)).unwrap()
    }

    fn name(&self, ui: u8) -> &str {
        &self.catalog.get(uuid(ui)).unwrap().name
    }
}

fn id_index() -> Document {
    doc! {"v": 2, "key": {"_id": 1}, "name": "_id_"}
}

fn misfits(applied: &Applied) -> Vec<&MisfitKind> {
    applied.misfits.iter().map(|misfit| &misfit.kind).collect()
}

/// Equal, in the order of fields too.
#[track_caller]
fn same(found: &Document, expected: &Document) {
    assert_eq!(raw(found), raw(expected), "found {found}, expected {expected}");
}

// ---- create, drop ----

#[test]
fn options_are_the_fields_of_create_without_name_and_id_index() {
    let mut rig = Rig::strict();
    rig.create(A, "a", doc! {"capped": true, "size": 4096, "newer": {"x": 1}, "idIndex": id_index()});
    same(&rig.options(A), &doc! {"capped": true, "size": 4096, "newer": {"x": 1}});
    assert_eq!(rig.indexes(A), [id_index()]);
    let collection = rig.catalog.get(uuid(A)).unwrap();
    assert_eq!((collection.database.as_str(), collection.name.as_str()), ("app", "a"));
}

#[test]
fn without_an_id_index_it_is_of_version_1_or_the_row_of_a_clustered_collection_or_none() {
    let mut rig = Rig::strict();
    rig.create(A, "a", doc! {});
    same(&rig.indexes(A)[0], &doc! {"v": 1, "key": {"_id": 1}, "name": "_id_"});
    let clustered = doc! {"v": 2, "key": {"_id": 1}, "name": "mine", "unique": true};
    rig.create(B, "b", doc! {"collation": {"locale": "en"}, "clusteredIndex": clustered});
    let row = doc! {
        "v": 2, "key": {"_id": 1}, "name": "mine", "unique": true,
        "collation": {"locale": "en"}, "clustered": true,
    };
    same(&rig.indexes(B)[0], &row);
    rig.create(C, "system.buckets.c", doc! {"clusteredIndex": true});
    assert_eq!(rig.indexes(C), Vec::<Document>::new());
}

#[test]
fn a_uuid_that_exists_gets_the_name_and_keeps_the_rest() {
    for strict in [false, true] {
        let mut rig = if strict { Rig::strict() } else { Rig::tolerant() };
        rig.create(A, "later", doc! {"capped": true, "size": 256});
        let applied = rig.run(A, doc! {"create": "first"});
        assert_eq!((rig.name(A), applied.effect), ("first", Effect::Nothing));
        assert_eq!(applied.misfits.len(), usize::from(strict));
        assert_eq!(rig.options(A), doc! {"capped": true, "size": 256});
    }
}

#[test]
fn two_collections_may_have_one_name_but_not_strictly() {
    let mut rig = Rig::tolerant();
    rig.create(A, "a", doc! {});
    rig.create(B, "a", doc! {});
    assert_eq!(rig.catalog.named("app", "a").collect::<Vec<_>>(), [uuid(A), uuid(B)]);
    rig.fuzzy.until = None;
    let applied = rig.run(C, doc! {"create": "a"});
    assert_eq!(misfits(&applied), [&MisfitKind::NameTaken]);
    assert_eq!(applied.effect, Effect::Created(uuid(C)), "it is made all the same");
}

#[test]
fn create_without_a_uuid_is_refused() {
    let refused = Rig::strict().try_run(None, doc! {"create": "a"});
    assert_eq!(refused, Err(EntryProblem::Field { field: "ui" }));
}

#[test]
fn a_drop_goes_by_uuid_and_is_told_also_of_what_is_not_known() {
    let mut rig = Rig::tolerant();
    rig.create(A, "a", doc! {});
    rig.create(B, "a", doc! {});
    assert_eq!(rig.run(B, doc! {"drop": "a"}).effect, Effect::Dropped(vec![uuid(B)]));
    assert_eq!(rig.catalog.iter().map(|(uuid, _)| uuid).collect::<Vec<_>>(), [uuid(A)]);
    let unknown = Applied { effect: Effect::Dropped(vec![uuid(C)]), misfits: Vec::new() };
    assert_eq!(rig.run(C, doc! {"drop": "x"}), unknown);
    rig.fuzzy.until = None;
    assert_eq!(misfits(&rig.run(C, doc! {"drop": "x"})), [&MisfitKind::NoCollection]);
}

#[test]
fn without_a_uuid_the_name_counts() {
    let mut rig = Rig::strict();
    rig.create(A, "a", doc! {});
    assert_eq!(rig.try_run(None, doc! {"drop": "a"}).unwrap().effect, Effect::Dropped(vec![uuid(A)]));
}

#[test]
fn drop_database_drops_what_is_left_of_it() {
    let mut rig = Rig::tolerant();
    rig.create(A, "a", doc! {});
    let other = Collection { database: "other".into(), ..rig.catalog.get(uuid(A)).unwrap().clone() };
    rig.catalog.insert(uuid(B), other);
    let applied = rig.try_run(None, doc! {"dropDatabase": 1}).unwrap();
    assert_eq!(applied, Applied { effect: Effect::Dropped(vec![uuid(A)]), misfits: Vec::new() });
    assert!(rig.catalog.get(uuid(B)).is_some());
    rig.fuzzy.until = None;
    assert_eq!(rig.try_run(None, doc! {"dropDatabase": 1}).unwrap(), Applied::default());
    rig.create(C, "c", doc! {});
    let applied = rig.try_run(None, doc! {"dropDatabase": 1}).unwrap();
    assert_eq!(misfits(&applied), [&MisfitKind::DroppedWithDatabase]);
}

// ---- rename ----

fn rename(from: &str, to: &str) -> Document {
    doc! {"renameCollection": format!("app.{from}"), "to": format!("app.{to}"), "stayTemp": false}
}

#[test]
fn a_rename_replaces_its_target_and_ends_being_temporary() {
    let mut rig = Rig::strict();
    rig.create(A, "tmp", doc! {"temp": true, "validator": {"a": 1}});
    rig.create(B, "b", doc! {});
    let mut o = rename("tmp", "b");
    o.insert("dropTarget", binary(B));
    assert_eq!(rig.run(A, o), Applied { effect: Effect::Dropped(vec![uuid(B)]), misfits: Vec::new() });
    assert_eq!(rig.name(A), "b");
    assert_eq!(rig.options(A), doc! {"validator": {"a": 1}});
}

#[test]
fn a_temporary_collection_may_stay_one() {
    let mut rig = Rig::strict();
    rig.create(A, "a", doc! {"temp": true});
    let mut o = rename("a", "b");
    o.insert("stayTemp", true);
    rig.fits(A, o);
    assert_eq!(rig.options(A), doc! {"temp": true});
}

#[test]
fn a_rename_of_what_is_not_there_still_drops_its_target() {
    let mut rig = Rig::tolerant();
    rig.create(B, "b", doc! {});
    let mut o = rename("a", "b");
    o.insert("dropTarget", binary(B));
    assert_eq!(rig.run(A, o.clone()).effect, Effect::Dropped(vec![uuid(B)]));
    assert_eq!(rig.catalog.iter().len(), 0);
    // And once more, with nothing there at all: a copy of B may still come.
    assert_eq!(rig.run(A, o.clone()).effect, Effect::Dropped(vec![uuid(B)]));
    rig.fuzzy.until = None;
    assert_eq!(misfits(&rig.run(A, o)), [&MisfitKind::NoCollection, &MisfitKind::NoCollection]);
}

#[test]
fn a_copy_that_has_its_new_name_already_still_loses_the_target() {
    let mut rig = Rig::tolerant();
    rig.create(A, "b", doc! {});
    rig.create(B, "b", doc! {});
    let mut o = rename("a", "b");
    o.insert("dropTarget", binary(B));
    rig.run(A, o);
    assert_eq!(rig.catalog.named("app", "b").collect::<Vec<_>>(), [uuid(A)]);
}

#[test]
fn the_old_form_drops_whatever_has_the_name() {
    let mut rig = Rig::strict();
    rig.create(A, "a", doc! {});
    rig.create(B, "b", doc! {});
    let mut o = rename("a", "b");
    o.insert("dropTarget", true);
    assert_eq!(rig.run(A, o), Applied { effect: Effect::Dropped(vec![uuid(B)]), misfits: Vec::new() });
    assert_eq!(rig.name(A), "b");
}

#[test]
fn names_can_be_swapped_through_a_third() {
    let mut rig = Rig::strict();
    rig.create(A, "a", doc! {});
    rig.create(B, "b", doc! {});
    rig.fits(A, rename("a", "t"));
    rig.fits(B, rename("b", "a"));
    rig.fits(A, rename("t", "b"));
    assert_eq!((rig.name(A), rig.name(B)), ("b", "a"));
    assert_eq!(misfits(&rig.run(A, rename("b", "a"))), [&MisfitKind::NameTaken]);
}

#[test]
fn a_rename_that_would_drop_what_it_renames_is_refused() {
    for (ui, mut rig) in [(Some(A), Rig::strict()), (Some(A), Rig::tolerant()), (None, Rig::strict())] {
        rig.create(A, "a", doc! {});
        let before = rig.catalog.clone();
        let mut o = rename("a", "b");
        o.insert("dropTarget", binary(A));
        let refused = rig.try_run(ui, o).unwrap_err();
        assert!(refused.to_string().contains("it drops the collection that it renames"), "{refused}");
        assert_eq!(rig.catalog, before);
    }
    // The same of a collection that is not known: a copy of it may come.
    let mut o = rename("a", "b");
    o.insert("dropTarget", binary(A));
    Rig::tolerant().try_run(Some(A), o).unwrap_err();
}

#[test]
fn a_rename_is_of_the_database_in_its_names_wherever_it_was_logged() {
    let mut rig = Rig::strict();
    rig.create(A, "a", doc! {});
    rig.create(B, "b", doc! {});
    let mut run = |o: Document| {
        let entry = doc! {"op": "c", "ns": "admin.$cmd", "o": o, "ts": bson::Timestamp { time: 9, increment: 1 }, "t": 1_i64, "v": 2_i64};
        let bytes = raw(&entry);
        let entry = Entry::parse(Doc::new(&bytes).unwrap(), Fuzzy::default()).unwrap();
        let Body::Command(command) = &entry.body else { panic!("no command: {entry:?}") };
        rig.catalog.apply(command).unwrap()
    };
    assert_eq!(run(rename("a", "c")), Applied::default());
    assert_eq!(
        run(rename("c", "b")).misfits[0].to_string(),
        format!("app.b ({}): another collection has this name", uuid(B))
    );
    assert_eq!(run(rename("x", "y")).misfits[0].to_string(), "app.x: there is no such collection");
    assert_eq!(rig.name(A), "b");
}

#[test]
fn names_are_found_however_collections_come_and_go() {
    let mut rig = Rig::tolerant();
    let named = |rig: &Rig, name: &str| rig.catalog.named("app", name).collect::<Vec<_>>();
    rig.create(A, "a", doc! {});
    rig.create(B, "a", doc! {});
    rig.run(B, rename("a", "b"));
    assert_eq!((named(&rig, "a"), named(&rig, "b")), (vec![uuid(A)], vec![uuid(B)]));
    rig.run(B, doc! {"create": "a"});
    assert_eq!((named(&rig, "a"), named(&rig, "b")), (vec![uuid(A), uuid(B)], vec![]));
    let other = Collection { name: "c".into(), ..rig.catalog.get(uuid(A)).unwrap().clone() };
    assert_eq!(rig.catalog.insert(uuid(A), other.clone()).unwrap().name, "a");
    assert_eq!((named(&rig, "a"), named(&rig, "c")), (vec![uuid(B)], vec![uuid(A)]));
    rig.run(B, doc! {"drop": "a"});
    assert_eq!(rig.catalog.remove(uuid(A)), Some(other));
    assert_eq!(rig.catalog.remove(uuid(A)), None);
    assert_eq!((named(&rig, "a"), named(&rig, "c")), (vec![], vec![]));
    // What is left behind of names counts in comparisons: nothing is.
    assert_eq!(rig.catalog, Catalog::new());
}

// ---- hostile sizes: each would take hours if it looked at everything for every part ----

#[test]
fn a_command_does_not_look_at_every_collection() {
    let mut rig = Rig::strict();
    let collection = |n: u32| Collection {
        database: "app".into(),
        name: n.to_string(),
        options: raw(&doc! {}),
        indexes: Vec::new(),
    };
    let many = 300_000_u32;
    for n in 0..many {
        let mut uuid = [0; 16];
        uuid[..4].copy_from_slice(&n.to_le_bytes());
        rig.catalog.insert(CollectionUuid::from_bytes(uuid), collection(n));
    }
    let found = (0..many).filter(|n| rig.catalog.named("app", &n.to_string()).count() == 1).count();
    assert_eq!(found, 300_000);
    rig.create(A, "new", doc! {});
    assert_eq!(misfits(&rig.run(B, doc! {"create": "77"})), [&MisfitKind::NameTaken]);
}

#[test]
fn a_coll_mod_of_a_hundred_thousand_options_is_one_change() {
    let many = 100_000;
    let mut rig = Rig::strict();
    rig.create(A, "a", doc! {"capped": true, "size": 256, "validator": {"a": 1}});
    rig.fits(A, doc! {"createIndexes": "a", "v": 2, "key": {"x": 1}, "name": "x"});
    let mut o = doc! {"collMod": "a"};
    o.extend((0..many).map(|n| (format!("o{n}"), Bson::Null)));
    let mut index = doc! {"name": "x"};
    index.extend((0..many).map(|n| (format!("o{n}"), Bson::Null)));
    o.insert("index", index);
    rig.fits(A, o);
    assert_eq!(rig.options(A).len(), 3 + many);
    assert_eq!(rig.options(A).keys().nth(many / 2 + 3).unwrap(), &format!("o{}", many / 2), "in order");
    assert_eq!(rig.index(A, "x").len(), 3 + many);
}

#[test]
fn more_indexes_than_any_server_has_are_refused() {
    let mut rig = Rig::strict();
    rig.create(A, "a", doc! {});
    let specs = |from: usize, to: usize| -> Vec<Document> {
        (from..to).map(|n| doc! {"v": 2, "key": {n.to_string(): 1}, "name": n.to_string()}).collect()
    };
    rig.fits(A, doc! {"commitIndexBuild": "a", "indexes": specs(1, indexes::MAX_INDEXES)});
    assert_eq!(rig.indexes(A).len(), indexes::MAX_INDEXES);
    let before = rig.catalog.clone();
    for o in [
        doc! {"commitIndexBuild": "a", "indexes": specs(1000, 9000)},
        doc! {"createIndexes": "a", "v": 2, "key": {"x": 1}, "name": "x"},
    ] {
        let refused = rig.try_run(Some(A), o).unwrap_err();
        assert!(refused.to_string().contains("more than 256 indexes"), "{refused}");
        assert_eq!(rig.catalog, before);
    }
}

// ---- indexes ----

#[test]
fn an_index_is_shown_as_list_indexes_shows_it() {
    let mut rig = Rig::strict();
    rig.create(A, "a", doc! {});
    rig.fits(A, doc! {
        "createIndexes": "a", "v": 2, "unique": true, "hidden": 1, "key": {"a": 1.0}, "name": "n", "new": 7,
        "storageEngine": {"wiredTiger": {}}, "expireAfterSeconds": 12.7, "sparse": 0.0, "background": 5_i64,
        "collation": {"locale": "en"},
    });
    let shown = doc! {
        "v": 2, "key": {"a": 1.0}, "name": "n", "background": true, "unique": true, "hidden": true,
        "sparse": false, "expireAfterSeconds": 12, "storageEngine": {"wiredTiger": {}},
        "collation": {"locale": "en"}, "new": 7,
    };
    same(&rig.index(A, "n"), &shown);
    rig.fits(
        A,
        doc! {
            "createIndexes": "a", "v": 2_i64, "key": {"l": "2d"}, "name": "l", "max": 9, "min": -100_i64,
            "bits": 20.9, "textIndexVersion": 3.0, "2dsphereIndexVersion": 3_i64,
        },
    );
    let shown = doc! {
        "v": 2, "key": {"l": "2d"}, "name": "l", "textIndexVersion": 3, "2dsphereIndexVersion": 3,
        "bits": 20, "min": -100.0, "max": 9.0,
    };
    same(&rig.index(A, "l"), &shown);
}

#[test]
fn a_build_counts_from_its_commit_with_all_its_indexes() {
    let mut rig = Rig::strict();
    rig.create(A, "a", doc! {});
    let specs =
        vec![doc! {"v": 2, "key": {"x": 1}, "name": "x"}, doc! {"v": 2, "key": {"y": 1}, "name": "y"}];
    let build = |command: &str| doc! {command: "a", "indexBuildUUID": binary(9), "indexes": specs.clone()};
    rig.fits(A, build("startIndexBuild"));
    rig.fits(A, build("abortIndexBuild"));
    assert_eq!(rig.indexes(A).len(), 1);
    rig.fits(A, build("commitIndexBuild"));
    assert_eq!(rig.indexes(A)[1..], specs);
    let again = rig.run(A, build("commitIndexBuild"));
    let exists = |index: &str| MisfitKind::IndexExists { index: index.to_owned() };
    assert_eq!(misfits(&again), [&exists("x"), &exists("y")]);
}

#[test]
fn what_came_with_a_copy_stays_at_a_commit_and_goes_at_an_abort() {
    let mut rig = Rig::tolerant();
    rig.create(A, "a", doc! {});
    let later = doc! {"v": 2, "key": {"x": -1}, "name": "x", "sparse": true};
    rig.fits(A, doc! {"commitIndexBuild": "a", "indexes": [later.clone()]});
    rig.fits(A, doc! {"commitIndexBuild": "a", "indexes": [{"v": 2, "key": {"x": 1}, "name": "x"}]});
    rig.fits(A, doc! {"createIndexes": "a", "v": 2, "key": {"x": 1}, "name": "x"});
    same(&rig.index(A, "x"), &later);
    rig.fits(A, doc! {"abortIndexBuild": "a", "indexes": [{"v": 2, "key": {"x": 1}, "name": "x"}]});
    assert_eq!(rig.indexes(A).len(), 1);
}

#[test]
fn indexes_are_dropped_by_name_or_all_but_that_of_id() {
    let mut rig = Rig::strict();
    rig.create(A, "a", doc! {"idIndex": id_index()});
    for name in ["x", "y", "z"] {
        rig.fits(A, doc! {"createIndexes": "a", "v": 2, "key": {name: 1}, "name": name});
    }
    rig.fits(A, doc! {"createIndexes": "a", "v": 2, "key": {"_id": 1, "x": 1}, "name": "longer"});
    rig.fits(A, doc! {"dropIndexes": "a", "index": "y"});
    rig.fits(A, doc! {"dropIndexes": "a", "index": "y"});
    let names = |rig: &Rig| {
        rig.indexes(A).iter().map(|spec| spec.get_str("name").unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&rig), ["_id_", "x", "z", "longer"]);
    rig.fits(A, doc! {"deleteIndexes": "a", "index": "*"});
    assert_eq!(names(&rig), ["_id_"]);
    let lost = rig.run(B, doc! {"dropIndexes": "b", "index": "y"});
    assert_eq!(misfits(&lost), [&MisfitKind::NoCollection]);
}

#[test]
fn a_specification_without_a_name_is_an_error_and_changes_nothing() {
    let mut rig = Rig::strict();
    rig.create(A, "a", doc! {});
    let before = rig.catalog.clone();
    let specs = vec![doc! {"v": 2, "key": {"x": 1}, "name": "x"}, doc! {"v": 2}];
    let refused = rig.try_run(Some(A), doc! {"commitIndexBuild": "a", "indexes": specs});
    assert_eq!(refused, Err(EntryProblem::Field { field: "name" }));
    assert_eq!(rig.catalog, before);
}

// ---- collMod ----

#[test]
fn touching_validation_stores_level_and_action_too() {
    let mut rig = Rig::strict();
    rig.create(A, "a", doc! {"storageEngine": {"x": 1}, "collation": {"locale": "en"}});
    rig.fits(A, doc! {"collMod": "a", "validator": {"a": 1}});
    let expected = doc! {
        "storageEngine": {"x": 1}, "validator": {"a": 1}, "validationLevel": "strict",
        "validationAction": "error", "collation": {"locale": "en"},
    };
    same(&rig.options(A), &expected);
    rig.fits(A, doc! {"collMod": "a", "validator": {}, "validationAction": "warn"});
    let expected = doc! {
        "storageEngine": {"x": 1}, "validationLevel": "strict", "validationAction": "warn",
        "collation": {"locale": "en"},
    };
    same(&rig.options(A), &expected);
    rig.create(B, "b", doc! {});
    rig.fits(B, doc! {"collMod": "b", "validationLevel": "moderate"});
    same(&rig.options(B), &doc! {"validationLevel": "moderate", "validationAction": "error"});
}

#[test]
fn capped_limits_are_rounded_and_narrowed() {
    let mut rig = Rig::strict();
    rig.create(A, "a", doc! {"capped": true, "size": 8192});
    let after = |rig: &mut Rig, o: Document| {
        let mut command = doc! {"collMod": "a"};
        command.extend(o);
        rig.fits(A, command);
        rig.options(A)
    };
    let capped = |size: Bson, max: Bson| doc! {"capped": true, "size": size, "max": max};
    same(&after(&mut rig, doc! {"cappedSize": 5001_i64}), &doc! {"capped": true, "size": 5120});
    same(&after(&mut rig, doc! {"cappedMax": 7_i64}), &capped(5120.into(), 7.into()));
    same(&after(&mut rig, doc! {"cappedMax": 0_i64}), &capped(5120.into(), i32::MAX.into()));
    let large = capped(3_000_000_000_i64.into(), i32::MAX.into());
    same(&after(&mut rig, doc! {"cappedSize": 2_999_999_999_i64}), &large);
}

#[test]
fn images_are_an_option_only_while_they_are_on() {
    let mut rig = Rig::strict();
    rig.create(A, "a", doc! {"validator": {"a": 1}});
    rig.fits(A, doc! {"collMod": "a", "changeStreamPreAndPostImages": {"enabled": true}});
    same(&rig.options(A), &doc! {"changeStreamPreAndPostImages": {"enabled": true}, "validator": {"a": 1}});
    rig.fits(A, doc! {"collMod": "a", "changeStreamPreAndPostImages": {"enabled": false}});
    same(&rig.options(A), &doc! {"validator": {"a": 1}});
}

#[test]
fn expiry_of_a_collection_stays_wide_and_can_be_switched_off() {
    let mut rig = Rig::strict();
    let series = doc! {"timeField": "t", "granularity": "seconds", "bucketMaxSpanSeconds": 3600};
    rig.create(A, "a", doc! {"clusteredIndex": true, "timeseries": series.clone()});
    rig.fits(A, doc! {"collMod": "a", "expireAfterSeconds": 60_i64});
    let expected = doc! {"clusteredIndex": true, "expireAfterSeconds": 60_i64, "timeseries": series.clone()};
    same(&rig.options(A), &expected);
    rig.fits(A, doc! {"collMod": "a", "expireAfterSeconds": "off"});
    same(&rig.options(A), &doc! {"clusteredIndex": true, "timeseries": series});
    let refused = rig.try_run(Some(A), doc! {"collMod": "a", "expireAfterSeconds": "on"});
    assert_eq!(refused, Err(EntryProblem::Field { field: "expireAfterSeconds" }));
}

#[test]
fn a_granularity_brings_its_span() {
    let mut rig = Rig::strict();
    let series =
        doc! {"timeField": "t", "metaField": "m", "granularity": "seconds", "bucketMaxSpanSeconds": 3600};
    rig.create(A, "a", doc! {"timeseries": series});
    for (granularity, span) in [("minutes", 86_400), ("hours", 2_592_000)] {
        rig.fits(A, doc! {"collMod": "a", "timeseries": {"granularity": granularity}});
        let series = doc! {
            "timeField": "t", "metaField": "m", "granularity": granularity, "bucketMaxSpanSeconds": span,
        };
        same(&rig.options(A), &doc! {"timeseries": series});
    }
    let spans = doc! {"bucketMaxSpanSeconds": 100, "bucketRoundingSeconds": 100};
    rig.fits(A, doc! {"collMod": "a", "timeseries": spans});
    let series =
        doc! {"timeField": "t", "metaField": "m", "bucketRoundingSeconds": 100, "bucketMaxSpanSeconds": 100};
    same(&rig.options(A), &doc! {"timeseries": series});
}

#[test]
fn options_of_indexes_are_changed_by_name() {
    let mut rig = Rig::strict();
    rig.create(A, "a", doc! {});
    rig.fits(A, doc! {"createIndexes": "a", "v": 2, "key": {"x": 1}, "name": "x", "sparse": true});
    let base = doc! {"v": 2, "key": {"x": 1}, "name": "x"};
    let mut check = |index: Document, expected: Document| {
        let mut wanted = doc! {"name": "x"};
        wanted.extend(index);
        rig.fits(A, doc! {"collMod": "a", "index": wanted});
        let mut all = base.clone();
        all.extend(expected);
        same(&rig.index(A, "x"), &all);
    };
    check(doc! {"expireAfterSeconds": 900_i64}, doc! {"sparse": true, "expireAfterSeconds": 900});
    check(
        doc! {"hidden": true, "expireAfterSeconds": 7_i64},
        doc! {"hidden": true, "sparse": true, "expireAfterSeconds": 7},
    );
    check(doc! {"hidden": false}, doc! {"sparse": true, "expireAfterSeconds": 7});
    let prepared = doc! {"sparse": true, "expireAfterSeconds": 7, "prepareUnique": true};
    check(doc! {"prepareUnique": true}, prepared.clone());
    check(doc! {"prepareUnique": false}, doc! {"sparse": true, "expireAfterSeconds": 7});
    check(doc! {"prepareUnique": true}, prepared);
    check(doc! {"unique": true}, doc! {"unique": true, "sparse": true, "expireAfterSeconds": 7});
}

#[test]
fn an_option_of_an_index_that_is_not_known_is_kept_and_shown() {
    let mut rig = Rig::strict();
    rig.create(A, "a", doc! {});
    rig.fits(A, doc! {"createIndexes": "a", "v": 2, "key": {"x": 1}, "name": "x", "sparse": true});
    let mut after = |index: Document| {
        rig.fits(A, doc! {"collMod": "a", "index": index});
        rig.index(A, "x")
    };
    let base = doc! {"v": 2, "key": {"x": 1}, "name": "x", "sparse": true};
    let with = |more: Document| base.clone().into_iter().chain(more).collect::<Document>();
    same(&after(doc! {"name": "x", "novel": 5_i64}), &with(doc! {"novel": 5_i64}));
    same(&after(doc! {"name": "x", "novel": {"y": 1}}), &with(doc! {"novel": {"y": 1}}));
    // What prepareUnique was called up to 5.3.
    let prepared = with(doc! {"novel": {"y": 1}, "disallowNewDuplicateKeys": true});
    same(&after(doc! {"name": "x", "disallowNewDuplicateKeys": true}), &prepared);
    same(&after(doc! {"name": "x", "disallowNewDuplicateKeys": false}), &with(doc! {"novel": {"y": 1}}));
    same(&after(doc! {"name": "x", "disallowNewDuplicateKeys": true}), &prepared);
    let unique =
        doc! {"v": 2, "key": {"x": 1}, "name": "x", "unique": true, "sparse": true, "novel": {"y": 1}};
    same(&after(doc! {"keyPattern": {"x": 1}, "unique": true}), &unique);
    same(&after(doc! {"name": "x", "unique": false, "forceNonUnique": false}), &unique);
    same(&after(doc! {"name": "x", "forceNonUnique": true}), &with(doc! {"novel": {"y": 1}}));
}

#[test]
fn names_of_a_nodes_own_files_are_no_options() {
    let mut rig = Rig::strict();
    let idents = || {
        doc! {
            "catalogId": 5_i64, "ident": "collection-1", "idIndexIdent": "index-2", "indexIdent": "index-3",
            "directoryPerDB": false, "directoryForIndexes": true,
        }
    };
    let with_idents = |fields: Document| fields.into_iter().chain(idents()).collect::<Document>();
    rig.create(A, "a", with_idents(doc! {"recordIdsReplicated": true}));
    same(&rig.options(A), &doc! {"recordIdsReplicated": true});
    let spec = |name: &str| doc! {"v": 2, "key": {name: 1}, "name": name};
    let mut o = doc! {"createIndexes": "a"};
    o.extend(with_idents(spec("x")));
    rig.fits(A, o);
    rig.fits(A, doc! {"commitIndexBuild": "a", "indexes": [with_idents(spec("y"))]});
    same(&rig.index(A, "x"), &spec("x"));
    same(&rig.index(A, "y"), &spec("y"));
}

#[test]
fn an_index_that_is_not_there_is_no_error_in_a_copy() {
    let mut rig = Rig::tolerant();
    rig.create(A, "a", doc! {});
    let o = doc! {"collMod": "a", "index": {"name": "x", "hidden": true}};
    rig.fits(A, o.clone());
    rig.fuzzy.until = None;
    let kind = MisfitKind::NoIndex { index: "x".to_owned() };
    assert_eq!(misfits(&rig.run(A, o)), [&kind]);
    let by_key = doc! {"collMod": "a", "index": {"keyPattern": {"_id": 1}, "hidden": true}};
    rig.fits(A, by_key);
    assert!(rig.indexes(A)[0].get_bool("hidden").unwrap());
}

#[test]
fn what_is_not_known_is_kept_and_what_belongs_to_the_request_is_not() {
    let mut rig = Rig::strict();
    rig.create(A, "a", doc! {"validator": {"a": 1}});
    let o = doc! {
        "collMod": "a", "newer": {"x": 1}, "usePowerOf2Sizes": true, "noPadding": true, "$db": "app",
        "lsid": {"id": 1}, "comment": "x", "_hidden": 1,
        "_removeLegacyTimeseriesBucketingParametersHaveChanged": true,
    };
    rig.fits(A, o);
    let kept = doc! {"validator": {"a": 1}, "newer": {"x": 1}, "_hidden": 1};
    same(&rig.options(A), &kept);
    rig.fits(A, doc! {"collMod": "a"});
    same(&rig.options(A), &kept);
}

#[test]
fn a_broken_coll_mod_changes_nothing() {
    let mut rig = Rig::strict();
    rig.create(A, "a", doc! {});
    let before = rig.catalog.clone();
    for o in [
        doc! {"collMod": "a", "newer": 1, "validator": 7},
        doc! {"collMod": "a", "newer": 1, "cappedSize": "large"},
        doc! {"collMod": "a", "newer": 1, "index": {}},
        doc! {"collMod": "a", "newer": 1, "index": 7},
    ] {
        rig.try_run(Some(A), o.clone()).expect_err(&o.to_string());
        assert_eq!(rig.catalog, before);
    }
    rig.create(B, "b", doc! {"timeseries": {"timeField": "t"}});
    let odd = doc! {"collMod": "b", "timeseries": {"granularity": "years"}};
    let refused = rig.try_run(Some(B), odd);
    assert_eq!(refused, Err(EntryProblem::Field { field: "timeseries.granularity" }));
}

// ---- capped ----

#[test]
fn emptying_and_the_old_conversion_say_what_becomes_of_documents() {
    let mut rig = Rig::strict();
    rig.create(A, "a", doc! {"validator": {"a": 1}, "idIndex": id_index()});
    rig.fits(A, doc! {"createIndexes": "a", "v": 2, "key": {"x": 1}, "name": "x"});
    assert_eq!(rig.run(A, doc! {"emptycapped": "a"}).effect, Effect::Emptied(uuid(A)));
    let applied = rig.run(A, doc! {"convertToCapped": "a", "size": 4096_i64});
    assert_eq!(applied.effect, Effect::CappedTo { uuid: uuid(A), size_bytes: 4096 });
    same(&rig.options(A), &doc! {"capped": true, "size": 4096, "validator": {"a": 1}});
    assert_eq!(rig.indexes(A), [id_index()]);
}

#[test]
fn misfits_are_told_in_words() {
    let mut rig = Rig::strict();
    let applied = rig.run(C, doc! {"drop": "x\ny"});
    let text = applied.misfits[0].to_string();
    assert_eq!(text, format!("app.x\\ny ({}): there is no such collection", uuid(C)));
}
