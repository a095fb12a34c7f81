//! The fuzzer's way into `tidemark_fuzz::patch`; run by `cargo xtask fuzz patch`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = tidemark_fuzz::patch(bytes);
});
