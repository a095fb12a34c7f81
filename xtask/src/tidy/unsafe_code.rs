//! Rule: no unsafe code. The compiler denies it; this denies exceptions.

use super::Finding;
use super::files::SourceFile;
use regex_lite::Regex;

pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    if !file.is_rust() {
        return Vec::new();
    }
    // Over several lines as well: rustfmt breaks attributes with a long reason.
    let pattern = Regex::new(r"\b(?:allow|expect|warn)\s*\([^)]*\bunsafe_code\b").expect("the tests use it");
    let lines = pattern.find_iter(&file.text).map(|found| file.line_of(found.start()));
    lines
        .map(|line| file.finding(line, "unsafe code", "there is none, and no exception".to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::files::file;
    use super::*;

    #[test]
    fn an_exception_is_found() {
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
    fn forbidding_it_is_no_exception() {
        let text = "#![forbid(unsafe_code)] // allow() nothing unsafe_code";
        assert_eq!(check(&file("a/src/lib.rs", text)), []);
    }
}
