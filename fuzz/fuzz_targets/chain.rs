//! The fuzzer's way into `tidemark_fuzz::chain`; run by `cargo xtask fuzz chain`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = tidemark_fuzz::chain(bytes);
});
