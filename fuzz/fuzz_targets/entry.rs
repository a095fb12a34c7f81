//! The fuzzer's way into `tidemark_fuzz::entry`; run by `cargo xtask fuzz entry`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = tidemark_fuzz::entry(bytes);
});
