//! Locations of panics. This test has its own process: a panic hook is global to the process.

use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use perennial_actors::{Actor, Context, ExitReason, Panic, PanicLocations, System};

const LINE: u32 = line!() + 2;
fn explode() {
    panic!("on purpose")
}

struct Fragile;

impl Actor for Fragile {
    type Msg = bool;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, is_text: bool, _: &mut Context<Self>) -> Result<(), ExitReason> {
        if is_text {
            explode();
        }
        // Like a library that resumes the panic of another thread: no hook runs.
        panic::resume_unwind(Box::new(7))
    }
}

async fn end_of(system: &System, is_text: bool) -> Arc<Panic> {
    let fragile = system.spawn::<Fragile>(()).await.expect("it starts");
    let down = fragile.monitor();
    fragile.cast(is_text).expect("it is open");
    match down.await.reason {
        ExitReason::Panicked(panic) => panic,
        other => panic!("it was to panic, not to end as {other}"),
    }
}

#[tokio::test]
async fn a_panic_has_a_location_in_systems_that_were_given_the_locations() {
    let told = Arc::new(AtomicUsize::new(0));
    panic::set_hook(Box::new({
        let told = told.clone();
        move |_| {
            told.fetch_add(1, Ordering::Relaxed);
        }
    }));
    let nowhere = end_of(&System::new(), true).await;
    assert_eq!((nowhere.message.as_str(), &nowhere.location), ("on purpose", &None));

    let system = System::builder().panic_locations(PanicLocations::install()).build();
    let panic = end_of(&system, true).await;
    let location = panic.location.as_deref().expect("a location");
    assert!(location.contains(&format!("panic_locations.rs:{LINE}:")), "{location}");
    assert_eq!(panic.to_string(), format!("on purpose (at {location})"));
    assert_eq!(told.load(Ordering::Relaxed), 2, "the hook that was installed before still runs");

    // A location is reported once: a later panic without a hook does not get it.
    let passed_on = end_of(&system, false).await;
    assert_eq!((passed_on.message.as_str(), &passed_on.location), ("a payload that is no text", &None));
    drop(panic::take_hook());
}
