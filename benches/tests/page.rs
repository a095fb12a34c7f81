//! The page of figures is what the kept results give: nobody edits it, and nobody forgets to render it.

use std::fs;
use tidemark_benches::page::render;
use tidemark_benches::results::{Run, folder};
use tidemark_testkit::parts;

const ADVICE: &str = "run `cargo xtask bench page`";

#[test]
fn the_page_is_what_the_results_give() {
    let page = render(Run::newest(&folder(), false).unwrap().as_ref());
    let docs = parts::workspace().join("docs");
    let text = fs::read_to_string(docs.join("performance.md")).unwrap_or_default();
    assert_eq!(text, page.text, "{ADVICE}");
    for (name, svg) in &page.plots {
        let found = fs::read_to_string(docs.join("performance").join(name)).unwrap_or_default();
        assert!(found == *svg, "{name}: {ADVICE}");
    }
    let plots = fs::read_dir(docs.join("performance")).map_or(0, Iterator::count);
    assert_eq!(plots, page.plots.len(), "{ADVICE}");
}
