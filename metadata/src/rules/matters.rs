//! Which events say that something is wrong until another says that it is over.
//!
//! Asked by whoever notes an event, which opens and ends [`crate::Matter`]s by it. Nothing else of an event counts: not its
//! text, nor who noted it. A matter is of one subject, for instance a replica set.

/// Codes of events that stand until one of the others is noted of the same subject.
const MATTERS: [(&str, &[&str]); 8] = [
    ("SPACE_LOW", &["SPACE_BACK"]),
    ("EXPIRY_PAUSED", &["EXPIRY_RESUMED"]),
    ("RESYNC_REQUIRED", COPIED),
    ("COPY_ORDERED", COPIED),
    // What did not fit stays so until everything has been copied anew.
    ("HEAD_DIVERGED", COPIED),
    ("SNAPSHOT_DIVERGED", COPIED),
    ("STORE_DAMAGED", &["STORE_SOUND"]),
    ("STORE_FULL", &["STORE_ROOMY"]),
];
const COPIED: &[&str] = &["BACKUP_STARTED"];

/// The matters that an event with this code is about, by the codes that open them, and whether it opens each.
pub(crate) fn touched(code: &str) -> impl Iterator<Item = (&'static str, bool)> {
    MATTERS.iter().filter_map(move |(opens, ends)| match *opens == code {
        true => Some((*opens, true)),
        false => ends.contains(&code).then_some((*opens, false)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_a_matter_ends_none_and_every_one_can_end() {
        for (opens, ends) in MATTERS {
            assert_eq!(touched(opens).collect::<Vec<_>>(), [(opens, true)]);
            assert!(!ends.is_empty());
            for code in ends {
                assert!(touched(code).any(|it| it == (opens, false)), "{code}");
            }
        }
        assert_eq!(touched("SNAPSHOT_TAKEN").count(), 0);
    }
}
