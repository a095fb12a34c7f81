//! The agent: copies a replica set by ordinary queries, tails its oplog, and ships both to the Backup HTTP server.
