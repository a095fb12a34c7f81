//! Names are accepted if, and but for dollar signs only if, a real mongod accepts them.

use bson::doc;
use tidemark_oplog::names::{check_collection, check_database};
use tidemark_testkit::live;

#[test]
fn names_are_accepted_if_mongod_accepts_them() {
    let set = live::replica_set_of_one().unwrap();
    let client = set.client().unwrap();
    let accepts = |database: &str, collection: &str| {
        let created = client.database(database).run_command(doc! {"create": collection}).run();
        match created.map_err(|error| error.to_string()) {
            Ok(_) => true,
            Err(error) if error.contains("InvalidNamespace") => false,
            Err(error) => panic!("{database:?}.{collection:?}: {error}"),
        }
    };
    // Names of 63, 64, 62 and 64 bytes at the end.
    let [d63, d64, u62, u64] = ["d".repeat(63), "d".repeat(64), "ü".repeat(31), "ü".repeat(32)];
    for name in [
        "a", "a-b", "ü", "a%", "a\u{1}b", "a\nb", "a\tb", "a\u{7f}b", "a\u{85}b", "a/b", "a\\b", "a b",
        "a\"b", "a$b", "$a", "a*b", "a<b", "a>b", "a:b", "a|b", "a?b", "..", ".", "a.b", "", &d63, &d64,
        &u62, &u64,
    ] {
        assert_eq!(check_database(name).is_ok(), accepts(name, "first"), "database {name:?}");
    }
    let [c253, c254] = ["c".repeat(253), "c".repeat(254)];
    for name in [
        "c", "c.d", ".c", "c.", "c..d", "c d", "c/d", "c\nd", "c\u{1}", "ü", "c%", "\u{85}", "..", "", &c253,
        &c254,
    ] {
        assert_eq!(check_collection("a", name).is_ok(), accepts("a", name), "collection {name:?}");
    }
    assert!(!accepts("a", "c$d") && check_collection("a", "c$d").is_ok());
}
