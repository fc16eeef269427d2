//! The timeline: a lane for each target with its faults, and one with what the supervisors did.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::super::history::{History, PastFault, Reaction};
use super::super::plan::FaultKind;
use super::markup::Escaped;

/// The sizes in units of the picture, which is as wide as the page.
const WIDTH: f64 = 1000.0;
const LEFT: f64 = 250.0;
const LANE: f64 = 26.0;

/// The narrowest bar that can be seen.
const NARROWEST: f64 = 1.5;

/// Returns the timeline as a picture, with a legend.
pub(super) fn timeline(history: &History) -> String {
    let lanes = lanes(history);
    let end = end(history);
    let rows = lanes.len() + 2;
    let height = LANE * (rows as f64 + 1.0);
    let mut svg = format!(
        "<svg class=\"timeline\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"{} faults and {} reactions over {:.1} seconds\">\n",
        history.faults.len(),
        history.reactions.len(),
        end.as_secs_f64(),
    );
    let scale = Scale { end, height };
    scale.write_axis(&mut svg);
    for (row, (name, faults)) in lanes.iter().enumerate() {
        write_lane(&mut svg, row, name);
        faults.iter().for_each(|fault| write_fault(&mut svg, &scale, row, fault));
    }
    for (row, name, reaction) in
        [(lanes.len(), "restarts", Reaction::Restart), (lanes.len() + 1, "escalations", Reaction::Escalation)]
    {
        write_lane(&mut svg, row, name);
        for past in history.reactions.iter().filter(|past| past.reaction == reaction) {
            let (x, y) = (scale.x(past.at), LANE * row as f64);
            let title = format!("{:.3} s: {name} of {}", past.at.as_secs_f64(), past.path);
            let _ = writeln!(
                svg,
                "<path class=\"{name}\" d=\"M{x:.1} {:.1}v{:.1}\"><title>{}</title></path>",
                y + 5.0,
                LANE - 10.0,
                Escaped(&title)
            );
        }
    }
    svg.push_str("</svg>\n");
    svg.push_str(LEGEND);
    svg
}

const LEGEND: &str = "<p class=\"legend\">\
    <span><svg viewBox=\"0 0 14 14\"><circle class=\"panic\" cx=\"7\" cy=\"7\" r=\"5\"/></svg> panic</span> \
    <span><svg viewBox=\"0 0 14 14\"><rect class=\"error\" x=\"2\" y=\"2\" width=\"10\" height=\"10\"/></svg> error</span> \
    <span><svg viewBox=\"0 0 14 14\"><path class=\"kill\" d=\"M2 12L7 2l5 10z\"/></svg> kill</span> \
    <span><svg viewBox=\"0 0 14 14\"><path class=\"exhaust\" d=\"M7 1l6 6-6 6-6-6z\"/></svg> restarts exhausted</span> \
    <span><svg viewBox=\"0 0 14 14\"><rect class=\"down\" x=\"0\" y=\"5\" width=\"14\" height=\"4\"/></svg> until it is back</span></p>\n";

/// Returns the faults of each target, in the order of their names.
fn lanes(history: &History) -> BTreeMap<String, Vec<PastFault>> {
    let mut lanes: BTreeMap<String, Vec<PastFault>> = BTreeMap::new();
    for past in &history.faults {
        lanes.entry(past.fault.target.to_string()).or_default().push(*past);
    }
    lanes
}

/// Returns when the last thing happened.
fn end(history: &History) -> Duration {
    let faults = history.faults.iter().map(|past| past.crashed_at + past.recovered_in);
    let reactions = history.reactions.iter().map(|past| past.at);
    faults.chain(reactions).max().unwrap_or_default().max(Duration::from_millis(100))
}

/// The time as a place in the picture.
struct Scale {
    end: Duration,
    height: f64,
}

impl Scale {
    fn x(&self, at: Duration) -> f64 {
        LEFT + (WIDTH - LEFT - 10.0) * at.as_secs_f64() / self.end.as_secs_f64()
    }

