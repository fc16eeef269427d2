//! Dead letters and message counters: every accepted message that is not handled is reported.
//!
//! ```text
//! cargo run --release --example dead_letters
//! ```

#[macro_use]
#[path = "support/output.rs"]
mod output;

use std::error::Error;

use perennial::{Actor, Context, DeadLetter, DeadLetterReason, ExitReason, SendError, System, Unsent};

/// Prints short pages, and crashes at a long one.
struct Printer;

struct Page(&'static str);

impl Actor for Printer {
    type Msg = Page;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, Page(text): Page, _: &mut Context<Self>) -> Result<(), ExitReason> {
        if text.len() > 10 {
            return Err(ExitReason::failed("a paper jam"));
        }
        print_line!("printed: {text}");
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let system = System::new();
    let mut dead_letters = system.subscribe::<DeadLetter>();

    // An actor outside a tree is not restarted, so the messages that wait behind the crash are dead
    // letters too.
    let printer = system.spawn::<Printer>(()).label("printer").await?;
    let handle = printer.handle();
    handle.suspend()?;
    for text in ["short", "far too long", "waiting"] {
        printer.cast(Page(text))?;
    }
    let down = printer.monitor();
    handle.resume()?;
    down.await;

    let in_flight = dead_letters.next().await.ok_or("the system lives")?;
    let waiting = dead_letters.next().await.ok_or("the system lives")?;
    for letter in [&in_flight, &waiting] {
        print_line!("dead: {} for {} ({:?})", letter.message_type, letter.label, letter.reason);
        assert_eq!(&*letter.label, "printer");
        assert!(letter.message_type.ends_with("Page"));
    }
    assert!(matches!(in_flight.reason, DeadLetterReason::InFlight(ExitReason::Failed(_))));
    assert!(matches!(waiting.reason, DeadLetterReason::Unhandled(_)));
    assert!(dead_letters.try_next().is_none());

    // A message that was not accepted is no dead letter. It is returned to its sender.
    let Err(SendError::Closed(Unsent { message: Page(text), .. })) = printer.cast(Page("late")) else {
        return Err("it has ended".into());
    };
    print_line!("came back: {text}");

    let accounts = system.counters();
    print_line!("{accounts:?}");
    assert!(accounts.is_balanced());
    assert_eq!((accounts.accepted, accounts.handled), (3, 1));
    assert_eq!((accounts.lost_in_flight, accounts.dead_lettered), (1, 1));
    Ok(())
}
