//! Rule: every source file opens with `//!`, saying what it is for.

use super::Finding;
use super::files::SourceFile;

pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    if !file.is_rust() {
        return Vec::new();
    }
    let first = file.text.lines().next().unwrap_or_default();
    if first.strip_prefix("//!").is_some_and(|it| !it.trim().is_empty()) {
        return Vec::new();
    }
    let advice =
        "open the file with `//!`: what it is for, who calls it, what always holds, what it leaves out";
    vec![file.finding(1, "head comment", advice)]
}

#[cfg(test)]
mod tests {
    use super::super::files::file;
    use super::*;

    #[test]
    fn a_file_without_a_head_comment_is_found() {
        for text in
            ["", "use std::fmt;\n", "\n//! late\n", "//!\n", "// not a doc comment\n", "/// of the item\n"]
        {
            let findings = check(&file("a/src/lib.rs", text));
            assert_eq!(findings.len(), 1, "{text:?}");
            assert_eq!(findings[0].line, 1);
        }
    }

    #[test]
    fn a_head_comment_passes_and_other_files_need_none() {
        assert_eq!(check(&file("a/src/lib.rs", "//! What for.\nuse std::fmt;\n")), []);
        assert_eq!(check(&file("a/README.md", "text\n")), []);
    }
}
