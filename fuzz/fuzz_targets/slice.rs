//! The fuzzer's way into `tidemark_fuzz::slice`; run by `cargo xtask fuzz slice`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = tidemark_fuzz::slice(bytes);
});
