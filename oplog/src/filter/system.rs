//! What servers keep for themselves, and how their hidden collections belong to those that users see.
//!
//! Called by [`super::Filter`]. Rows of a server's own state would be wrong on any other server: sessions,
//! retryable images, cluster keys, caches of routing. Everything that is not listed is kept.

/// Collections of `config` that no backup of a replica set holds.
const CONFIG: [&str; 9] = [
    "external_validation_keys",
    "image_collection",
    "migrationCoordinators",
    "queryAnalyzers",
    "system.indexBuilds",
    "system.preimages",
    "system.profile",
    "system.sessions",
    "transactions",
];

/// Beginnings of such names.
const CONFIG_PREFIXES: [&str; 6] = [
    "analyzeShardKey",
    "cache.",
    "localReshardingOperations.",
    "rangeDeletions",
    "sampledQueries",
    "tenantMigration",
];

/// Whether a backup of a replica set may hold it at all.
pub(super) fn is_kept(database: &str, collection: &str) -> bool {
    match database {
        "local" => false,
        "admin" => !matches!(collection, "system.keys" | "system.profile"),
        "config" => {
            !CONFIG.contains(&collection)
                && !CONFIG_PREFIXES.iter().any(|prefix| collection.starts_with(prefix))
        }
        _ => collection != "system.profile",
    }
}

/// The server's own collections that are kept even if others are asked for: users and roles, the feature
/// version, defaults and cluster parameters.
pub(super) fn needs_no_naming(database: &str, collection: &str) -> bool {
    database == "config" || database == "admin" && collection.starts_with("system.")
}

/// Collections that belong to a database rather than to one collection of it: the views' definitions, and
/// what servers build under a temporary name and rename into place.
pub(super) fn goes_with_database(collection: &str) -> bool {
    collection == "system.views"
        || ["tmp.agg_out.", "tmp.mr.", "system.resharding."].iter().any(|it| collection.starts_with(it))
        || is_temporary_copy(collection)
}

/// `tmpXXXXX.renameCollection` and `tmpXXXXX.convertToCapped.<name>`: five letters or digits, drawn anew.
fn is_temporary_copy(collection: &str) -> bool {
    let Some((drawn, rest)) = collection.strip_prefix("tmp").and_then(|rest| rest.split_once('.')) else {
        return false;
    };
    drawn.len() == 5
        && drawn.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && (rest == "renameCollection" || rest.starts_with("convertToCapped."))
}

/// The collection whose data a hidden one holds: of a time-series collection's buckets, or of the metadata
/// of queryable encryption (`enxcol_.<name>.esc` and its kin). Others are their own.
pub(super) fn data_of(collection: &str) -> &str {
    if let Some(name) = collection.strip_prefix("system.buckets.") {
        return name;
    }
    let encrypted = collection.strip_prefix("enxcol_.").and_then(|rest| rest.rsplit_once('.'));
    match encrypted {
        Some((name, "esc" | "ecc" | "ecoc")) => name,
        _ => collection,
    }
}
