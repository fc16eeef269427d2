//! Log output: one line per event, with all its fields, and few lines in a flood of events.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use perennial_actors::{
    Actor, Address, Context, ExitReason, MailboxConfig, OverflowPolicy, PanicLocations, System,
};
use tracing::Level;

use support::log::{listen, take};

mod support {
    pub(crate) mod log;
}

/// An error with a source, like most errors of libraries.
#[derive(Debug)]
struct NoDisk(std::num::ParseIntError);

impl fmt::Display for NoDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no disk")
    }
}

impl Error for NoDisk {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

enum Msg {
    Fail,
    Panic,
    Wait,
}

struct Worker;

impl Actor for Worker {
    type Msg = Msg;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Fail => "x".parse::<u32>().map(drop).map_err(NoDisk).map_err(ExitReason::from),
            Msg::Panic => panic!("on purpose"),
            Msg::Wait => std::future::pending().await,
        }
    }
}

async fn worker(system: &System) -> Address<Msg> {
    system.spawn::<Worker>(()).label("app/worker").await.expect("it starts")
}

/// The lines at warn level and above.
fn warnings() -> Vec<String> {
    take().into_iter().filter(|(level, _)| *level <= Level::WARN).map(|(_, line)| line).collect()
}

/// Waits until all queued log lines are written.
async fn written() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_is_one_line_with_actor_incarnation_message_type_and_source_chain() {
    listen();
    let worker = worker(&System::new()).await;
    let (pid, monitor) = (worker.pid().expect("it runs"), worker.monitor());
    assert!(worker.cast(Msg::Fail).is_ok());
    monitor.await;
    written().await;
    let reason = "failed: no disk: invalid digit found in string";
    let of = format!("actor=app/worker pid={pid} incarnation=1");
    let line = format!("actor crashed {of} reason={reason} message_type=log_lines::Msg");
    assert_eq!(warnings(), [line]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_logged_with_its_location_if_locations_are_installed() {
    listen();
    let system = System::builder().panic_locations(PanicLocations::install()).build();
    let worker = worker(&system).await;
    let monitor = worker.monitor();
    assert!(worker.cast(Msg::Panic).is_ok());
    monitor.await;
    written().await;
    let lines = warnings();
    let [line] = &lines[..] else { panic!("one line, not {lines:?}") };
    assert!(line.contains(" reason=panicked: on purpose (at "), "{line}");
    assert!(line.contains("log_lines.rs:"), "{line}");
}

#[test]
fn a_shutdown_of_the_runtime_under_running_actors_is_one_line_for_the_system() {
    listen();
    let system = System::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let addresses: Vec<_> = runtime.block_on(async {
        let mut addresses = Vec::new();
        for _ in 0..20 {
            let worker = worker(&system).await;
            for _ in 0..3 {
                assert!(worker.cast(Msg::Wait).is_ok());
            }
            addresses.push(worker);
        }
        addresses
    });
    take();
    drop(runtime);
    drop(addresses);
    let lines = take().into_iter().filter(|(level, _)| *level <= Level::INFO).collect::<Vec<_>>();
    let line = "the runtime was shut down while actors were running".to_owned();
    assert_eq!(lines, [(Level::INFO, line)]);
}

#[tokio::test(start_paused = true)]
async fn dead_letters_of_an_orderly_stop_are_at_debug_level() {
    listen();
    let worker = worker(&System::new()).await;
    let monitor = worker.monitor();
    worker.stop(ExitReason::Normal).expect("it runs");
    assert!(worker.cast(Msg::Wait).is_ok());
    monitor.await;
    written().await;
    let lines = take();
    let [(Level::DEBUG, _), (Level::DEBUG, letter)] = &lines[..] else { panic!("two lines, not {lines:?}") };
    assert!(letter.starts_with("dead letter: the message was not handled actor=app/worker"), "{letter}");
    assert!(letter.ends_with("message_type=log_lines::Msg cause=unhandled reason=normal"), "{letter}");
}

#[tokio::test(start_paused = true)]
async fn dead_letters_of_a_crash_are_warnings_of_their_own_up_to_a_limit() {
    listen();
    let worker = worker(&System::new()).await;
    let monitor = worker.monitor();
    assert!(worker.cast(Msg::Fail).is_ok());
    for _ in 0..25 {
        assert!(worker.cast(Msg::Wait).is_ok());
    }
    monitor.await;
    written().await;
    let lines = warnings();
    // One line for the crash, and the first ten letters. The line of the crash also reports the
    // message in flight.
    assert_eq!(lines.len(), 11, "{lines:#?}");
    assert!(lines[1..].iter().all(|line| line.contains("cause=unhandled")), "{lines:#?}");
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(warnings(), ["more dead letters: too many to log each count=15"]);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(take(), [], "nothing is written while nothing happens");
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_dropped_messages_is_one_line_in_each_period() {
    listen();
    let mailbox = MailboxConfig::bounded(1).overflow(OverflowPolicy::DropNewest);
    let worker = System::new().spawn::<Worker>(()).mailbox(mailbox).await.expect("it starts");
    assert!(worker.cast(Msg::Wait).is_ok());
    written().await;
    for _ in 0..100 {
        for _ in 0..10 {
            assert!(worker.cast(Msg::Wait).is_ok());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let lines = warnings();
    let (each, counts): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.contains("cause=overflow"));
    assert_eq!((each.len(), counts.len()), (10, 10), "{lines:#?}");
}
