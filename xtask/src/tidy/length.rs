//! Rule: no source file over 800 lines. Tests do not count.

use super::Finding;
use super::files::SourceFile;

const MAX_LINES: usize = 800;

pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    if !file.is_rust() || file.is_test() {
        return Vec::new();
    }
    let lines: Vec<_> = file.text.lines().collect();
    let counted = without_trailing_tests(&lines);
    if counted <= MAX_LINES {
        return Vec::new();
    }
    let advice =
        format!("{counted} lines without tests, at most {MAX_LINES}: find the second concept, split it off");
    vec![file.finding(MAX_LINES + 1, "length", advice)]
}

/// The number of lines before the module of unit tests that ends the file; all lines if there is none.
fn without_trailing_tests(lines: &[&str]) -> usize {
    let Some(attribute) = lines.iter().rposition(|line| *line == "#[cfg(test)]") else { return lines.len() };
    let after = lines.iter().enumerate().skip(attribute + 1);
    let mut after = after.skip_while(|(_, line)| line.starts_with("#["));
    if !after.next().is_some_and(|(_, line)| line.starts_with("mod ") && line.ends_with('{')) {
        return lines.len();
    }
    // Formatted code closes a module in the first column. Anything after that is code again.
    let end = after.find(|(_, line)| **line == "}").map_or(lines.len(), |(at, _)| at);
    let rest = lines.get(end + 1..).unwrap_or_default();
    if rest.iter().all(|line| line.trim().is_empty()) { attribute } else { lines.len() }
}

#[cfg(test)]
mod tests {
    use super::super::files::file;
    use super::*;

    const TESTS: &str = "#[cfg(test)]\nmod tests {\n    fn x() {}\n}\n";

    fn code(lines: usize) -> String {
        "//! x\n".repeat(lines)
    }

    #[test]
    fn a_file_over_the_limit_is_found() {
        let findings = check(&file("a/src/lib.rs", &code(MAX_LINES + 1)));
        assert_eq!(findings.iter().map(|it| it.line).collect::<Vec<_>>(), [MAX_LINES + 1]);
        assert!(findings[0].advice.starts_with("801 lines"));
        assert_eq!(check(&file("a/src/lib.rs", &code(MAX_LINES))), []);
    }

    #[test]
    fn unit_tests_at_the_end_do_not_count() {
        assert_eq!(check(&file("a/src/lib.rs", &(code(MAX_LINES) + TESTS))), []);
        let with_attribute = code(MAX_LINES) + &TESTS.replace("mod tests", "#[expect(x)]\nmod tests");
        assert_eq!(check(&file("a/src/lib.rs", &with_attribute)), []);
    }

    #[test]
    fn code_after_the_unit_tests_counts_and_so_do_the_tests_then() {
        let text = TESTS.to_owned() + &code(MAX_LINES);
        assert_eq!(check(&file("a/src/lib.rs", &text)).len(), 1);
        let declared_only = "#[cfg(test)]\nmod tests;\n".to_owned() + &code(MAX_LINES);
        assert_eq!(check(&file("a/src/lib.rs", &declared_only)).len(), 1);
    }

    #[test]
    fn files_of_tests_may_be_long() {
        assert_eq!(check(&file("a/tests/live.rs", &code(2000))), []);
        assert_eq!(check(&file("a/src/foo/tests.rs", &code(2000))), []);
    }
}
