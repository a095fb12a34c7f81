//! Rule: unsafe code in one file only, the one that maps memory. The compiler denies it everywhere; this
//! keeps the exceptions from that at one.

use super::Finding;
use super::files::SourceFile;
use regex_lite::Regex;

const ALLOWED_IN: &str = "blockstore/src/local/mmap.rs";

pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    if !file.is_rust() || file.path == ALLOWED_IN {
        return Vec::new();
    }
    // Over several lines as well: rustfmt breaks attributes with a long reason.
    let pattern = Regex::new(r"\b(?:allow|expect|warn)\s*\([^)]*\bunsafe_code\b").expect("the tests use it");
    let advice = format!("only {ALLOWED_IN} may have unsafe code");
    let lines = pattern.find_iter(&file.text).map(|found| file.line_of(found.start()));
    lines.map(|line| file.finding(line, "unsafe code", advice.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::super::files::file;
    use super::*;

    #[test]
    fn an_exception_is_found_in_any_other_file() {
        for text in [
            concat!("//! x\n#![all", "ow(unsafe_code)]"),
            concat!("//! x\n#[exp", "ect(dead_code, unsafe_code, reason = \"y\")]"),
            concat!("//! x\n#[exp", "ect(\n    unsafe_code,\n    reason = \"y\"\n)]"),
            concat!("//! x\n#[cfg_attr(test, all", "ow(unsafe_code))]"),
        ] {
            let findings = check(&file("head/src/lib.rs", text));
            assert_eq!(findings.iter().map(|it| it.line).collect::<Vec<_>>(), [2], "{text}");
        }
    }

    #[test]
    fn the_file_that_maps_memory_may() {
        assert_eq!(check(&file(ALLOWED_IN, concat!("#![exp", "ect(unsafe_code)]"))), []);
        assert_eq!(
            check(&file("a/src/lib.rs", "#![forbid(unsafe_code)] // allow() nothing unsafe_code")),
            []
        );
    }
}
