//! UUIDs of collections for which a dump gives none.
//!
//! Made by the import, recognized where the oplog names the same collection by its real UUID. They follow from
//! the name alone, so the same dump gives the same root. Laid down in `docs/format.md`: a root keeps them until
//! the real ones are known. Deliberately not here: what happens then (`state/adopt.rs`).

use tidemark_base::{BlockId, BlockKind, CollectionUuid};

/// The UUID for a collection of this name: version 8, "custom", which no server makes.
pub(crate) fn uuid_of(database: &str, collection: &str) -> CollectionUuid {
    let text = format!("tidemark collection {database}.{collection}");
    let hash = BlockId::of(BlockKind::Leaf, text.as_bytes());
    let mut bytes = *hash.as_bytes().first_chunk::<16>().expect("a hash has 32 bytes");
    let [.., version, _, variant, _, _, _, _, _, _, _] = &mut bytes;
    *version = (*version & 0x0f) | 0x80;
    *variant = (*variant & 0x3f) | 0x80;
    CollectionUuid::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Roots hold it: it may never change.
    #[test]
    fn the_uuid_of_a_name_is_what_it_always_was() {
        let uuid = uuid_of("app", "system.views");
        assert_eq!(hex::encode(uuid.as_bytes()), "270cf359b30f8b0fa0e18ec8507b9509");
        assert_ne!(uuid, uuid_of("app", "system.buckets.ts"));
    }
}