    /// Writes a line for every so many seconds, at most ten.
    fn write_axis(&self, svg: &mut String) {
        let seconds = self.end.as_secs_f64();
        let steps = [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0];
        let step = steps.into_iter().find(|step| seconds / step <= 10.0).unwrap_or(seconds);
        for tick in 0..=(seconds / step) as u32 {
            let at = f64::from(tick) * step;
            let x = self.x(Duration::from_secs_f64(at));
            let bottom = self.height - LANE;
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{x:.1} 0V{bottom:.1}\"/>\
                 <text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\">{at:.2} s</text>",
                bottom + 16.0
            );
        }
    }
}

fn write_lane(svg: &mut String, row: usize, name: &str) {
    let y = LANE * row as f64 + LANE / 2.0;
    let _ = writeln!(
        svg,
        "<path class=\"lane\" d=\"M{LEFT} {y:.1}H{WIDTH}\"/><text x=\"0\" y=\"{:.1}\">{}</text>",
        y + 4.0,
        Escaped(name)
    );
}

fn write_fault(svg: &mut String, scale: &Scale, row: usize, past: &PastFault) {
    let y = LANE * row as f64 + LANE / 2.0;
    let (x, back) = (scale.x(past.crashed_at), scale.x(past.crashed_at + past.recovered_in));
    let title = format!(
        "{:.3} s: {}, back after {:.3} ms",
        past.crashed_at.as_secs_f64(),
        past.fault.kind,
        past.recovered_in.as_secs_f64() * 1e3
    );
    let mark = match past.fault.kind {
        FaultKind::Panic => format!("<circle class=\"panic\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\"/>"),
        FaultKind::Error => {
            format!(
                "<rect class=\"error\" x=\"{:.1}\" y=\"{:.1}\" width=\"10\" height=\"10\"/>",
                x - 5.0,
                y - 5.0
            )
        }
        FaultKind::Kill => format!("<path class=\"kill\" d=\"M{:.1} {:.1}l5 -10l5 10z\"/>", x - 5.0, y + 5.0),
        FaultKind::ExhaustRestarts => {
            format!("<path class=\"exhaust\" d=\"M{x:.1} {:.1}l6 6l-6 6l-6 -6z\"/>", y - 6.0)
        }
    };
    let _ = writeln!(
        svg,
        "<g><rect class=\"down\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"4\"/>{mark}<title>{}</title></g>",
        y - 2.0,
        (back - x).max(NARROWEST),
        Escaped(&title)
    );
}

#[cfg(test)]
mod tests {
    use super::super::super::history::PastReaction;
    use super::super::super::plan::{Fault, FaultTarget};
    use super::*;

    #[test]
    fn every_fault_and_every_reaction_is_drawn_once() {
        let at = Duration::from_millis;
        let fault = |kind, target| Fault { at: at(5), target, kind };
        let past = |fault, millis| PastFault { fault, crashed_at: at(millis), recovered_in: at(3) };
        let history = History {
            faults: vec![
                past(fault(FaultKind::Panic, FaultTarget::Walker), 10),
                past(fault(FaultKind::Kill, FaultTarget::Walker), 20),
                past(fault(FaultKind::ExhaustRestarts, FaultTarget::Pool), 30),
            ],
            reactions: vec![PastReaction { at: at(31), reaction: Reaction::Escalation, path: "a<b".into() }],
        };
        let drawn = timeline(&history);
        let picture = drawn.split("legend").next().expect("there is a picture");
        for (mark, count) in [("class=\"panic\"", 1), ("class=\"kill\"", 1), ("class=\"exhaust\"", 1)] {
            assert_eq!(picture.matches(mark).count(), count, "{mark}");
        }
        assert_eq!(picture.matches("class=\"escalations\"").count(), 1);
        assert!(drawn.contains("back after 3.000 ms"));
        assert!(drawn.contains("escalations of a&lt;b"));
    }
}
