//! `docs/performance.md` and its plots: a pure function of the results that are kept.
//!
//! Figures come from one run of all suites, the newest with all of the data; what that run did not measure is
//! said to be missing, never taken from another. A test compares the page with what this gives.

use crate::plot;
use crate::results::Run;
use crate::targets::{GROUPS, Group, shown};
use serde_json::Value;
use std::fmt::Write as _;

/// The page and what it shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The text, for `docs/performance.md`.
    pub text: String,
    /// File names below `docs/performance/`, and the plots.
    pub plots: Vec<(String, String)>,
}

const INTRO: &str = "\
# Performance

Made by `cargo xtask bench` of the results it keeps in `benches/results/`; do not edit. All figures are of one run, on
one machine. Peers run in the same run, alternating with Tidemark, for disks and processors change their pace within
minutes: compare what stands here with what stands beside it, not with figures from elsewhere.

The data is workload G: 4 million orders of a shop, 2.3 GB of BSON, about 580 bytes each, ObjectId `_id`, compressible by
zstd about 3.4 times; its changes are oplog entries as a server writes them. How each figure is taken is said where it
is measured, in `benches/src/bin/`.
";

const COMPARED: &str = "
Restic and borg get the dump as mongodump writes it, the second time the whole dump of the changed data; the time to make
these dumps is not counted. Tidemark gets the dump once, and then the oplog of the change, which it keeps too: every
moment between the two snapshots can be restored. Bare is cutting, BLAKE3 and zstd 3 of the same bytes on all threads in
memory, and the way back into a pipe. Times are medians, wall and processor (user and system); memory is the most of any
run; stored is what the whole repository grew by, with the garbage of a first build and the 34 MB that Tidemark keeps in
reserve for a full disk. MongoDB's own tools had a quarter of the documents; their memory is without the server's.
";

/// The page of a run.
#[must_use]
pub fn render(run: Option<&Run>) -> Page {
    let mut page = Page { text: INTRO.to_owned(), plots: Vec::new() };
    let none = Run::default();
    page.text += &run.map_or_else(|| "\nNo run of all suites is kept yet.\n".to_owned(), about);
    let run = run.unwrap_or(&none);
    page.text += "\n## Promises\n";
    GROUPS.iter().for_each(|group| promises(group, run, &mut page.text));
    page.text += "\n## Beside other tools\n";
    page.text += COMPARED;
    for (case, title) in [
        ("first", "First backup"),
        ("next", "Next backup, after 1 % updates, 1 % inserts, 0.2 % deletes"),
        ("restore", "Reading the second backup into a pipe"),
        ("mongo", "MongoDB's own tools, a quarter of the documents"),
    ] {
        peers(run, case, title, &mut page.text);
    }
    plots(run, &mut page);
    page
}

fn about(run: &Run) -> String {
    let date = i64::try_from(run.began_ms).ok().map(bson::DateTime::from_millis);
    let date = date.and_then(|it| it.try_to_rfc3339_string().ok()).unwrap_or_default();
    let day = date.split('T').next().unwrap_or_default();
    let text = |value: Option<&Value>| match value {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => "?".to_owned(),
    };
    let machine = |name| text(run.common("machine").and_then(|it| it.get(name)));
    let (cores, ram, system) = (machine("cores"), machine("ram_gib"), machine("system"));
    let (processor, commit) = (machine("processor"), text(run.common("commit")));
    format!("\nRun of {day}, commit {commit}: {cores} cores ({processor}), {ram} GiB of memory, {system}.\n")
}

fn promises(group: &Group, run: &Run, text: &mut String) {
    let _ = write!(text, "\n{}\n\n| figure | target | measured | met |\n|---|---|---|---|\n", group.title);
    for target in group.targets {
        let bound = target.with_unit(&target.bound.to_string());
        let (figure, met) = match target.in_run(run) {
            Some((figure, met)) => (target.with_unit(&shown(figure)), if met { "yes" } else { "**no**" }),
            None => ("not measured".to_owned(), "–"),
        };
        let _ = writeln!(text, "| {} | {bound} | {figure} | {met} |", target.what);
    }
}

fn peers(run: &Run, case: &str, title: &str, text: &mut String) {
    let _ = write!(text, "\n### {title}\n\n");
    let Some(tools) = run.figures("peers", case).and_then(|it| it["tools"].as_object()) else {
        *text += "Not measured.\n";
        return;
    };
    *text +=
        "| tool | wall, s | processor, s | memory, MiB | stored, MB | how |\n|---|---|---|---|---|---|\n";
    for (name, tool) in tools {
        let number = |name: &str| tool[name].as_f64().map_or_else(|| "–".to_owned(), shown);
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {} | {} |",
            number("wall_s"),
            number("cpu_s"),
            number("peak_rss_mib"),
            number("stored_mb"),
            tool["how"].as_str().unwrap_or_default(),
        );
    }
}

/// What all tools took of something, for bars.
fn of_tools(run: &Run, case: &str, what: &str) -> Vec<(String, f64)> {
    let tools = run.figures("peers", case).and_then(|it| it["tools"].as_object());
    let tools = tools.into_iter().flatten();
    tools.filter_map(|(name, tool)| Some((name.clone(), tool[what].as_f64()?))).collect()
}

