//! Flow control for a producer that is faster than its consumer: its message is refused, it waits,
//! it reserves a place first, or messages are dropped.
//!
//! ```text
//! cargo run --release --example backpressure
//! ```

#[macro_use]
#[path = "support/output.rs"]
mod output;

use std::error::Error;
use std::time::Duration;

use perennial::{
    Actor, Address, Context, DeadLetter, ExitReason, MailboxConfig, OverflowPolicy, Recipient, Reply,
    SendError, System,
};

const ROOM: usize = 4;

struct Frame(u32);

enum Msg {
    Frame(Frame),
    Shown(Reply<Vec<u32>>),
}

impl From<Frame> for Msg {
    fn from(frame: Frame) -> Self {
        Self::Frame(frame)
    }
}

/// A slow consumer.
struct Display(Vec<u32>);

impl Actor for Display {
    type Msg = Msg;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self(Vec::new()))
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Frame(Frame(number)) => {
                tokio::time::sleep(Duration::from_millis(1)).await;
                self.0.push(number);
            }
            Msg::Shown(reply) => reply.send(std::mem::take(&mut self.0)),
        }
        Ok(())
    }
}

/// Starts a display with little room, and suspends it.
async fn display(system: &System, overflow: OverflowPolicy) -> Result<Address<Msg>, Box<dyn Error>> {
    let mailbox = MailboxConfig::bounded(ROOM).overflow(overflow);
    let display = system.spawn::<Display>(()).mailbox(mailbox).await?;
    display.handle().suspend()?;
    Ok(display)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let system = System::new();

    // By default a message that does not fit comes back, and the producer decides.
    let rejecting = display(&system, OverflowPolicy::Reject).await?;
    let frames: Recipient<Frame> = rejecting.recipient();
    let refused = (0..10).filter(|n| matches!(frames.cast(Frame(*n)), Err(SendError::Full(_)))).count();
    print_line!("refused: {refused} of 10");
    assert_eq!(refused, 10 - ROOM);

    // `send` waits for room, without a limit or until a timeout.
    let late = rejecting.send(Msg::Frame(Frame(10))).timeout(Duration::from_millis(20)).await;
    assert!(matches!(late, Err(SendError::Full(_))));
    rejecting.handle().resume()?;
    for number in 10..20 {
        rejecting.send(Msg::Frame(Frame(number))).await?;
    }

    // `reserve` takes a place before the message is made. A place that is not used becomes free.
    let place = rejecting.reserve().await?;
    place.send(Msg::Frame(Frame(20)))?;
    drop(rejecting.reserve().await?);
    let shown = rejecting.call(Msg::Shown).await?;
    print_line!("shown: {shown:?}");
    assert!(shown.iter().copied().eq((0..4).chain(10..=20)));

    // The other policies drop messages: the oldest for a display of the latest state, the newest to
    // keep the accepted ones.
    for (overflow, kept) in
        [(OverflowPolicy::DropOldest, [6, 7, 8, 9]), (OverflowPolicy::DropNewest, [0, 1, 2, 3])]
    {
        let display = display(&system, overflow).await?;
        let mut dead_letters = system.subscribe::<DeadLetter>();
        for number in 0..10 {
            display.cast(Msg::Frame(Frame(number)))?;
        }
        display.handle().resume()?;
        let shown = display.call(Msg::Shown).await?;
        let dropped = std::iter::from_fn(|| dead_letters.try_next()).count();
        print_line!("{overflow:?}: shown {shown:?}, dropped {dropped}");
        assert_eq!((shown, dropped), (kept.to_vec(), 10 - ROOM));
    }
    assert!(system.counters().is_balanced(), "every frame is accounted for");
    Ok(())
}
