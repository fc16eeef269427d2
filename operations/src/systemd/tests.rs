//! What is read of the environment, and what is sent for a check.

use std::ffi::OsString;
use std::time::Duration;

use super::environment::Environment;
use super::notify::status;
use super::watch::Reported;
use crate::health::{Health, NotLive, NotReady};

fn read(variables: &[(&str, &str)]) -> Option<Environment> {
    let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
    Environment::read(|name| find(name).map(|(_, value)| OsString::from(value)), 7).ok()
}

#[test]
fn watchdog_is_that_of_this_process_only() {
    let watchdog = |pid| {
        let variables = [("NOTIFY_SOCKET", "/s"), ("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", pid)];
        read(&variables).expect("they are valid").watchdog
    };
    assert_eq!(watchdog("7"), Some(Duration::from_secs(3)));
    assert_eq!(watchdog("8"), None);
    let without_pid = read(&[("WATCHDOG_USEC", "20")]).expect("it is valid");
    assert_eq!(without_pid.watchdog, Some(Duration::from_micros(20)));
    assert_eq!(read(&[("WATCHDOG_USEC", "0")]), Some(Environment::default()));
}

#[test]
fn environment_without_systemd_is_empty_and_a_wrong_number_is_an_error() {
    assert_eq!(read(&[]), Some(Environment::default()));
    assert_eq!(read(&[("NOTIFY_SOCKET", "")]), Some(Environment::default()));
    assert_eq!(read(&[("WATCHDOG_USEC", "soon")]), None);
    assert_eq!(read(&[("WATCHDOG_USEC", "1"), ("WATCHDOG_PID", "-1")]), None);
}

#[test]
fn status_is_one_line() {
    assert_eq!(status("a\nWATCHDOG=1\r\tb"), "STATUS=a WATCHDOG=1  b");
}

fn health(stopping: bool, not_live: Vec<NotLive>, not_ready: Vec<NotReady>) -> Health {
    Health { started: true, stopping, not_live, not_ready }
}

#[test]
fn each_state_is_sent_once_and_the_watchdog_whenever_it_is_due() {
    let ready = health(false, Vec::new(), Vec::new());
    let unready = health(false, Vec::new(), vec![NotReady::GateClosed { gate: "cache".into() }]);
    let stopping = health(true, Vec::new(), vec![NotReady::Starting { tree: "app".into() }]);
    let dead = health(false, vec![NotLive::Ended { tree: "app".into() }], Vec::new());
    let mut reported = Reported::default();
    let mut lines = |health: &Health, pings| reported.lines(health, pings).join(" ");
    assert_eq!(lines(&unready, false), "STATUS=not ready: cache is closed");
    assert_eq!(lines(&ready, false), "READY=1 STATUS=ready");
    assert_eq!(lines(&ready, false), "");
    assert_eq!(lines(&ready, true), "WATCHDOG=1");
    assert_eq!(lines(&unready, true), "STATUS=not ready: cache is closed WATCHDOG=1");
    assert_eq!(lines(&ready, false), "STATUS=ready");
    assert_eq!(lines(&stopping, false), "STOPPING=1 STATUS=stopping: app has not started");
    assert_eq!(lines(&stopping, true), "WATCHDOG=1");
    assert_eq!(lines(&dead, true), "STATUS=failed: app has ended");
}
