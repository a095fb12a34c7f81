//! The fuzzer's way into `tidemark_fuzz::metadata`; run by `cargo xtask fuzz metadata`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = tidemark_fuzz::metadata(bytes);
});
