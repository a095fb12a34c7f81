//! Rule: no left-over marks: unfinished code, debugging output, tests that are switched off.

use super::Finding;
use super::files::SourceFile;
use regex_lite::Regex;

/// What is looked for in every text, and what more in source files. Written so that no line of this file is
/// a match itself.
const EVERYWHERE: [&str; 2] = [r"\bFIX[M]E\b", r"\bXX[X]\b"];
const IN_SOURCE: [&str; 4] = [r"\btodo[!]", r"\bunimplemented[!]", r"\bdbg[!]", r"#!?\[\s*ignore\b"];

pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    let more = if file.is_rust() { &IN_SOURCE[..] } else { &[] };
    let mut findings = Vec::new();
    for text in EVERYWHERE.iter().chain(more) {
        let pattern = Regex::new(text).expect("the pattern is a constant that the tests use");
        for found in pattern.find_iter(&file.text) {
            let advice = format!("finish it or take it out: {}", found.as_str());
            findings.push(file.finding(file.line_of(found.start()), "left-over mark", advice));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::files::file;
    use super::*;

    #[test]
    fn marks_are_found_in_source() {
        for mark in [
            concat!("to", "do!()"),
            concat!("unimple", "mented!(\"x\")"),
            concat!("let x = d", "bg!(y);"),
            concat!("// FIX", "ME later"),
            concat!("// XX", "X"),
            concat!("#[ign", "ore]"),
            concat!("#[ign", "ore = \"slow\"]"),
        ] {
            let findings = check(&file("a/src/lib.rs", &format!("//! x\n{mark}\n")));
            assert_eq!(findings.iter().map(|it| it.line).collect::<Vec<_>>(), [2], "{mark}");
        }
    }

    #[test]
    fn words_that_only_look_alike_pass() {
        assert_eq!(check(&file("a/src/lib.rs", "mktemp x.XXXXXX; xtodo!(); let ignore = 1;")), []);
        assert_eq!(check(&file("a/notes.md", concat!("the macro to", "do!"))), []);
    }
}
