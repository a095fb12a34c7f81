//! Whoever comes after the trouble: looks at what is there, holds it against the pictures, and goes on.

use crate::picture::{Picture, Refs};
use crate::rig::Rig;
use crate::script::Script;
use std::path::Path;
use std::sync::Arc;
use tidemark_base::SeededEntropy;
use tidemark_blockstore::{Depth, Healed, OpenOptions, Quiet, Store};

/// What is wrong, in words.
pub(crate) type Problem = String;

/// What was promised: so many steps were done, and perhaps the next was under way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Account {
    pub(crate) done: usize,
    pub(crate) is_under_way: bool,
}

/// What whoever comes after does with the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Looks at it only.
    Looks,
    /// Does the rest of the script.
    GoesOn,
}

pub(crate) fn told<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> Problem {
    move |error| format!("{what}: {error}")
}

/// How stores are opened here: no reserve, since its 32 MiB would be most of every image, and a short log.
pub(crate) fn options() -> OpenOptions {
    OpenOptions::default().reserve_bytes(0).rewrite_log_from_bytes(3000)
}

/// The salts of every store of a script: with others the roots would be others.
pub(crate) fn salts() -> SeededEntropy {
    SeededEntropy::new(7)
}

/// After which step the store stands.
pub(crate) fn stands(pictures: &[Picture], account: Account, refs: &Refs) -> Result<usize, Problem> {
    let before = &pictures[account.done];
    if before.refs == *refs {
        return Ok(account.done);
    }
    match pictures.get(account.done + 1).filter(|_| account.is_under_way) {
        Some(after) if after.refs == *refs => Ok(account.done + 1),
        Some(after) => Err(format!("refs are {refs}\nnot {}\nnor {}", before.refs, after.refs)),
        None => Err(format!("refs are {refs}\nnot {}", before.refs)),
    }
}

/// Opens the store in `root` as any user would, and holds it against what was promised.
pub(crate) fn check(
    root: &Path,
    script: &Script,
    pictures: &[Picture],
    account: Account,
    after: After,
) -> Result<(), Problem> {
    let backend = options().open(root).map_err(told("opening"))?;
    let is_carried_over = match backend.healed() {
        [] => false,
        [Healed::PublishCompleted] => true,
        other => return Err(format!("opening healed {other:?}")),
    };
    let store = Store::new(Arc::new(backend));
    let (refs, epoch) = Refs::read(&store).map_err(told("reading refs"))?;
    let stands = stands(pictures, account, &refs)?;
    let epochs =
        [account.done, account.done + usize::from(account.is_under_way)].map(|at| pictures[at].epoch);
    if !epochs.contains(&epoch) {
        return Err(format!("the epoch is {epoch}, not one of {epochs:?}"));
    }
    if is_carried_over && !account.is_under_way {
        return Err("a publish was carried over, and none was under way".into());
    }
    is_sound(&store)?;
    go_on(Rig::new(script, store), pictures, stands, after)
}

pub(crate) fn is_sound(store: &Store) -> Result<(), Problem> {
    let report = store.verify(Depth::Full, &Quiet).map_err(told("verifying"))?;
    if report.is_clean() { Ok(()) } else { Err(format!("verify found {:?}", report.damage)) }
}

/// Takes the head over from where a script stood, and does the rest of it.
pub(crate) fn go_on(
    mut rig: Rig<'_>,
    pictures: &[Picture],
    stands: usize,
    after: After,
) -> Result<(), Problem> {
    let script = rig.script();
    if pictures[stands].refs.has_head() {
        rig.claim(None).map_err(told("claiming"))?;
        rig.assert_documents();
        rig.assert_snapshots();
        rig.claim(pictures[stands].applied).map_err(told("applying again"))?;
        rig.assert_documents();
    }
    if after == After::Looks {
        return Ok(());
    }
    for (number, step) in script.steps.iter().enumerate().skip(stands) {
        rig.run(step).map_err(|error| format!("afterwards, step {number} {step:?}: {error}"))?;
        let (refs, _) = Refs::read(rig.store()).map_err(told("reading refs"))?;
        if refs != pictures[number + 1].refs {
            let wanted = &pictures[number + 1].refs;
            return Err(format!("after step {number} {step:?} refs are {refs}\nnot {wanted}"));
        }
    }
    rig.assert_documents();
    rig.assert_snapshots();
    is_sound(rig.store())
}
