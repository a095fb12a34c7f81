//! Collections refuse to work when something in use cannot be followed, and leave damaged packs alone.

use crate::fixture::{Fixture, expected, swap};
use tidemark_blockstore::{Error, GcOptions, GcReport, Quiet, Result, Store};

const SWEEP: GcOptions = GcOptions { dry_run: false, sweep: true };

impl Fixture {
    /// Adds a pack, number 3, with a live leaf between dead ones: sparse enough to be rewritten.
    pub(crate) fn add_sparse_pack(&mut self) {
        let store = self.open();
        let session = store.session(&[]).unwrap();
        for name in ["dead 1", "live", "dead 2", "dead 3"] {
            self.leaf(&session, name);
        }
        session.publish(&[self.set("live", "live")]).unwrap();
        session.close().unwrap();
    }
}

fn collect(store: &Store) -> Result<GcReport> {
    store.collect(SWEEP, &Quiet)
}

#[test]
fn a_node_in_use_that_cannot_be_read_stops_the_collection() {
    let mut fixture = Fixture::new();
    fixture.add_sparse_pack();
    fixture.damage(1, "shared");
    let store = fixture.open();
    for options in [SWEEP, GcOptions { dry_run: true, sweep: false }] {
        let error = store.collect(options, &Quiet).unwrap_err();
        assert!(matches!(error, Error::Damaged { id, .. } if id == fixture.ids["shared"]), "{error}");
    }
    assert!([1, 2, 3].iter().all(|pack| fixture.pack(*pack).exists()));
    fixture.assert_lost(&store, &["shared"]);
}

#[test]
fn a_sparse_pack_without_damage_is_rewritten() {
    let mut fixture = Fixture::new();
    fixture.add_sparse_pack();
    let store = fixture.open();
    let report = collect(&store).unwrap();
    assert_eq!((report.rewritten_packs, report.deleted_packs), (1, 1));
    assert!(!fixture.pack(3).exists());
    fixture.assert_lost(&store, &["dead 1", "dead 2", "dead 3"]);
    assert_eq!(fixture.named(&store), expected(&[]));
}

/// The pack stays as it is, the report says why, and everything that could be read still can.
fn assert_left_alone(fixture: &Fixture, lost: &[&str]) {
    let store = fixture.open();
    let before = std::fs::read(fixture.pack(3)).unwrap();
    for _ in 0..3 {
        let report = collect(&store).unwrap();
        assert_eq!(report.rewritten_packs, 0);
        assert_eq!(report.damaged.len(), 1, "{:?}", report.damaged);
        assert!(report.damaged[0].contains("pack 3"), "{:?}", report.damaged);
        assert!(std::fs::read(fixture.pack(3)).unwrap() == before, "the pack was changed");
        // The index may forget what nobody uses.
        for (name, id) in fixture.ids.iter().filter(|(name, _)| !name.starts_with("dead")) {
            assert_eq!(store.get_one(*id).is_err(), lost.contains(name), "{name}");
        }
    }
}

#[test]
fn a_sparse_pack_with_a_damaged_block_in_use_is_left_alone() {
    let mut fixture = Fixture::new();
    fixture.add_sparse_pack();
    fixture.damage(3, "live");
    assert_left_alone(&fixture, &["live"]);
}

#[test]
fn a_sparse_pack_with_any_damaged_header_is_left_alone() {
    let mut fixture = Fixture::new();
    fixture.add_sparse_pack();
    fixture.damage_header(3, "dead 1");
    assert_left_alone(&fixture, &[]);
}

#[test]
fn a_sparse_pack_whose_records_have_changed_places_is_left_alone_until_repair() {
    let mut fixture = Fixture::new();
    fixture.add_sparse_pack();
    let (dead, live) = (fixture.find(3, "dead 1"), fixture.find(3, "live"));
    fixture.edit(3, |bytes| swap(bytes, dead, live));
    assert_left_alone(&fixture, &["live"]);
    fixture.repair();
    let store = fixture.open();
    assert_eq!(collect(&store).unwrap().rewritten_packs, 1);
    fixture.assert_lost(&store, &["dead 1", "dead 2", "dead 3"]);
}

#[test]
fn damage_in_one_pack_does_not_keep_others_from_being_rewritten() {
    let mut fixture = Fixture::new();
    fixture.add_sparse_pack();
    fixture.damage(1, "c");
    let store = fixture.open();
    assert_eq!(collect(&store).unwrap().rewritten_packs, 1);
    fixture.assert_lost(&store, &["c", "dead 1", "dead 2", "dead 3"]);
}
