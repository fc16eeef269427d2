//! The results as plots: SVG with the colours of a light or a dark page.

use std::fmt::{Display, Write as _};

use super::data::{Report, Row};
use super::markdown::{SCALES, is_durable, is_remote};
use crate::contestants::{self, PERENNIAL};

const WIDTH: f64 = 900.0;
const LEFT: f64 = 230.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 80.0;
const BOTTOM: f64 = 30.0;
const ROW: f64 = 20.0;

/// Ratios beyond these are shown at the edge.
const RATIOS: (f64, f64) = (0.25, 1024.0);

/// The colours differ in lightness too, and each contestant has a shape of its own.
const STYLE: &str = "\
text{font:12px system-ui,sans-serif;fill:#24292f}.title{font-size:14px;font-weight:600}\
.page{fill:#fff}.grid{stroke:#d0d7de}.one{stroke:#24292f;stroke-width:1.5}\
polyline{fill:none;stroke-width:2}\
.perennial{fill:#1a7f37;stroke:#1a7f37}.bare{fill:#6e7781;stroke:#6e7781}\
.ractor{fill:#bc4c00;stroke:#bc4c00}.kameo{fill:#0969da;stroke:#0969da}\
.actix{fill:#8250df;stroke:#8250df}.erlang{fill:#cf222e;stroke:#cf222e}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.page{fill:#0d1117}.grid{stroke:#30363d}\
.one{stroke:#e6edf3}.perennial{fill:#3fb950;stroke:#3fb950}.bare{fill:#9ea7b0;stroke:#9ea7b0}\
.ractor{fill:#f0883e;stroke:#f0883e}.kameo{fill:#58a6ff;stroke:#58a6ff}\
.actix{fill:#bc8cff;stroke:#bc8cff}.erlang{fill:#ff7b72;stroke:#ff7b72}}";

/// Draws the cost of every contestant divided by perennial's, one line for each row.
pub fn ratios(report: &Report) -> String {
    let rows: Vec<_> = report.rows.iter().filter(|row| is_plotted(row)).collect();
    let bottom = TOP + ROW * rows.len() as f64;
    let x = |ratio: f64| {
        let (low, high) = RATIOS;
        axis((LEFT, WIDTH - RIGHT), (low, high), ratio.clamp(low, high))
    };
    let names = contestants::ACTORS.iter().map(|one| one.name).filter(|name| *name != PERENNIAL.name);
    let names: Vec<_> = names.collect();
    let mut svg = Svg::new(bottom + BOTTOM, "The cost of each contestant divided by that of perennial");
    svg.legend(&names);
    for power in -2..=10 {
        let ratio = 2_f64.powi(power);
        svg.line(if power == 0 { "one" } else { "grid" }, (x(ratio), TOP), (x(ratio), bottom));
        let label =
            if power < 0 { format!("1/{}", 2_u32.pow(power.unsigned_abs())) } else { ratio.to_string() };
        svg.text("middle", (x(ratio), bottom + 18.0), label);
    }
    for (place, row) in rows.iter().enumerate() {
        let y = TOP + ROW * (place as f64 + 0.5);
        svg.text("end", (LEFT - 12.0, y + 4.0), row.row.replace('_', " "));
        svg.line("grid", (LEFT, y), (WIDTH - RIGHT, y));
        for name in &names {
            if let Some(ratio) = row.ratio(name) {
                svg.marker(name, (x(ratio), y));
            }
        }
    }
    svg.end()
}

/// Returns `true` if the row is in the plot of ratios: the parts of a scale are not.
fn is_plotted(row: &Row) -> bool {
    let is_part = row.row.starts_with("scale_") && SCALES.iter().all(|(work, _)| *work != row.row);
    !is_part
        && !is_durable(row)
        && !is_remote(row)
        && contestants::ACTORS.iter().any(|one| one.name != PERENNIAL.name && row.ratio(one.name).is_some())
}

/// Draws the cost of each supervised worker against their number.
pub fn scale(report: &Report) -> String {
    const HEIGHT: f64 = 420.0;
    let bottom = HEIGHT - BOTTOM;
    let rows: Vec<_> = SCALES.iter().map(|(work, workers)| (report.row(work), *workers)).collect();
    let names: Vec<_> = contestants::ACTORS.iter().map(|one| one.name).collect();
    let costs = || rows.iter().flat_map(|(row, _)| names.iter().filter_map(move |name| (*row)?.cost(name)));
    let low = decade(costs().fold(f64::INFINITY, f64::min).min(1e6), f64::floor);
    let high = decade(costs().fold(0.0, f64::max).max(10.0 * low), f64::ceil);
    let step = (WIDTH - RIGHT - LEFT) / (rows.len() - 1) as f64;
    let x = |place: usize| LEFT + step * place as f64;
    let y = |cost: f64| axis((bottom, TOP), (low, high), cost);
    let title = "The time for each worker: start, one message, its share of crashes, stop";
    let mut svg = Svg::new(HEIGHT, title);
    let racing: Vec<_> = names
        .iter()
        .copied()
        .filter(|name| rows.iter().any(|(row, _)| row.is_some_and(|row| row.cost(name).is_some())))
        .collect();
    svg.legend(&racing);
    let mut cost = low;
    while cost <= high * 1.01 {
        svg.line("grid", (LEFT, y(cost)), (WIDTH - RIGHT, y(cost)));
        svg.text("end", (LEFT - 12.0, y(cost) + 4.0), format!("{} us", cost / 1e3));
        cost *= 10.0;
    }
    for (place, (_, workers)) in rows.iter().enumerate() {
        let anchor = if place + 1 == rows.len() { "end" } else { "middle" };
        svg.text(anchor, (x(place), bottom + 18.0), format!("{workers} workers"));
    }
    for name in racing {
        let cost = |row: &Option<&Row>| row.and_then(|row| row.cost(name));
        let points = rows.iter().enumerate().filter_map(|(place, (row, _))| Some((x(place), y(cost(row)?))));
        let points: Vec<_> = points.collect();
        svg.polyline(name, &points);
        points.iter().for_each(|point| svg.marker(name, *point));
    }
    svg.end()
}

