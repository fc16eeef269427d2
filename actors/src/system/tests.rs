//! The coarse clock of calls by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, sleep};

use super::alarms::{Alarm, Alarms, Struck};

const TICK: Duration = Duration::from_millis(10);

/// Counts how often it is woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn bell() -> (Arc<Bell>, Waker) {
    let bell = Arc::new(Bell::default());
    (bell.clone(), Waker::from(bell))
}

fn alarms() -> Arc<Alarms> {
    Arc::new(Alarms::new())
}

fn set(alarms: &Arc<Alarms>, after: Duration) -> Alarm {
    alarms.set(after, Waker::noop()).expect("this runtime turns the wheel")
}

fn paused() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

/// Waits for an alarm, and says how late it was.
async fn lateness(alarms: &Arc<Alarms>, after: Duration) -> Duration {
    let begun = Instant::now();
    let alarm = std::cell::OnceCell::new();
    std::future::poll_fn(|cx| {
        let alarm =
            alarm.get_or_init(|| alarms.set(after, cx.waker()).expect("this runtime turns the wheel"));
        match alarms.look(alarm, cx.waker()) {
            Struck::No => std::task::Poll::Pending,
            Struck::Yes => std::task::Poll::Ready(()),
            Struck::Lost => panic!("the runtime is here"),
        }
    })
    .await;
    begun.elapsed().checked_sub(after).expect("an alarm never strikes early")
}

#[tokio::test(start_paused = true)]
async fn an_alarm_strikes_never_early_and_at_most_three_ticks_late() {
    let alarms = alarms();
    for milliseconds in [1, 9, 10, 11, 995, 1_000, 2_559, 2_560, 2_561, 5_000, 60_000] {
        // Begin anywhere within a turn, with the wheel at rest and with the wheel turning.
        for offset in [0, 1, 7, 25] {
            sleep(Duration::from_millis(offset)).await;
            let late = lateness(&alarms, Duration::from_millis(milliseconds)).await;
            assert!(late <= 3 * TICK, "{milliseconds} ms, {late:?} late");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn alarms_of_different_rounds_share_a_bucket_and_strike_in_their_own() {
    let alarms = alarms();
    let round = TICK * 256;
    let all = tokio::join!(
        lateness(&alarms, TICK * 5),
        lateness(&alarms, TICK * 5 + round),
        lateness(&alarms, TICK * 5 + round * 2),
    );
    assert!([all.0, all.1, all.2].iter().all(|late| *late <= 3 * TICK), "{all:?}");
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_is_taken_back_wakes_nobody() {
    let (alarms, (bell, waker)) = (alarms(), bell());
    let alarm = alarms.set(TICK, &waker).expect("this runtime turns the wheel");
    alarms.take_back(&alarm);
    sleep(TICK * 600).await;
    assert_eq!(bell.0.load(Ordering::Relaxed), 0);
    // Its place is another's by now, which it cannot take back.
    let next = set(&alarms, TICK * 253);
    alarms.take_back(&alarm);
    assert_eq!(alarms.look(&next, Waker::noop()), Struck::No);
}

#[tokio::test(start_paused = true)]
async fn it_is_the_newest_waker_that_an_alarm_wakes() {
    let (alarms, (old, old_waker), (new, new_waker)) = (alarms(), bell(), bell());
    let alarm = alarms.set(TICK, &old_waker).expect("this runtime turns the wheel");
    assert_eq!(alarms.look(&alarm, &new_waker), Struck::No);
    sleep(TICK * 5).await;
    assert_eq!((old.0.load(Ordering::Relaxed), new.0.load(Ordering::Relaxed)), (0, 1));
    assert_eq!(alarms.look(&alarm, Waker::noop()), Struck::Yes);
}

#[tokio::test(start_paused = true)]
async fn a_wheel_that_nobody_needs_is_left_alone() {
    let alarms = alarms();
    alarms.take_back(&set(&alarms, TICK));
    sleep(TICK * 5).await;
    // Only the test holds it now, not a task.
    assert_eq!(Arc::strong_count(&alarms), 1);
    assert!(lateness(&alarms, TICK).await <= 3 * TICK, "and it begins again");
}

#[tokio::test(start_paused = true)]
async fn an_alarm_for_the_longest_time_there_is_does_not_strike() {
    let (alarms, (bell, waker)) = (alarms(), bell());
    let alarm = alarms.set(Duration::MAX, &waker).expect("this runtime turns the wheel");
    sleep(TICK * 3_000).await;
    assert_eq!((bell.0.load(Ordering::Relaxed), alarms.look(&alarm, &waker)), (0, Struck::No));
}

#[test]
fn alarms_are_lost_with_the_runtime_and_can_be_set_on_the_next() {
    let (alarms, (bell, waker), first) = (alarms(), bell(), paused());
    let alarm =
        first.block_on(async { alarms.set(TICK * 500, &waker).expect("this runtime turns the wheel") });
    assert_eq!(alarms.look(&alarm, &waker), Struck::No);
    drop(first);
    assert_eq!((bell.0.load(Ordering::Relaxed), alarms.look(&alarm, &waker)), (1, Struck::Lost));
    assert!(paused().block_on(lateness(&alarms, TICK)) <= 3 * TICK);
    assert_eq!(alarms.look(&alarm, &waker), Struck::Lost);
}

#[test]
fn nobody_gets_an_alarm_from_the_wheel_of_another_runtime() {
    let (alarms, first) = (alarms(), paused());
    let alarm = first.block_on(async { set(&alarms, TICK * 500) });
    // The first runtime stands still: who relied on it would wait for ever.
    assert!(paused().block_on(async { alarms.set(TICK, Waker::noop()) }).is_none());
    assert!(alarms.set(TICK, Waker::noop()).is_none(), "nor anybody outside all runtimes");
    assert_eq!(alarms.look(&alarm, Waker::noop()), Struck::No);
}
