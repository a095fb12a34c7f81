//! The fuzzer's way into `tidemark_fuzz::pack_scan`; run by `cargo xtask fuzz pack_scan`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = tidemark_fuzz::pack_scan(bytes);
});
