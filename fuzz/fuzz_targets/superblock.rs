//! The fuzzer's way into `tidemark_fuzz::superblock`; run by `cargo xtask fuzz superblock`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = tidemark_fuzz::superblock(bytes);
});
