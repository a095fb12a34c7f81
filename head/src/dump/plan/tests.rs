//! Plans over the captured servers, and the rules one by one.

use super::*;
use crate::dump::extjson::parse_document;
use tidemark_testkit::captures;
use tidemark_testkit::state::{ListedKind, State};

fn bson(json: &str) -> Vec<u8> {
    parse_document(json.as_bytes()).unwrap()
}

fn json(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    crate::dump::extjson::write_document(Doc::new(bytes).unwrap(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn collection(database: &str, name: &str, options: &str) -> Collection {
    let indexes = vec![bson(r#"{"v":2,"key":{"_id":1},"name":"_id_"}"#)];
    Collection { database: database.into(), name: name.into(), options: bson(options), indexes }
}

fn uuid(n: u8) -> CollectionUuid {
    CollectionUuid::from_bytes([n; 16])
}

fn plan_of(collections: &[Collection], views: &[&str], users: Option<Vec<Vec<u8>>>) -> Plan {
    let numbered = (1..).zip(collections).map(|(n, it)| (uuid(n), it)).collect();
    let views = vec![("d", views.iter().map(|it| bson(it)).collect())];
    plan(&Inventory { collections: numbered, views, users }).unwrap()
}

fn names(plan: &Plan) -> Vec<String> {
    plan.entries.iter().map(|it| it.part.namespace.shown()).collect()
}

fn left_out(plan: &Plan) -> Vec<(&str, Why)> {
    plan.left_out.iter().map(|it| (it.namespace.as_str(), it.why)).collect()
}

#[test]
fn what_a_server_has_for_itself_is_left_out_with_its_reason() {
    let all: Vec<_> = [
        ("local", "startup_log", "{}"),
        ("config", "settings", "{}"),
        ("admin", "system.keys", "{}"),
        ("admin", "system.users", "{}"),
        ("admin", "system.version", "{}"),
        ("admin", "mine", "{}"),
        ("d", "system.profile", r#"{"capped":true}"#),
        ("d", "system.js", "{}"),
        ("d", "system.views", "{}"),
        ("d", "tmp", r#"{"temp":true}"#),
        ("d", "a$b", "{}"),
        ("d", "c", r#"{"recordIdsReplicated":true,"capped":true}"#),
    ]
    .map(|(database, name, options)| collection(database, name, options))
    .into();
    let plan = plan_of(&all, &[], None);
    assert_eq!(names(&plan), ["admin.mine", "d.c", "d.system.js"]);
    assert_eq!(
        left_out(&plan),
        [
            ("admin.system.keys", Why::System),
            ("admin.system.users", Why::NotAsked),
            ("admin.system.version", Why::NotAsked),
            ("config.settings", Why::ServersOwn),
            ("d.a$b", Why::Dollar),
            ("d.system.profile", Why::System),
            ("d.system.views", Why::WithOther),
            ("d.tmp", Why::Temporary),
            ("local.startup_log", Why::ServersOwn),
        ]
    );
    let c = &plan.entries[1];
    assert_eq!(json(&c.part.namespace.options), r#"{"capped":true}"#);
    assert_eq!((c.part.namespace.uuid, &c.documents), (Some(uuid(12)), &Documents::Of(uuid(12))));
}

#[test]
fn users_come_with_a_version_or_not_at_all() {
    let version = |plan: &Plan| match &plan.entries.last().unwrap().documents {
        Documents::Given(documents) => {
            tidemark_base::bson::split(documents).map(|it| json(it.unwrap().as_bytes())).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    let fcv = r#"{"_id":"featureCompatibilityVersion","version":"8.1"}"#;
    let made_up = r#"{"_id":"authSchema","currentVersion":{"$numberInt":"5"}}"#;
    let of = |name: &str| collection("admin", name, "{}");
    let all = [of("system.users"), of("system.roles"), of("system.version")];
    let plan = plan_of(&all, &[], Some(vec![bson(fcv)]));
    assert_eq!(names(&plan), ["admin.system.roles", "admin.system.users", "admin.system.version"]);
    assert_eq!(version(&plan), [fcv, made_up]);
    assert_eq!(plan.entries[2].part.namespace.uuid, Some(uuid(3)));
    let there = r#"{"_id":"authSchema","currentVersion":{"$numberInt":"3"}}"#;
    let plan = plan_of(&all, &[], Some(vec![bson(there), bson(fcv)]));
    assert_eq!(version(&plan), [there, fcv]);
    let plan = plan_of(&all[..1], &[], Some(vec![]));
    assert_eq!(names(&plan), ["admin.system.users", "admin.system.version"]);
    assert_eq!(version(&plan), [made_up]);
    let with_others = [of("a"), of("system.users")];
    let plan = plan_of(&with_others, &[], Some(vec![]));
    assert_eq!(names(&plan), ["admin.system.users", "admin.system.version", "admin.a"]);
    // Nothing to say the version of.
    assert_eq!(names(&plan_of(&all[2..], &[], Some(vec![bson(fcv)]))), [""; 0]);
}

#[test]
fn views_are_metadata_and_broken_ones_are_told() {
    let good = r#"{"_id":"d.v","viewOn":"c","pipeline":[{"$match":{}}],"collation":{"locale":"fr"}}"#;
    let plan = plan_of(
        &[collection("d", "system.views", "{}")],
        &[
            good,
            r#"{"_id":"e.other","viewOn":"c","pipeline":[]}"#,
            r#"{"_id":"d.x","viewOn":"c"}"#,
            r#"{"_id":7}"#,
            r#"{"_id":"d.system.hidden","viewOn":"c","pipeline":[]}"#,
            r#"{"_id":"d.lost","viewOn":"system.buckets.lost","pipeline":[]}"#,
        ],
        None,
    );
    assert_eq!(names(&plan), ["d.v"]);
    let v = &plan.entries[0];
    assert_eq!(
        (v.part.namespace.kind, v.part.stream.as_ref(), &v.documents),
        (Kind::View, None, &Documents::None)
    );
    assert_eq!(
        json(&v.part.namespace.options),
        r#"{"viewOn":"c","pipeline":[{"$match":{}}],"collation":{"locale":"fr"}}"#
    );
    assert_eq!(
        left_out(&plan),
        [
            ("d.system.hidden", Why::System),
            ("d.system.views", Why::WithOther),
            ("d.system.views: (no name)", Why::BrokenView),
            ("d.system.views: d.lost", Why::BrokenView),
            ("d.system.views: d.x", Why::BrokenView),
            ("d.system.views: e.other", Why::BrokenView),
        ]
    );
}

#[test]
fn buckets_whose_name_something_else_has_are_left_out_and_the_rest_is_dumped() {
    let buckets = collection("d", "system.buckets.t", r#"{"timeseries":{"timeField":"t"}}"#);
    let plain = collection("d", "t", "{}");
    let of_plain = plan_of(&[buckets.clone(), plain], &[], None);
    let of_view =
        plan_of(std::slice::from_ref(&buckets), &[r#"{"_id":"d.t","viewOn":"c","pipeline":[]}"#], None);
    for (plan, kind) in [(of_plain, Kind::Collection), (of_view, Kind::View)] {
        assert_eq!(names(&plan), ["d.t"]);
        assert_eq!(plan.entries[0].part.namespace.kind, kind);
        assert_eq!(left_out(&plan), [("d.system.buckets.t", Why::NameTaken)]);
    }
    let numbered = [(uuid(1), &buckets), (uuid(2), &buckets)];
    let twice = plan(&Inventory { collections: numbered.to_vec(), ..Inventory::default() });
    assert!(matches!(twice, Err(PlanError::TwoOfOneName { .. })), "{twice:?}");
}

#[test]
fn a_time_series_collection_has_its_own_name_and_its_buckets_documents() {
    let mut buckets = collection(
        "d",
        "system.buckets.ts",
        r#"{"validator":{},"clusteredIndex":true,"expireAfterSeconds":{"$numberLong":"9"},"timeseries":{"timeField":"t","metaField":"m"}}"#,
    );
    let specs = [
        (r#"{"v":2,"key":{"meta":1},"name":"a"}"#, Some(r#"{"m":1}"#)),
        (
            r#"{"key":{"meta.x":-1,"control.min.t":1,"control.max.t":1},"name":"b"}"#,
            Some(r#"{"m.x":-1,"t":1}"#),
        ),
        (r#"{"key":{"control.max.t":-1,"control.min.t":-1},"name":"c"}"#, Some(r#"{"t":-1}"#)),
        (r#"{"key":{"control.min.a.b":1,"control.max.a.b":1},"name":"d"}"#, Some(r#"{"a.b":1}"#)),
        (r#"{"key":{"control.max.a":-1.0,"control.min.a":-1.0},"name":"e"}"#, Some(r#"{"a":-1.0}"#)),
        (r#"{"key":{"data.loc":"2dsphere_bucket"},"name":"f"}"#, Some(r#"{"loc":"2dsphere"}"#)),
        (r#"{"key":{"control.min.a":1},"name":"g"}"#, None),
        (r#"{"key":{"control.max.a":1,"control.min.a":1},"name":"h"}"#, None),
        (r#"{"key":{"control.min.a":1,"control.max.b":1},"name":"i"}"#, None),
        (r#"{"key":{"metadata":1},"name":"j"}"#, None),
        (r#"{"key":{"_id":1},"name":"k"}"#, None),
    ];
    buckets.indexes = specs.iter().map(|(spec, _)| bson(spec)).collect();
    let original =
        r#"{"key":{"z":1},"name":"l","originalSpec":{"key":{"x":"2dsphere"},"name":"l","v":2},"more":3}"#;
    buckets.indexes.push(bson(original));
    let plan = plan_of(&[buckets], &[r#"{"_id":"d.ts","viewOn":"system.buckets.ts","pipeline":[]}"#], None);
    assert_eq!(left_out(&plan), []);
    let entry = &plan.entries[0];
    assert_eq!((plan.entries.len(), entry.part.stream.as_deref()), (1, Some("system.buckets.ts")));
    let namespace = &entry.part.namespace;
    assert_eq!((namespace.collection.as_str(), namespace.uuid), ("ts", None));
    assert_eq!(
        json(&namespace.options),
        r#"{"expireAfterSeconds":{"$numberLong":"9"},"timeseries":{"timeField":"t","metaField":"m"}}"#
    );
    let keys: Vec<_> = namespace
        .indexes
        .iter()
        .map(|it| json(Doc::new(it).unwrap().get("key").unwrap().unwrap().value))
        .collect();
    let expected = specs.iter().filter_map(|(_, key)| *key).chain([r#"{"x":"2dsphere"}"#]);
    let expected: Vec<_> = expected.map(|it| json(&bson(it))).collect();
    assert_eq!(keys, expected);
    let last = r#"{"v":{"$numberInt":"2"},"key":{"x":"2dsphere"},"name":"l"}"#;
    assert_eq!(json(namespace.indexes.last().unwrap()), last);
}

#[test]
fn two_of_one_name_are_an_error() {
    let both = [collection("d", "c", "{}"), collection("d", "c", "{}")];
    let inventory =
        Inventory { collections: vec![(uuid(1), &both[0]), (uuid(2), &both[1])], ..Inventory::default() };
    assert_eq!(plan(&inventory), Err(PlanError::TwoOfOneName { namespace: "d.c".into() }));
    let one = collection("d", "v", "{}");
    let inventory = Inventory {
        collections: vec![(uuid(1), &one)],
        views: vec![("d", vec![bson(r#"{"_id":"d.v","viewOn":"c","pipeline":[]}"#)])],
        users: None,
    };
    assert!(plan(&inventory).is_err());
}

/// The captured state as a catalog.
fn collections(state: &State) -> Vec<(CollectionUuid, Collection)> {
    let all = state.collections.iter().chain(&state.admin);
    all.map(|it| {
        let indexes = it.indexes.iter().map(|it| it.to_vec()).collect();
        let (database, name, options) = (it.db.clone(), it.name.clone(), it.options.to_vec());
        (it.uuid.unwrap(), Collection { database, name, options, indexes })
    })
    .collect()
}

#[test]
fn of_every_captured_server_a_dump_lists_what_the_server_lists() {
    let (mut views, mut series) = (0, 0);
    for capture in captures::all().unwrap() {
        let state = &capture.final_;
        let catalog = collections(state);
        let definitions = state.collections.iter().filter(|it| it.name == "system.views");
        let inventory = Inventory {
            collections: catalog.iter().map(|(uuid, it)| (*uuid, it)).collect(),
            views: definitions
                .map(|it| (it.db.as_str(), it.documents.iter().map(|it| it.to_vec()).collect()))
                .collect(),
            users: Some(Vec::new()),
        };
        let plan = plan(&inventory).unwrap();
        let listed = |kind: Kind| {
            let of_kind = plan.entries.iter().filter(move |it| it.part.namespace.kind == kind);
            of_kind.map(|it| (it.part.namespace.shown(), json(&it.part.namespace.options)))
        };
        for (kind, theirs) in [(Kind::View, ListedKind::View), (Kind::TimeSeries, ListedKind::TimeSeries)] {
            let theirs = state.listed.iter().filter(|it| it.kind == theirs);
            let mut theirs: Vec<_> = theirs.map(|it| (shown(&it.db, &it.name), json(&it.options))).collect();
            theirs.sort();
            let mut ours: Vec<_> = listed(kind).collect();
            ours.sort();
            assert_eq!(ours, theirs, "{}", capture.name);
            *(if kind == Kind::View { &mut views } else { &mut series }) += ours.len();
        }
        assert!(plan.left_out.iter().all(|it| it.why != Why::BrokenView), "{}", capture.name);
    }
    assert!(views >= 10 && series >= 3, "{views} {series}");
}
