//! The messages to systemd, read from a socket on which the test listens in its place.

#![cfg(unix)]

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use perennial_actors::{Actor, Address, Context, ExitReason, System};
use perennial_operations::{HealthCheck, SdNotify};
use perennial_supervision::{Backoff, Child, Supervisor};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);

/// The socket of a service manager.
struct Manager {
    socket: UnixDatagram,
    address: PathBuf,
    _folder: TempDir,
}

impl Manager {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let address = folder.path().join("notify");
        let socket = UnixDatagram::bind(&address).expect("a socket");
        socket.set_nonblocking(true).expect("it can be set");
        Self { socket, address, _folder: folder }
    }

    fn notify(&self) -> SdNotify {
        SdNotify::to(&self.address).expect("it listens")
    }

    /// Returns all messages that have arrived.
    fn received(&self) -> Vec<String> {
        received(&self.socket)
    }
}

fn received(socket: &UnixDatagram) -> Vec<String> {
    let mut messages = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match socket.recv(&mut buffer) {
            Ok(length) => messages.push(String::from_utf8_lossy(&buffer[..length]).into_owned()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return messages,
            Err(error) => panic!("{error}"),
        }
    }
}

fn runtime(paused: bool) -> Runtime {
    Builder::new_current_thread().enable_all().start_paused(paused).build().expect("a runtime")
}

struct Unit;

impl Actor for Unit {
    type Msg = ();
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Err("on purpose".into())
    }

    async fn terminate(&mut self, reason: &ExitReason, _: &mut Context<Self>) {
        if !reason.is_crash() {
            sleep(SECOND * 2).await;
        }
    }
}

fn unit() -> (Child<()>, Address<()>) {
    let child = Child::new::<Unit>("unit", ()).backoff(Backoff::new(SECOND * 3, SECOND * 3));
    let address = child.address();
    (child, address)
}

#[tokio::test]
async fn each_message_is_one_datagram_in_the_words_of_systemd() {
    let manager = Manager::start();
    let notify = manager.notify();
    assert!(notify.is_connected());
    notify.ready().await.expect("it is sent");
    notify.reloading().await.expect("it is sent");
    notify.status("two\nlines").await.expect("it is sent");
    notify.ping_watchdog().await.expect("it is sent");
    notify.extend_timeout(SECOND).await.expect("it is sent");
    notify.stopping().await.expect("it is sent");
    let mut messages = manager.received();
    let reloading = messages.remove(1);
    let expected = ["READY=1", "STATUS=two lines", "WATCHDOG=1", "EXTEND_TIMEOUT_USEC=1000000", "STOPPING=1"];
    assert_eq!(messages, expected);
    let (first, time) = reloading.split_once('\n').expect("it has two lines");
    assert_eq!(first, "RELOADING=1");
    let micros = time.strip_prefix("MONOTONIC_USEC=").expect("it is the time");
    assert!(micros.parse::<u64>().expect("it is a number") > 0);
}

#[tokio::test]
async fn service_without_systemd_sends_nothing() {
    let notify = SdNotify::default();
    assert!(!notify.is_connected());
    notify.ready().await.expect("there is nothing to fail");
    let (child, _) = unit();
    let app = Supervisor::new("app").child(child).start(&System::new()).await.expect("it starts");
    assert_eq!(notify.watch_while(&HealthCheck::of(&app), async { 5 }).await, 5);
    app.handle().kill().expect("it runs");
}

