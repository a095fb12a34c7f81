//! What every backend must do: one suite, run on each of them.
//!
//! Each case is a function over a [`Harness`], which makes stores and opens them again as another process
//! would. A new backend adds one line to `harnesses`.

#![expect(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test")]

mod blocks;
mod collection;
mod harness;
mod refs;
mod sessions;
mod verify;

use harness::{Fault, Harness, Local, Memory};

/// Runs a case on every backend.
fn on_all(case: fn(&dyn Harness)) {
    case(&Memory::new());
    case(&Local::new());
    case(&Fault::new());
}

macro_rules! cases {
    ($($module:ident: $($case:ident),+;)+) => {
        $($(
            #[test]
            fn $case() {
                on_all($module::$case);
            }
        )+)+
    };
}

cases! {
    blocks:
        what_is_put_and_synced_is_read_back_in_order,
        a_block_put_twice_is_stored_once,
        unsynced_blocks_are_read_by_their_session_only,
        unsynced_blocks_do_not_survive_their_session,
        a_missing_block_is_an_error_and_does_not_fail_the_others,
        oversized_blocks_and_bad_nodes_are_refused,
        many_threads_put_at_once,
        packs_are_filled_and_followed_by_the_next;
    refs:
        a_ref_is_set_read_listed_and_deleted,
        a_publish_is_all_or_nothing,
        two_publishers_cannot_both_win,
        a_root_must_be_in_the_store,
        names_and_sizes_are_checked,
        publish_makes_what_was_put_durable;
    sessions:
        an_expired_session_is_fenced,
        pins_must_be_refs_that_exist,
        a_checkpoint_protects_only_what_it_pins,
        a_closed_session_leaves_no_open_pack,
        puts_and_syncs_within_tasks_of_a_pool_come_to_an_end,
        a_checkpoint_within_a_task_of_a_pool_is_refused,
        what_a_put_has_returned_can_be_read_whoever_else_puts_it;
    collection:
        garbage_goes_and_what_refs_reach_stays,
        a_condemned_pack_is_deleted_only_by_a_later_collection,
        a_put_brings_a_condemned_pack_back,
        a_collection_says_whether_others_are_at_work,
        what_an_open_session_put_stays,
        what_a_reader_pinned_stays_after_its_ref_is_gone,
        sparse_packs_are_rewritten,
        a_dry_run_changes_nothing,
        a_lost_block_in_use_stops_the_collection,
        random_histories_lose_nothing;
    verify:
        a_sound_store_is_clean,
        stats_add_up,
        a_leaf_reached_on_two_ways_counts_twice,
        a_check_rests_on_the_callers_thread;
}
