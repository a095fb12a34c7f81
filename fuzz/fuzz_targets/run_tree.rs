//! The fuzzer's way into `tidemark_fuzz::run_tree`; run by `cargo xtask fuzz run_tree`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = tidemark_fuzz::run_tree(bytes);
});
