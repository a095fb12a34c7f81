//! The fuzzer's way into `tidemark_fuzz::row`; run by `cargo xtask fuzz row`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = tidemark_fuzz::row(bytes);
});
