//! The fuzzer's way into `tidemark_fuzz::refs_log`; run by `cargo xtask fuzz refs_log`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = tidemark_fuzz::refs_log(bytes);
});
