//! The location of a panic after other panics of the same thread. These tests have their own
//! process: a panic hook is global to the process. They share the hook; each has its own thread.

use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Once};

use perennial_actors::host::ignore_panic;
use perennial_actors::{Actor, Context, ExitReason, Panic, PanicLocations, System};

type Step = fn();

/// Runs the function that it gets in its handler.
struct Fragile;

impl Actor for Fragile {
    type Msg = Step;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, deed: Step, _: &mut Context<Self>) -> Result<(), ExitReason> {
        deed();
        Ok(())
    }
}

fn system() -> System {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| panic::set_hook(Box::new(|_| ())));
    System::builder().panic_locations(PanicLocations::install()).build()
}

async fn end_of(system: &System, deed: Step) -> Arc<Panic> {
    let fragile = system.spawn::<Fragile>(()).await.expect("it starts");
    let down = fragile.monitor();
    fragile.cast(deed).expect("it is open");
    match down.await.reason {
        ExitReason::Panicked(panic) => panic,
        other => panic!("it was to panic, not to end as {other}"),
    }
}

/// Resumes a panic like a library that resumes the panic of another thread: no hook runs.
fn pass_on() {
    panic::resume_unwind(Box::new("passed on"));
}

const LINE: u32 = line!() + 2;
fn explode() {
    panic!("on purpose");
}

fn catch(deed: Step) -> Box<dyn std::any::Any + Send> {
    panic::catch_unwind(AssertUnwindSafe(deed)).expect_err("it panics")
}

fn is_at_explode(panic: &Panic) -> bool {
    panic.location.as_ref().is_some_and(|place| place.contains(&format!("panic_locations_kept.rs:{LINE}:")))
}

#[tokio::test]
async fn a_resumed_panic_does_not_get_the_location_of_an_older_one() {
    let system = system();
    // A panic of the same thread, outside of every actor: nothing has read its location.
    drop(catch(explode));
    let panic = end_of(&system, pass_on).await;
    assert_eq!((panic.message.as_str(), &panic.location), ("passed on", &None));
}

#[tokio::test]
async fn a_panic_that_a_handler_catches_and_resumes_keeps_its_location() {
    let panic = end_of(&system(), || panic::resume_unwind(catch(explode))).await;
    assert!(panic.message == "on purpose" && is_at_explode(&panic), "{panic:?}");
}

#[tokio::test]
async fn a_panic_resumed_later_does_not_get_the_location_of_a_caught_one() {
    let system = system();
    let fragile = system.spawn::<Fragile>(()).await.expect("it starts");
    let down = fragile.monitor();
    fragile.cast(|| drop(catch(explode))).expect("it is open");
    // The actor is idle before the next one: one poll of its task is one guarded section.
    tokio::task::yield_now().await;
    fragile.cast(pass_on).expect("it is open");
    let ExitReason::Panicked(panic) = down.await.reason else { unreachable!("it panicked") };
    assert_eq!((panic.message.as_str(), &panic.location), ("passed on", &None));
}

#[tokio::test]
async fn a_panic_ignored_during_another_does_not_replace_its_location() {
    struct PanicsOnDrop;

    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            ignore_panic(|| panic!("while another panic unwinds"));
        }
    }

    let system = system();
    let panic = end_of(&system, || {
        let _dropped_by_the_panic = PanicsOnDrop;
        explode();
    });
    let panic = panic.await;
    assert!(panic.message == "on purpose" && is_at_explode(&panic), "{panic:?}");
}

#[tokio::test]
async fn a_resumed_panic_does_not_get_the_location_of_an_ignored_one() {
    let system = system();
    let panic = end_of(&system, || {
        ignore_panic(explode);
        pass_on();
    });
    assert_eq!(panic.await.location, None);
}
