//! The proof that every sync is needed: with exactly one left out, a loss or a failed opening is found.
//!
//! Each test of the model, run with that sync doing nothing, must fail within its bound. A sync for which
//! none does would be either needless or beyond what the model can see.

use crate::check::{Index, Problem};
use crate::{creation, healing, histories, kills, rebuilding, tails};
use tidemark_blockstore::disk::SyncSite;

/// Histories tried before a sync is called needless.
const HISTORIES: u64 = 30;

fn in_histories(site: SyncSite, index: Index) -> Result<(), Problem> {
    (1..=HISTORIES).try_for_each(|seed| {
        let plan = histories::Plan { seed, steps: 60, images: 2, skipped: Some(site), index: Some(index) };
        histories::examine(plan, &mut histories::Figures::default())
    })
}

fn in_creation(site: SyncSite) -> Result<(), Problem> {
    creation::examine("store", 40, Some(site))
}

/// Where a site is looked at, and how.
fn search(site: SyncSite) -> Result<(), Problem> {
    match site {
        SyncSite::PackData | SyncSite::PackEntry | SyncSite::PackRemoval => in_histories(site, Index::Kept),
        // While the index is there, it makes a lost log good; the log is for the day when it isn't.
        SyncSite::LogRecord | SyncSite::LogRewrite | SyncSite::LogRename => in_histories(site, Index::Lost),
        SyncSite::LogAdopted | SyncSite::LogFound => {
            let plan = kills::Plan { images: 4, indexes: &[Index::Lost], skipped: Some(site) };
            kills::examine(plan).map(drop)
        }
        SyncSite::LogTail => tails::examine(10, Some(site)).map(drop),
        SyncSite::Superblock | SyncSite::StoreFolder | SyncSite::StoreName => in_creation(site),
        SyncSite::PackFound | SyncSite::PackFoundEntry => rebuilding::examine(4, Some(site)).map(drop),
        SyncSite::IndexAside | SyncSite::IndexRename => healing::examine(40, Some(site)).map(drop),
    }
}

#[test]
fn leaving_out_any_one_sync_is_found() {
    for site in SyncSite::ALL {
        match search(site) {
            Err(problem) => println!("{site:?}: {problem}\n"),
            Ok(()) => {
                panic!("without the sync {site:?} nothing is found: it is needless, or the model is weak")
            }
        }
    }
}

/// The names of a new store's parts have no sync of their own: that of the log's name covers them.
#[test]
fn leaving_out_the_sync_of_the_logs_name_is_found_in_a_new_store() {
    let problem = in_creation(SyncSite::LogRename).unwrap_err();
    println!("{problem}");
}
