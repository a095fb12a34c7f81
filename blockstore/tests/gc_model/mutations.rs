//! Each guard left out, one test each: the search must find a loss, or the guard would be idle.
//!
//! A loss here is the disaster itself, a block that is reached and can't be read from any pack, not only a
//! broken invariant. Each test names the smallest world in which the loss happens; the searches of `main.rs`
//! show that the same worlds with all guards lose nothing.

use crate::explorer::explore;
use crate::step;
use crate::world::{Guard, World};

/// One writer and one pack at a time.
const SMALLEST: World = World { writers: 1, packs: 1, ..World::usual() };
/// Two packs: for what needs a copy.
const TWO_PACKS: World = World { packs: 2, ..SMALLEST };
/// Two writers who share a pack.
const TWO_WRITERS: World = World { writers: 2, ..SMALLEST };

/// Searches the world without the guard until a block is lost, and prints how.
fn assert_loss(world: World, guard: Guard) {
    let world = world.without(guard);
    let outcome = explore(&world, |_, state| state.has_loss(&world));
    let Some(trace) = outcome.trace else {
        panic!("{} states without {guard:?}, and nothing lost: the guard is idle here", outcome.states);
    };
    println!("without {guard:?} a block is lost after {} steps, {} states:", trace.len(), outcome.states);
    println!("{}", step::describe(&trace));
}

#[test]
fn a_block_is_lost_if_touched_packs_are_condemned() {
    assert_loss(SMALLEST, Guard::TouchTest);
}

#[test]
fn a_block_is_lost_if_packs_touched_in_the_oldest_epoch_are_condemned() {
    assert_loss(SMALLEST, Guard::StrictlyOlder);
}

#[test]
fn a_block_is_lost_if_the_touch_test_is_made_only_when_planning() {
    assert_loss(SMALLEST, Guard::TestWhenCondemning);
}

#[test]
fn a_block_is_lost_if_open_sessions_do_not_hold_m_back() {
    assert_loss(SMALLEST, Guard::MinimumOfSessions);
}

#[test]
fn a_block_is_lost_if_roots_are_read_before_the_epoch_moves() {
    assert_loss(SMALLEST, Guard::RootsWithEpoch);
}

#[test]
fn a_block_is_lost_if_pins_are_not_roots() {
    assert_loss(SMALLEST, Guard::PinsAreRoots);
}

#[test]
fn a_block_is_lost_if_a_session_pins_a_root_that_is_no_longer_live() {
    assert_loss(SMALLEST, Guard::PinsWereLive);
}

#[test]
fn a_block_is_lost_if_a_session_is_opened_across_a_begin() {
    assert_loss(SMALLEST, Guard::OpenInOneStep);
}

#[test]
fn a_block_is_lost_if_a_put_checks_and_then_touches() {
    assert_loss(SMALLEST, Guard::TouchInOneStep);
}

#[test]
fn a_block_is_lost_if_a_touch_can_lower_the_epoch() {
    assert_loss(TWO_WRITERS, Guard::TouchRaises);
}

#[test]
fn a_block_is_lost_if_a_hit_leaves_its_pack_condemned() {
    assert_loss(SMALLEST, Guard::Resurrect);
}

#[test]
fn a_block_is_lost_if_new_packs_are_untouched() {
    assert_loss(SMALLEST, Guard::NewPacksAreTouched);
}

#[test]
fn a_block_is_lost_if_an_insert_after_a_checkpoint_leaves_the_old_epoch() {
    assert_loss(SMALLEST, Guard::InsertTouches);
}

#[test]
fn a_block_is_lost_if_rows_are_inserted_for_a_closed_pack() {
    assert_loss(SMALLEST, Guard::InsertFence);
}

#[test]
fn a_block_is_lost_if_rows_are_inserted_before_the_sync() {
    assert_loss(SMALLEST, Guard::SyncBeforeInsert);
}

#[test]
fn a_block_is_lost_if_a_checkpoint_brings_an_expired_session_back() {
    assert_loss(SMALLEST, Guard::CheckpointFence);
}

#[test]
fn a_block_is_lost_if_a_checkpoint_keeps_what_it_did_not_pin() {
    assert_loss(SMALLEST, Guard::CheckpointForgets);
}

#[test]
fn a_block_is_lost_if_an_expired_session_publishes() {
    assert_loss(SMALLEST, Guard::PublishFence);
}

#[test]
fn a_block_is_lost_if_a_ref_is_set_before_its_blocks_are_indexed() {
    assert_loss(SMALLEST, Guard::InsertBeforePublish);
}

#[test]
fn a_block_is_lost_if_a_rewrite_commits_over_a_touch() {
    assert_loss(TWO_PACKS, Guard::TestWhenRewriting);
}

#[test]
fn a_block_is_lost_if_copies_start_untouched() {
    assert_loss(World { trust: true, ..TWO_PACKS }, Guard::CopiesAreTouched);
}

#[test]
fn a_block_is_lost_if_a_rewrite_commits_unsynced_copies() {
    assert_loss(TWO_PACKS, Guard::SyncBeforeRewrite);
}

#[test]
fn a_block_is_lost_if_a_pack_brought_back_is_deleted_all_the_same() {
    assert_loss(SMALLEST, Guard::DeleteComparesState);
}

#[test]
fn a_block_is_lost_if_rows_are_deleted_by_hash() {
    assert_loss(TWO_PACKS, Guard::DeleteByPack);
}

#[test]
fn a_block_is_lost_if_a_file_goes_before_its_state() {
    assert_loss(SMALLEST, Guard::StateBeforeUnlink);
}

#[test]
fn a_block_is_lost_if_a_deleting_pack_is_a_hit() {
    assert_loss(SMALLEST, Guard::DeletingIsNoHit);
}
