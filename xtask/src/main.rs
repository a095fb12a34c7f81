//! The chores of the project: `cargo xtask <verb>`.
fn main() {}
