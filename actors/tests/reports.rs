//! Log reports of exits.

use perennial_actors::{ExitReason, System};
use tracing::Level;

use support::log::{listen, take};
use support::scripted_host::{TestProbe, deed, failing, scripted_in};
use support::scripted_lifecycle::{Step, starting};

#[allow(dead_code, reason = "this program uses a part of it")]
mod support {
    pub(crate) mod log;
    pub(crate) mod parent;
    pub(crate) mod scripted_host;
    pub(crate) mod scripted_lifecycle;
}

#[tokio::test(start_paused = true)]
async fn c144_a_crash_is_warned_of_and_no_other_end_is() {
    type Ender = fn(&TestProbe);
    // An exit by a kill or by a supervisor is no warning: see `ExitReason::is_crash`.
    let enders: [(Ender, Level, &str); 6] = [
        (|strings| strings.address.stop(ExitReason::Normal).expect("it lives"), Level::DEBUG, "normal"),
        (|strings| strings.address.stop(ExitReason::shutdown()).expect("it lives"), Level::DEBUG, "shutdown"),
        (|strings| strings.cast(failing()), Level::WARN, "failed: on purpose"),
        (|strings| strings.cast(deed(|_, _| panic!("bad"))), Level::WARN, "panicked: bad"),
        (
            |strings| strings.address.stop(ExitReason::Unresponsive).expect("it lives"),
            Level::DEBUG,
            "unresponsive",
        ),
        (|strings| strings.address.kill().expect("it lives"), Level::DEBUG, "killed"),
    ];
    listen();
    for (end, level, reason) in enders {
        let strings = scripted_in(&System::new(), |spawn| spawn.label("server")).await;
        let pid = strings.address.pid().expect("it lives");
        assert_eq!(take(), [], "a start is no news");
        end(&strings);
        strings.end().await;
        let text = if level == Level::WARN { "actor crashed" } else { "actor stopped" };
        let in_flight = match level {
            Level::WARN => format!(" message_type={}", std::any::type_name::<support::scripted_host::Msg>()),
            _ => String::new(),
        };
        let line = format!("{text} actor=server pid={pid} incarnation=1 reason={reason}{in_flight}");
        let lines = take();
        assert_eq!(lines[0], (level, line));
        assert!(lines.iter().skip(1).all(|(level, _)| *level == Level::DEBUG), "{lines:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn c144_a_start_that_fails_is_reported_like_any_other_end() {
    listen();
    let patient = starting(&System::new(), |plan| plan.init = Step::Panic);
    let monitor = patient.address.monitor();
    monitor.await;
    let [(level, report)] = &take()[..] else { panic!("there is one report") };
    assert_eq!(*level, Level::WARN);
    assert!(report.starts_with("actor did not start actor="), "{report}");
    assert!(report.ends_with("incarnation=1 reason=panicked: in init"), "{report}");
}
