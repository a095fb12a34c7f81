//! The fuzzer's way into `tidemark_fuzz::catalog_record`; run by `cargo xtask fuzz catalog_record`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = tidemark_fuzz::catalog_record(bytes);
});
