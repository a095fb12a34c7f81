//! What is kept, by lists and by the servers' own names.

use super::{Filter, Scope};
use crate::entry::{Body, Entry, Fuzzy};
use crate::names::Namespace;
use bson::{Document, doc};
use tidemark_base::bson::Doc;

const NONE: [&str; 0] = [];

fn all() -> Filter {
    Filter::default()
}

fn without(items: &[&str]) -> Filter {
    Filter::new(items, NONE).unwrap()
}

fn only(items: &[&str]) -> Filter {
    Filter::new(NONE, items).unwrap()
}

fn keeps(filter: &Filter, name: &str) -> bool {
    filter.keeps(Namespace::parse(name).unwrap())
}

fn check(filter: &Filter, kept: &[&str], dropped: &[&str]) {
    for name in kept {
        assert!(keeps(filter, name), "{name} is dropped by {filter:?}");
    }
    for name in dropped {
        assert!(!keeps(filter, name), "{name} is kept by {filter:?}");
    }
}

#[test]
fn users_data_is_kept_and_servers_own_is_not() {
    let kept = [
        "app.orders",
        "app.system.views",
        "app.system.buckets.w",
        "app.system.js",
        "app.enxcol_.people.esc",
        "app.fs.chunks",
        "app.tmp.agg_out.e152f689-eca5-4e2f-ba22-357219901c94",
        "app.tmpaB3x9.renameCollection",
        "app.system.resharding.x",
        "admin.system.users",
        "admin.system.roles",
        "admin.system.version",
        "admin.mine",
        "config.settings",
        "config.clusterParameters",
        "config.chunks",
        "config.databases",
        "config.version",
    ];
    let dropped = [
        "local.oplog.rs",
        "local.mine",
        "app.system.profile",
        "admin.system.profile",
        "config.system.profile",
        "admin.system.keys",
        "config.external_validation_keys",
        "config.transactions",
        "config.image_collection",
        "config.system.preimages",
        "config.system.sessions",
        "config.system.indexBuilds",
        "config.tenantMigrationDonors",
        "config.cache.chunks.app.orders",
        "config.migrationCoordinators",
        "config.rangeDeletions",
        "config.rangeDeletionsForRename",
        "config.localReshardingOperations.donor",
        "config.analyzeShardKeySplitPoints",
        "config.queryAnalyzers",
        "config.sampledQueries",
        "config.sampledQueriesDiff",
    ];
    check(&all(), &kept, &dropped);
    // Asking for something by name does not bring it in.
    check(&only(&["local", "config.transactions"]), &[], &["local.mine", "config.transactions"]);
}

#[test]
fn databases_and_collections_are_left_out() {
    let filter = without(&["logs", "app.cache", "app.w", "app.people"]);
    let kept =
        ["app.orders", "app.cache.more", "logs2.x", "app.system.views", "admin.system.users", "b.cache"];
    let dropped = [
        "logs.x",
        "logs.system.views",
        "logs.tmp.agg_out.1",
        "app.cache",
        "app.system.buckets.w",
        "app.enxcol_.people.esc",
        "app.enxcol_.people.ecoc",
    ];
    check(&filter, &kept, &dropped);
    assert!(filter.keeps_any_of("app") && !filter.keeps_any_of("logs") && !filter.keeps_any_of("local"));
}

#[test]
fn only_what_is_asked_for_is_kept_and_what_it_needs() {
    let filter = only(&["app.orders", "app.w", "crm"]);
    let kept = [
        "app.orders",
        "app.system.buckets.w",
        "app.system.views",
        "app.tmp.agg_out.1",
        "app.tmpaB3x9.convertToCapped.orders",
        "crm.x",
        "crm.system.views",
        "admin.system.users",
        "config.settings",
    ];
    let dropped = [
        "app.other",
        "app.orders.x",
        "b.orders",
        "b.system.views",
        "b.tmp.mr.1",
        "app.system.buckets.v",
        "admin.mine",
        "app.tmpaB3x.renameCollection",
        "app.tmpaB3x9.other",
        "app.enxcol_.orders.x",
    ];
    check(&filter, &kept, &dropped);
    assert!(filter.keeps_any_of("app") && filter.keeps_any_of("admin") && !filter.keeps_any_of("b"));
}

#[test]
fn leaving_out_wins_over_asking_for() {
    let filter = Filter::new(["app.cache", "admin"], ["app"]).unwrap();
    check(&filter, &["app.orders"], &["app.cache", "b.x", "admin.system.users"]);
}

#[test]
fn items_must_be_names() {
    for bad in ["", "..", "../etc", "app.", ".x", "a/b", "a b.c", "app\u{0}"] {
        Filter::new([bad], NONE).expect_err(bad);
        Filter::new(NONE, [bad]).expect_err(bad);
    }
}

#[test]
fn a_rename_can_cross_the_border() {
    let filter = without(&["app.cache"]);
    let rename = |from, to| filter.rename(Namespace::parse(from).unwrap(), Namespace::parse(to).unwrap());
    assert_eq!(rename("app.a", "app.b"), Scope::Keep);
    assert_eq!(rename("app.system.profile", "app.cache"), Scope::Skip);
    assert_eq!(rename("app.a", "app.cache"), Scope::Leaves);
    assert_eq!(rename("app.cache", "app.a"), Scope::Enters);
    // `$out` into what is asked for alone: no resync.
    let filter = only(&["app.a"]);
    let rename = |from, to| filter.rename(Namespace::parse(from).unwrap(), Namespace::parse(to).unwrap());
    assert_eq!(rename("app.tmp.agg_out.1", "app.a"), Scope::Keep);
    assert_eq!(rename("app.tmp.agg_out.1", "app.b"), Scope::Leaves);
}

#[test]
fn commands_are_judged_by_their_collection() {
    let filter = without(&["app.cache", "logs"]);
    let scope = |database: &str, o: Document| {
        let entry = doc! {
            "op": "c", "ns": format!("{database}.$cmd"), "o": o,
            "ts": bson::Timestamp { time: 1, increment: 1 }, "v": 2i64,
        };
        let bytes = bson::serialize_to_vec(&entry).unwrap();
        match Entry::parse(Doc::new(&bytes).unwrap(), Fuzzy::default()).unwrap().body {
            Body::Command(command) => filter.command(&command),
            other => panic!("{other:?} is no command"),
        }
    };
    assert_eq!(scope("app", doc! {"create": "x"}), Scope::Keep);
    assert_eq!(scope("app", doc! {"create": "cache"}), Scope::Skip);
    assert_eq!(scope("app", doc! {"drop": "cache"}), Scope::Skip);
    assert_eq!(scope("app", doc! {"dropDatabase": 1}), Scope::Keep);
    assert_eq!(scope("logs", doc! {"dropDatabase": 1}), Scope::Skip);
    assert_eq!(scope("app", doc! {"renameCollection": "app.cache", "to": "app.x"}), Scope::Enters);
    assert_eq!(scope("config", doc! {"emptycapped": "transactions"}), Scope::Skip);
}
