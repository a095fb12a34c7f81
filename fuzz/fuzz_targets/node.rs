//! The fuzzer's way into `tidemark_fuzz::node`; run by `cargo xtask fuzz node`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = tidemark_fuzz::node(bytes);
});
