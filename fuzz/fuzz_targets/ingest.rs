//! The fuzzer's way into `tidemark_fuzz::ingest`; run by `cargo xtask fuzz ingest`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = tidemark_fuzz::ingest(bytes);
});
