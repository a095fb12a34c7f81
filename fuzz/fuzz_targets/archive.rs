//! The fuzzer's way into `tidemark_fuzz::archive`; run by `cargo xtask fuzz archive`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = tidemark_fuzz::archive(bytes);
});
