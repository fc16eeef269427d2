//! The stream of events: what comes, and what comes after the console, or its client, was away.

use serde_json::json;
use tokio::net::TcpStream;

use crate::support;
use crate::support::{Follower, Msg, Stage};

fn is_crash(received: &support::Received) -> bool {
    received.data["kind"]["ended"]["label"] == "app/counter"
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_as_they_happen_with_the_boot_and_their_number_as_id() {
    let stage = Stage::start().await;
    let boot = stage.read("/session").await["boot"].as_str().unwrap().to_owned();
    let mut follower = Follower::connect(stage.address(), None).await;
    stage.counter.cast(Msg::Crash).unwrap();
    let crash = follower.until(is_crash).await;
    assert_eq!(crash.name, "event");
    assert_eq!(crash.id, format!("{boot}-{}", crash.data["sequence"]));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn client_that_was_away_while_the_console_was_restarted_misses_nothing() {
    let stage = Stage::start().await;
    let mut follower = Follower::connect(stage.address(), None).await;
    stage.counter.cast(Msg::Crash).unwrap();
    let first = follower.until(is_crash).await;

    let (address, before) = (stage.address(), console_pid(&stage));
    let tree = stage.app.tree();
    let console = tree.at(["console"]).unwrap().handle.clone();
    console.kill().unwrap();
    while follower.next().await.is_some() {}
    // Events that happen while nothing listens, or right after.
    stage.counter.cast(Msg::Crash).unwrap();
    let restarted = async { while console_pid(&stage) <= before {} };
    tokio::time::timeout(support::LONG, restarted).await.unwrap();
    // It has a pid before it listens.
    let listens = async { while TcpStream::connect(address).await.is_err() {} };
    tokio::time::timeout(support::LONG, listens).await.expect("the port is kept");
    stage.read_until("/crashes", |crashes| crashes["total"] == 2).await;
    assert_eq!(stage.address(), address, "the port is kept");

    let mut follower = Follower::connect(address, Some(&first.id)).await;
    let mut last = first.data["sequence"].as_u64().unwrap();
    loop {
        let next = follower.next().await.unwrap();
        assert_eq!((next.name.as_str(), next.data["sequence"].as_u64()), ("event", Some(last + 1)));
        last += 1;
        if is_crash(&next) {
            break;
        }
    }
    stage.end().await;
}

/// Returns the incarnation of the console that runs.
fn console_pid(stage: &Stage) -> Option<perennial_actors::Pid> {
    std::thread::yield_now();
    stage.app.tree().at(["console"]).and_then(|node| node.pid)
}

#[tokio::test(flavor = "multi_thread")]
async fn client_of_another_process_is_told_to_begin_anew() {
    let stage = Stage::start().await;
    let boot = stage.read("/session").await["boot"].clone();
    for foreign in ["0000000000000000-7", "7", "", "x-y-z"] {
        let mut follower = Follower::connect(stage.address(), Some(foreign)).await;
        let reset = follower.next().await.unwrap();
        assert_eq!((reset.name.as_str(), &reset.data["boot"]), ("reset", &boot), "{foreign:?}");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn client_that_was_away_for_too_long_is_told_how_much_it_missed() {
    let stage = Stage::with(|console, _| console.events(10)).await;
    let boot = stage.read("/session").await["boot"].as_str().unwrap().to_owned();
    for _ in 0..10 {
        stage.counter.cast(Msg::Crash).unwrap();
    }
    stage.read_until("/overview", |overview| overview["missed_events"].as_u64() > Some(0)).await;
    let mut follower = Follower::connect(stage.address(), Some(&format!("{boot}-1"))).await;
    let missed = follower.next().await.unwrap();
    assert_eq!(missed.name, "missed");
    let count = missed.data["missed"].as_u64().unwrap();
    assert!(count > 0);
    let next = follower.next().await.unwrap();
    assert_eq!(next.data["sequence"], json!(1 + count + 1));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn number_of_clients_is_limited_and_one_that_leaves_makes_room() {
    let stage = Stage::with(|console, _| console.max_streams(1)).await;
    let follower = Follower::connect(stage.address(), None).await;
    let refused = stage.get("/api/v1/events/stream").await;
    assert_eq!((refused.status, refused.error().as_str()), (503, "too_many"));
    drop(follower);
    // The server notices that the client left when it writes.
    let room = async {
        loop {
            stage.counter.cast(Msg::Crash).ok();
            let request = "GET /api/v1/events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n";
            let mut stream = TcpStream::connect(stage.address()).await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
            let mut begin = [0; 12];
            tokio::io::AsyncReadExt::read_exact(&mut stream, &mut begin).await.unwrap();
            if begin == *b"HTTP/1.1 200" {
                return;
            }
        }
    };
    tokio::time::timeout(support::LONG, room).await.unwrap();
    stage.end().await;
}
