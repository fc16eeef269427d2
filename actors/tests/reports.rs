//! What is reported of an end.

use perennial_actors::{ExitReason, System};
use tracing::Level;

use support::log::{listen, take};
use support::marionette::{Strings, deed, failing, puppet_in};
use support::mortal::{Deed, starting};

mod support {
    pub(crate) mod log;
    pub(crate) mod marionette;
    pub(crate) mod mortal;
    pub(crate) mod parent;
}

#[tokio::test(start_paused = true)]
async fn c144_an_abnormal_end_is_warned_of_and_a_clean_one_is_not() {
    type Ender = fn(&Strings);
    let enders: [(Ender, Level, &str); 6] = [
        (|strings| strings.address.stop(ExitReason::Normal).expect("it lives"), Level::DEBUG, "normal"),
        (|strings| strings.address.stop(ExitReason::shutdown()).expect("it lives"), Level::DEBUG, "shutdown"),
        (|strings| strings.cast(failing()), Level::WARN, "failed: on purpose"),
        (|strings| strings.cast(deed(|_, _| panic!("bad"))), Level::WARN, "panicked: bad"),
        (
            |strings| strings.address.stop(ExitReason::Unresponsive).expect("it lives"),
            Level::WARN,
            "unresponsive",
        ),
        (|strings| strings.address.kill().expect("it lives"), Level::WARN, "killed"),
    ];
    listen();
    for (end, level, reason) in enders {
        let strings = puppet_in(&System::new(), |spawn| spawn.label("server")).await;
        let pid = strings.address.pid().expect("it lives");
        assert_eq!(take(), [], "a start is no news");
        end(&strings);
        strings.end().await;
        assert_eq!(take(), [(level, format!("actor ended pid={pid} label=server reason={reason}"))]);
    }
}

#[tokio::test(start_paused = true)]
async fn c144_a_start_that_fails_is_reported_like_any_other_end() {
    listen();
    let patient = starting(&System::new(), |plan| plan.init = Deed::Panic);
    let monitor = patient.address.monitor();
    monitor.await;
    let [(level, report)] = &take()[..] else { panic!("there is one report") };
    assert_eq!(*level, Level::WARN);
    assert!(report.ends_with("reason=panicked: in init"), "{report}");
}
