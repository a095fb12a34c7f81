//! The fuzzer's way into `tidemark_fuzz::root`; run by `cargo xtask fuzz root`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = tidemark_fuzz::root(bytes);
});
