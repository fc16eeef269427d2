//! The histogram of the times from a crash to the next incarnation.

use std::fmt::Write as _;
use std::time::Duration;

/// The sizes in units of the picture.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 200.0;
const BOTTOM: f64 = 30.0;
const TOP: f64 = 20.0;

/// Returns the histogram as a picture. Each bar is for twice the time of the one before.
pub(super) fn histogram(times: &[Duration]) -> String {
    let Some(bars) = bars(times) else { return "<p>No target came back.</p>\n".to_owned() };
    let most = bars.iter().map(|bar| bar.count).max().unwrap_or(1).max(1) as f64;
    let width = WIDTH / bars.len() as f64;
    let mut svg = format!(
        "<svg class=\"histogram\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"{} recoveries by their time\">\n",
        times.len()
    );
    for (place, bar) in bars.iter().enumerate() {
        let (x, middle) = (width * place as f64, width * (place as f64 + 0.5));
        let height = (HEIGHT - BOTTOM - TOP) * bar.count as f64 / most;
        let y = HEIGHT - BOTTOM - height;
        let _ = writeln!(
            svg,
            "<rect class=\"bar\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{height:.1}\"/>\
             <text class=\"tick\" x=\"{middle:.1}\" y=\"{:.1}\">up to {}</text>",
            x + 3.0,
            width - 6.0,
            HEIGHT - 10.0,
            micros(bar.up_to)
        );
        if bar.count > 0 {
            let _ = writeln!(
                svg,
                "<text class=\"tick\" x=\"{middle:.1}\" y=\"{:.1}\">{}</text>",
                y - 5.0,
                bar.count
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// A bar: how many times are above the limit of the bar before and not above this one.
#[derive(Debug, Eq, PartialEq)]
struct Bar {
    /// In microseconds.
    up_to: u64,
    count: usize,
}

/// Returns the bars from the shortest time to the longest, or `None` if there are no times.
fn bars(times: &[Duration]) -> Option<Vec<Bar>> {
    let limit =
        |time: &Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX >> 1).max(1).next_power_of_two();
    let (first, last) = (times.iter().map(limit).min()?, times.iter().map(limit).max()?);
    let limits =
        std::iter::successors(Some(first), |limit| limit.checked_mul(2)).take_while(|up_to| *up_to <= last);
    let count = |up_to| times.iter().filter(|time| limit(time) == up_to).count();
    Some(limits.map(|up_to| Bar { up_to, count: count(up_to) }).collect())
}

fn micros(micros: u64) -> String {
    match micros {
        0..=1_023 => format!("{micros} µs"),
        1_024..=999_999 => format!("{:.1} ms", micros as f64 / 1e3),
        _ => format!("{:.1} s", micros as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_in_one_bar() {
        let times = [3, 4, 5, 100, 128].map(Duration::from_micros);
        let bars = bars(&times).expect("there are times");
        let found: Vec<_> = bars.iter().map(|bar| (bar.up_to, bar.count)).collect();
        assert_eq!(found, [(4, 2), (8, 1), (16, 0), (32, 0), (64, 0), (128, 2)]);
        assert_eq!(super::bars(&[]), None);
    }
}
