//! Events, states and times as short texts.

use std::time::Duration;

use perennial_operations::{Event, EventKind, Reason, Report};

/// How much an event matters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Weight {
    /// It happens all the time.
    Usual,
    /// Something went wrong and is being healed.
    Healing,
    /// Something went wrong and stays so.
    Wrong,
}

/// An event as a row of a list.
#[derive(Debug, Eq, PartialEq)]
pub struct Line {
    pub weight: Weight,
    pub what: &'static str,
    pub subject: String,
    pub detail: String,
}

/// Describes an event in one line.
pub fn line(event: &Event) -> Line {
    let crash = if event.kind.is_crash() { Weight::Wrong } else { Weight::Usual };
    let (weight, what, subject, detail) = match &event.kind {
        EventKind::Started { label, pid } => (Weight::Usual, "started", label.to_string(), pid.to_string()),
        EventKind::Ended { label, reason, .. } => (crash, "ended", label.to_string(), self::reason(reason)),
        EventKind::Abandoned { label, pid } => {
            (Weight::Wrong, "abandoned", label.to_string(), pid.to_string())
        }
        EventKind::Closed { label, reason, .. } => {
            (Weight::Usual, "closed", label.to_string(), self::reason(reason))
        }
        EventKind::Supervisor(status) => {
            let restarts = format!("{} restarts", status.restarts);
            (Weight::Usual, "supervisor", status.path.to_string(), restarts)
        }
        EventKind::Report { path, report, .. } => {
            let (weight, what, detail) = self::report(report);
            (weight, what, path.to_string(), detail)
        }
        EventKind::Pool(pool) => (Weight::Usual, "pool", pool.path.to_string(), String::new()),
        EventKind::NameBound { name, identity } => {
            (Weight::Usual, "name bound", name.clone(), format!("to {identity}"))
        }
        EventKind::NameUnbound { name, identity } => {
            (Weight::Usual, "name unbound", name.clone(), format!("from {identity}"))
        }
        EventKind::NameHandedOver { name, from, to } => {
            (Weight::Usual, "name handed over", name.clone(), format!("{from} to {to}"))
        }
        EventKind::GroupJoined { group, identity } => {
            (Weight::Usual, "group joined", group.clone(), identity.to_string())
        }
        EventKind::GroupLeft { group, identity } => {
            (Weight::Usual, "group left", group.clone(), identity.to_string())
        }
        EventKind::DeadLetter(letter) => {
            (Weight::Wrong, "dead letter", letter.label.to_string(), letter.message_type.clone())
        }
        EventKind::Deadlock { cycle } => {
            let labels: Vec<&str> = cycle.iter().map(|actor| &*actor.label).collect();
            (Weight::Wrong, "deadlock", labels.join(" -> "), String::new())
        }
        _ => (Weight::Usual, "event", String::new(), String::new()),
    };
    Line { weight, what, subject, detail }
}

fn report(report: &Report) -> (Weight, &'static str, String) {
    match report {
        Report::Restarting { reason, delay, restarts_left } => {
            let left =
                if *restarts_left == u32::MAX { String::new() } else { format!(", {restarts_left} left") };
            let detail = format!("in {}{left}: {}", short(*delay), self::reason(reason));
            (Weight::Healing, "restarting", detail)
        }
        Report::Started => (Weight::Usual, "child started", String::new()),
        Report::StartFailed { reason } => (Weight::Healing, "start failed", self::reason(reason)),
        Report::StartLimitHit { reason } => (Weight::Wrong, "start limit hit", self::reason(reason)),
        Report::GaveUp { child } => (Weight::Wrong, "gave up", format!("because of {child}")),
        Report::Killed => (Weight::Healing, "killed", "it did not stop in time".to_owned()),
        Report::Abandoned => (Weight::Wrong, "abandoned", String::new()),
        Report::Unresponsive { .. } => (Weight::Healing, "unresponsive", String::new()),
        Report::ShutdownError { reason } => (Weight::Healing, "shutdown error", self::reason(reason)),
        Report::Terminated { reason } => (Weight::Usual, "terminated", self::reason(reason)),
        _ => (Weight::Usual, "report", String::new()),
    }
}

/// Returns the reason with its message, if it has one.
pub fn reason(reason: &Reason) -> String {
    let kind = serde_json::to_value(reason.kind).ok();
    let kind = kind.as_ref().and_then(|kind| kind.as_str()).unwrap_or("other").replace('_', " ");
    match (&reason.message, &reason.location) {
        (Some(message), Some(location)) => format!("{kind}: {message} ({location})"),
        (Some(message), None) => format!("{kind}: {message}"),
        (None, _) => kind,
    }
}

/// Returns a time in the unit in which it has one to three digits.
pub fn short(time: Duration) -> String {
    let millis = time.as_millis();
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{millis}ms"),
        1..=9 => format!("{}.{}s", seconds, millis % 1000 / 100),
        10..=119 => format!("{seconds}s"),
        120..=7_199 => format!("{}m", seconds / 60),
        7_200..=172_799 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Returns a number with a unit if it is large.
pub fn count(number: u64) -> String {
    match number {
        0..=9_999 => number.to_string(),
        10_000..=999_999 => format!("{}k", number / 1_000),
        1_000_000..=9_999_999 => format!("{}.{}M", number / 1_000_000, number / 100_000 % 10),
        10_000_000..=999_999_999 => format!("{}M", number / 1_000_000),
        _ => format!("{}G", number / 1_000_000_000),
    }
}

/// Returns the time of day in UTC.
pub fn time_of_day(at_millis: u64) -> String {
    let seconds = at_millis / 1_000 % 86_400;
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{:03}", seconds % 60, at_millis % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_numbers_are_short() {
        for (millis, text) in [
            (0, "0ms"),
            (999, "999ms"),
            (1_250, "1.2s"),
            (59_000, "59s"),
            (150_000, "2m"),
            (7_300_000, "2h"),
            (200_000_000, "2d"),
        ] {
            assert_eq!(short(Duration::from_millis(millis)), text);
        }
        for (number, text) in [
            (9_999, "9999"),
            (10_000, "10k"),
            (1_250_000, "1.2M"),
            (31_000_000, "31M"),
            (5_000_000_000, "5G"),
        ] {
            assert_eq!(count(number), text);
        }
        assert_eq!(time_of_day(86_400_000 + 3_723_004), "01:02:03.004");
    }
}
