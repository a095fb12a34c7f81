//! The fuzzer's way into `tidemark_fuzz::diff`; run by `cargo xtask fuzz diff`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = tidemark_fuzz::diff(bytes);
});
