//! The fuzzer's way into `tidemark_fuzz::key`; run by `cargo xtask fuzz key`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = tidemark_fuzz::key(bytes);
});
