//! The fuzzer's way into `tidemark_fuzz::record`; run by `cargo xtask fuzz record`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = tidemark_fuzz::record(bytes);
});