#[test]
fn address_that_is_no_socket_is_an_error() {
    for address in ["relative", "", "/does/not/exist", "@there-is-no-such-socket-of-perennial"] {
        assert!(SdNotify::to(address).is_err(), "{address}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn abstract_socket_has_an_at_sign_for_its_zero_byte() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;
    let name = format!("perennial-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("it is valid");
    let socket = UnixDatagram::bind_addr(&address).expect("it is free");
    socket.set_nonblocking(true).expect("it can be set");
    let notify = SdNotify::to(format!("@{name}")).expect("it listens");
    notify.ready().await.expect("it is sent");
    assert_eq!(received(&socket), ["READY=1"]);
}

#[tokio::test(start_paused = true)]
async fn message_waits_for_room_and_is_not_lost() {
    let manager = Manager::start();
    let notify = manager.notify();
    let mut sent = 0;
    while timeout(SECOND, notify.ping_watchdog()).await.is_ok() {
        sent += 1;
    }
    assert!(sent > 0);
    let waiting = notify.ready();
    tokio::pin!(waiting);
    assert!(timeout(SECOND, &mut waiting).await.is_err());
    assert_eq!(manager.received().len(), sent);
    waiting.await.expect("there is room");
    assert_eq!(manager.received(), ["READY=1"]);
}

#[tokio::test(start_paused = true)]
async fn watch_tells_readiness_the_watchdog_and_the_stop() {
    let manager = Manager::start();
    let notify = manager.notify().with_watchdog(SECOND * 4);
    let (child, address) = unit();
    let app = Supervisor::new("app").child(child).start(&System::new()).await.expect("it starts");
    let check = HealthCheck::of(&app);
    let run = async {
        sleep(SECOND / 2).await;
        assert_eq!(manager.received().join(" "), "READY=1\nSTATUS=ready\nWATCHDOG=1");
        // At half of the timeout, and not more often.
        sleep(SECOND * 8).await;
        assert_eq!(manager.received(), ["WATCHDOG=1"; 4]);

        address.cast(()).expect("it runs");
        sleep(SECOND).await;
        assert_eq!(manager.received(), ["STATUS=not ready: app/unit is restarting"]);
        // It restarts after three seconds. The tree is live meanwhile.
        sleep(SECOND * 3).await;
        assert_eq!(manager.received(), ["WATCHDOG=1", "STATUS=ready\nWATCHDOG=1"]);

        drop(app.shutdown().await);
        let stopping = manager.received();
        assert_eq!(stopping[0], "STOPPING=1\nSTATUS=stopping: app is stopping");
        sleep(SECOND * 8).await;
        assert_eq!(manager.received(), ["STATUS=failed: app has ended, app is stopped"]);
        "over"
    };
    assert_eq!(notify.watch_while(&check, run).await, "over");
    assert_eq!(manager.received(), [""; 0], "the stop is told once");
}

#[tokio::test(start_paused = true)]
async fn stop_that_no_check_has_seen_is_told_at_the_end() {
    let manager = Manager::start();
    let notify = manager.notify();
    let app = Supervisor::new("app").start(&System::new()).await.expect("it starts");
    let run = async {
        sleep(SECOND / 2).await;
        app.shutdown().await.is_clean()
    };
    assert!(notify.watch_while(&HealthCheck::of(&app), run).await);
    assert_eq!(manager.received(), ["READY=1\nSTATUS=ready", "STOPPING=1"]);
}

/// The tree runs on a runtime whose only thread has left it, so it does not get to run.
#[test]
fn tree_that_hangs_gets_no_watchdog_message() {
    let manager = Manager::start();
    let notify = manager.notify().with_watchdog(SECOND * 4);
    let (hanging, runs) = (runtime(false), runtime(true));
    let (child, _) = unit();
    let app = hanging.block_on(Supervisor::new("app").child(child).start(&System::new()));
    let app = app.expect("it starts");
    let check = HealthCheck::of(&app);
    runs.block_on(async { timeout(SECOND * 60, notify.watch(&check)).await }).expect_err("it never resolves");
    let messages = manager.received();
    assert!(messages.iter().all(|message| !message.contains("WATCHDOG=1")), "{messages:?}");
    assert_eq!(messages, ["STATUS=failed: app does not answer"]);

    hanging.block_on(async { timeout(SECOND / 10, notify.watch(&check)).await }).expect_err("nor here");
    assert_eq!(manager.received(), ["READY=1\nSTATUS=ready\nWATCHDOG=1"]);
    app.handle().kill().expect("it runs");
    hanging.block_on(app.join());
}
