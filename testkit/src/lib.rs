//! What the tests stand on. Never shipped.
