//! Small plots as SVG text: bars for peers, lines over rounds. Just what the page needs.
//!
//! The same figures give the same bytes; numbers are rounded to what a pixel shows.

use crate::targets::shown;
use std::fmt::Write as _;

const WIDTH: f64 = 640.0;
/// Where bars begin, in pixels.
const LEFT: f64 = 190.0;
/// What is left for the number behind a bar.
const RIGHT: f64 = 90.0;
const ROW: f64 = 26.0;
const TOP: f64 = 40.0;
const PLOT_HEIGHT: f64 = 260.0;
/// One for each series; the first is ours.
const COLOURS: [&str; 5] = ["#0b7285", "#adb5bd", "#e8590c", "#5f3dc4", "#868e96"];

/// Horizontal bars, one for each name. Names that begin with "tidemark" stand out.
#[must_use]
pub fn bars(title: &str, unit: &str, values: &[(String, f64)]) -> String {
    let most = values.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
    let mut svg = open(title, TOP + ROW * values.len() as f64 + 10.0);
    for (index, (name, value)) in values.iter().enumerate() {
        let y = TOP + ROW * index as f64;
        let len = ((WIDTH - LEFT - RIGHT) * value / most).max(1.0);
        let colour = COLOURS[usize::from(!name.starts_with("tidemark"))];
        let middle = y + ROW / 2.0 + 2.0;
        let _ = write!(
            svg,
            "<text x=\"{:.0}\" y=\"{middle:.0}\" text-anchor=\"end\">{}</text>\n\
             <rect x=\"{LEFT:.0}\" y=\"{y:.0}\" width=\"{len:.1}\" height=\"{:.0}\" fill=\"{colour}\"/>\n\
             <text x=\"{:.1}\" y=\"{middle:.0}\">{} {}</text>\n",
            LEFT - 8.0,
            escaped(name),
            ROW - 8.0,
            LEFT + len + 6.0,
            shown(*value),
            escaped(unit),
        );
    }
    svg + "</svg>\n"
}

/// A line for each series over its index from 1, with a scale from zero.
#[must_use]
pub fn lines(title: &str, across: &str, unit: &str, series: &[(String, Vec<f64>)]) -> String {
    let count = series.iter().map(|(_, values)| values.len()).max().unwrap_or(0).max(2);
    let most = series.iter().flat_map(|(_, values)| values).copied().fold(f64::MIN_POSITIVE, f64::max);
    let (left, right, bottom) = (70.0, WIDTH - 20.0, TOP + PLOT_HEIGHT);
    let mut svg = open(title, bottom + 50.0 + 18.0 * series.len() as f64);
    for part in 0..=4 {
        let share = f64::from(part) / 4.0;
        let y = bottom - PLOT_HEIGHT * share;
        let _ = write!(
            svg,
            "<path d=\"M{left:.0} {y:.0}H{right:.0}\" stroke=\"#dee2e6\"/>\n\
             <text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>\n",
            left - 6.0,
            y + 4.0,
            shown(most * share),
        );
    }
    let _ = write!(
        svg,
        "<text x=\"{left:.0}\" y=\"{:.0}\">1</text>\n\
         <text x=\"{right:.0}\" y=\"{:.0}\" text-anchor=\"end\">{count} {}</text>\n",
        bottom + 18.0,
        bottom + 18.0,
        escaped(across),
    );
    for (index, (name, values)) in series.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let points: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(at, value)| {
                let x = left + (right - left) * at as f64 / (count - 1) as f64;
                format!("{x:.1},{:.1}", bottom - PLOT_HEIGHT * value / most)
            })
            .collect();
        let y = bottom + 40.0 + 18.0 * index as f64;
        let _ = write!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n\
             <rect x=\"{left:.0}\" y=\"{:.0}\" width=\"12\" height=\"4\" fill=\"{colour}\"/>\n\
             <text x=\"{:.0}\" y=\"{y:.0}\">{}, {}</text>\n",
            points.join(" "),
            y - 6.0,
            left + 18.0,
            escaped(name),
            escaped(unit),
        );
    }
    svg + "</svg>\n"
}

fn open(title: &str, height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\" width=\"{WIDTH:.0}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#212529\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"10\" y=\"22\" font-size=\"14\" font-weight=\"bold\">{}</text>\n",
        escaped(title)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_values() {
        let svg = bars("a < b", "MB", &[("tidemark".into(), 10.0), ("restic".into(), 360.0)]);
        assert!(
            svg.contains("a &lt; b") && svg.contains("width=\"360.0\"") && svg.contains("width=\"10.0\"")
        );
        assert!(svg.contains(COLOURS[0]) && svg.contains("360 MB") && svg.ends_with("</svg>\n"));
        assert!(bars("none", "MB", &[]).ends_with("</svg>\n"));
    }

    #[test]
    fn a_line_goes_from_the_left_to_the_right() {
        let svg = lines("t", "rounds", "MB", &[("s".into(), vec![0.0, 50.0, 100.0])]);
        assert!(svg.contains("70.0,300.0 345.0,170.0 620.0,40.0"), "{svg}");
        assert!(lines("t", "x", "y", &[("one".into(), vec![1.0])]).contains("70.0,40.0"));
    }
}