/// A figure that is a list, of a case of the whole-engine suite.
fn series(run: &Run, case: &str, name: &str) -> Vec<f64> {
    let list = run.figures("e2e", case).and_then(|it| it[name].as_array());
    list.into_iter().flatten().filter_map(Value::as_f64).collect()
}

/// A plot of a figure of each tool.
struct Bars {
    file: &'static str,
    title: &'static str,
    unit: &'static str,
    case: &'static str,
    figure: &'static str,
}

/// A plot of lists of figures of the whole-engine suite: names, cases and figures.
struct Lines {
    file: &'static str,
    title: &'static str,
    across: &'static str,
    unit: &'static str,
    all: &'static [[&'static str; 3]],
}

const BARS: [Bars; 4] = [
    Bars {
        file: "next-stored",
        title: "Stored by the next backup",
        unit: "MB",
        case: "next",
        figure: "stored_mb",
    },
    Bars { file: "next-time", title: "Time of the next backup", unit: "s", case: "next", figure: "wall_s" },
    Bars {
        file: "first-time",
        title: "Time of the first backup",
        unit: "s",
        case: "first",
        figure: "wall_s",
    },
    Bars {
        file: "restore-time",
        title: "Time to read a backup into a pipe",
        unit: "s",
        case: "restore",
        figure: "wall_s",
    },
];

const LINES: [Lines; 4] = [
    Lines {
        file: "snapshots-stored",
        title: "Stored after so many snapshots, all kept",
        across: "snapshots",
        unit: "MB",
        all: &[["Tidemark", "snapshots", "stored_mb_by_snapshot"]],
    },
    Lines {
        file: "snapshots-time",
        title: "Time of each snapshot after the first",
        across: "snapshots",
        unit: "s",
        all: &[["Tidemark", "snapshots", "next_s_by_snapshot"]],
    },
    Lines {
        file: "replace-read",
        title: "What reading the newest state takes, while each round replaces 5 %",
        across: "rounds",
        unit: "MB",
        all: &[
            ["with compaction", "replace", "read_mb_by_round"],
            ["compaction off", "replace", "off_read_mb_by_round"],
        ],
    },
    Lines {
        file: "many-create",
        title: "Time to create a snapshot of 1,000 changed documents",
        across: "snapshots",
        unit: "ms",
        all: &[["create", "many", "create_ms_by_snapshot"]],
    },
];

fn plots(run: &Run, page: &mut Page) {
    let bars = BARS.iter().map(|it| {
        let values = of_tools(run, it.case, it.figure);
        let svg = (!values.is_empty()).then(|| plot::bars(it.title, it.unit, &values));
        (it.file, it.title, svg)
    });
    let lines = LINES.iter().map(|it| {
        let all = it.all.iter().map(|[name, case, figure]| ((*name).to_owned(), series(run, case, figure)));
        let all: Vec<_> = all.filter(|(_, values)| !values.is_empty()).collect();
        let svg = (!all.is_empty()).then(|| plot::lines(it.title, it.across, it.unit, &all));
        (it.file, it.title, svg)
    });
    for (file, title, svg) in bars.chain(lines) {
        let Some(svg) = svg else { continue };
        if page.plots.is_empty() {
            page.text += "\n## Plots\n";
        }
        let _ = write!(page.text, "\n![{title}](performance/{file}.svg)\n");
        page.plots.push((format!("{file}.svg"), svg));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run() -> Run {
        let line = |case: &str, figures: Value| {
            let machine = json!({"cores": 2, "ram_gib": 24, "system": "linux", "processor": "x"});
            json!({"run": "1700000000000", "quick": false, "case": case, "commit": "abc", "figures": figures,
                   "machine": machine})
        };
        let tools = json!({"restic": {"wall_s": 13.5, "stored_mb": 600.0}, "tidemark": {"wall_s": 5.0,
                           "cpu_s": 9.0, "stored_mb": 12.0, "peak_rss_mib": 100, "how": "own"}});
        let lines = vec![
            ("e2e".to_owned(), line("snapshots", json!({"next_stored_mb": 11.5, "stored_to_first": 2.5}))),
            ("e2e".to_owned(), line("replace", json!({"read_mb_by_round": [1.0, 2.0]}))),
            ("peers".to_owned(), line("next", json!({"tools": tools}))),
        ];
        Run::of_lines(lines, false).unwrap()
    }

    #[test]
    fn a_figure_stands_beside_its_target_and_says_whether_it_is_met() {
        let Page { text, plots } = render(Some(&run()));
        for line in [
            "Run of 2023-11-14, commit abc: 2 cores (x), 24 GiB of memory, linux.",
            "| stored by the next snapshot | ≤ 12 MB | 11.5 MB | yes |",
            "| stored after 50 of them, of the first | ≤ 2 | 2.5 | **no** |",
            "| time of it, of the first's | ≤ 0.03 | not measured | – |",
            "| tidemark | 5 | 9 | 100 | 12 | own |",
            "| restic | 13.5 | – | – | 600 |  |",
            "![Stored by the next backup](performance/next-stored.svg)",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
        let names: Vec<_> = plots.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["next-stored.svg", "next-time.svg", "replace-read.svg"]);
    }

    #[test]
    fn without_a_run_nothing_is_claimed() {
        let Page { text, plots } = render(None);
        assert!(text.contains("No run of all suites is kept yet.") && plots.is_empty());
        assert!(!text.contains("| yes |") && !text.contains("**no**"));
    }
}
