//! Which place a panic is told to have, when other panics of the same thread came before. In a process of its own: a panic hook belongs to
//! the whole of it. The tests share the hook, and each has a thread of its own.

use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Once};

use perennial_actors::host::ignore_panic;
use perennial_actors::{Actor, Context, ExitReason, Panic, PanicLocations, System};

type Step = fn();

/// Does in its handler as it is told.
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

/// As it comes out of a library that passes on the panic of another thread: no hook is told of it.
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
async fn a_panic_that_is_passed_on_is_not_told_to_be_where_an_older_one_was() {
    let system = system();
    // Of the same thread, and outside of every actor: nothing has asked for its place.
    drop(catch(explode));
    let panic = end_of(&system, pass_on).await;
    assert_eq!((panic.message.as_str(), &panic.location), ("passed on", &None));
}

#[tokio::test]
async fn a_panic_that_a_handler_caught_and_passes_on_itself_keeps_its_place() {
    let panic = end_of(&system(), || panic::resume_unwind(catch(explode))).await;
    assert!(panic.message == "on purpose" && is_at_explode(&panic), "{panic:?}");
}

#[tokio::test]
async fn what_a_handler_caught_is_not_the_place_of_a_panic_that_is_passed_on_later() {
    let system = system();
    let fragile = system.spawn::<Fragile>(()).await.expect("it starts");
    let down = fragile.monitor();
    fragile.cast(|| drop(catch(explode))).expect("it is open");
    // The actor has gone to sleep before the next one: one poll of its task is one guarded section.
    tokio::task::yield_now().await;
    fragile.cast(pass_on).expect("it is open");
    let ExitReason::Panicked(panic) = down.await.reason else { unreachable!("it panicked") };
    assert_eq!((panic.message.as_str(), &panic.location), ("passed on", &None));
}

#[tokio::test]
async fn a_panic_that_is_ignored_during_another_does_not_take_its_place() {
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
async fn a_panic_that_was_ignored_is_not_the_place_of_one_that_is_passed_on() {
    let system = system();
    let panic = end_of(&system, || {
        ignore_panic(explode);
        pass_on();
    });
    assert_eq!(panic.await.location, None);
}