/// Returns the power of ten next to a value.
fn decade(value: f64, round: fn(f64) -> f64) -> f64 {
    10_f64.powf(round(value.log10()))
}

/// Returns the place of a value on a logarithmic axis.
fn axis((from, to): (f64, f64), (low, high): (f64, f64), value: f64) -> f64 {
    from + (to - from) * (value / low).ln() / (high / low).ln()
}

/// An SVG that is being written. Writing into a string does not fail.
struct Svg(String);

impl Svg {
    fn new(height: f64, title: &str) -> Self {
        let mut svg = Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n\
             <rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\"/>\n"
        ));
        let _ = writeln!(svg.0, "<text class=\"title\" x=\"20\" y=\"28\">{title}</text>");
        svg
    }

    fn legend(&mut self, names: &[&str]) {
        for (place, name) in names.iter().enumerate() {
            let x = LEFT + 105.0 * place as f64;
            self.marker(name, (x, 54.0));
            self.text("start", (x + 10.0, 58.0), name);
        }
    }

    fn text(&mut self, anchor: &str, (x, y): (f64, f64), text: impl Display) {
        let _ = writeln!(self.0, "<text text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>");
    }

    fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        let _ = writeln!(
            self.0,
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        );
    }

    fn polyline(&mut self, class: &str, points: &[(f64, f64)]) {
        let points: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        // The fill of the class is for markers.
        let _ = writeln!(
            self.0,
            "<polyline class=\"{class}\" style=\"fill:none\" points=\"{}\"/>",
            points.join(" ")
        );
    }

    /// Draws the shape of a contestant.
    fn marker(&mut self, name: &str, (x, y): (f64, f64)) {
        let path = match name {
            "perennial" => "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z",
            "bare" => "M-1.5-6h3v12h-3z",
            "ractor" => "M-4.5-4.5h9v9h-9z",
            "kameo" => "M0-5.5L5.5 4.5h-11z",
            "actix" => "M0-6L5 0 0 6-5 0z",
            _ => "M0 5.5L5.5-4.5h-11z",
        };
        let _ =
            writeln!(self.0, "<path class=\"{name}\" transform=\"translate({x:.1} {y:.1})\" d=\"{path}\"/>");
    }

    fn end(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::text::tests::{cast, outcome};

    fn count(svg: &str, part: &str) -> usize {
        svg.matches(part).count()
    }

    #[test]
    fn a_ratio_of_two_is_where_the_axis_says() {
        let report =
            Report::new(&[outcome("call", [Some(10.0), Some(20.0), None, None, None, None])], 1).unwrap();
        let svg = ratios(&report);
        let axis_label = svg.lines().find(|line| line.ends_with(">2</text>")).unwrap();
        let x = axis_label.split("x=\"").nth(1).unwrap().split('"').next().unwrap();
        assert!(svg.contains(&format!("<path class=\"ractor\" transform=\"translate({x} 90.0)\"")), "{svg}");
    }

    #[test]
    fn each_contestant_has_a_marker_in_each_of_its_rows_and_one_in_the_legend() {
        let svg = ratios(&Report::new(&[cast(), cast()], 1).unwrap());
        assert_eq!(
            ["bare", "kameo", "erlang"].map(|name| count(&svg, &format!("<path class=\"{name}\""))),
            [3, 3, 1]
        );
        assert_eq!(count(&svg, "cast 1 1"), 2);
    }

    #[test]
    fn the_plot_of_scale_has_a_line_for_each_contestant_that_was_measured() {
        let scales = ["scale_10k", "scale_100k", "scale_1m"];
        let costs = [Some(9_000.0), None, Some(50_000.0), None, None, Some(20_000.0)];
        let outcomes = scales.map(|work| outcome(work, costs));
        let svg = scale(&Report::new(&outcomes, 1).unwrap());
        assert_eq!(count(&svg, "<polyline"), 3);
        assert_eq!(count(&svg, "<path class=\"kameo\""), 4);
        assert!(svg.contains(">1 us<") && svg.contains(">100 us<") && !svg.contains(">1000 us<"), "{svg}");
    }

    #[test]
    fn an_empty_race_has_empty_plots() {
        let report = Report::new(&[], 1).unwrap();
        for svg in [ratios(&report), scale(&report)] {
            assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && !svg.contains("NaN"), "{svg}");
        }
    }
}
