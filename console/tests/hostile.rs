//! Clients that mean harm: the console stays within its limits, and the tree goes on.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support;
use crate::support::{LONG, Msg, Stage};

const SHORT: Duration = Duration::from_millis(200);

/// Reads to the end of a connection, or to its error.
async fn read_to_end(mut stream: TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(LONG, stream.read_to_end(&mut answer)).await.expect("the connection ends");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_ends_its_connection_and_nothing_else() {
    let stage = Stage::start().await;
    let long_head = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    let garbage: [&[u8]; 6] = [
        b"\0\xff\xfe garbage\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        long_head.as_bytes(),
    ];
    for bytes in garbage {
        let mut stream = TcpStream::connect(stage.address()).await.unwrap();
        let _ = stream.write_all(bytes).await;
        let answer = read_to_end(stream).await;
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(stage.get("/livez").await.status, 200);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_body_is_refused_before_it_is_read() {
    let stage = Stage::start().await;
    let identity = stage.counter.handle().identity();
    let head = format!(
        "POST /api/v1/processes/{identity}/kill HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\n",
        support::TOKEN
    );
    // Nothing of the hundred megabytes is sent, and the answer comes.
    let mut stream = TcpStream::connect(stage.address()).await.unwrap();
    stream.write_all(format!("{head}Content-Length: 100000000\r\n\r\n").as_bytes()).await.unwrap();
    let answer = support::parse(&String::from_utf8_lossy(&read_to_end(stream).await));
    assert_eq!((answer.status, answer.error().as_str()), (413, "too_large"));
    // Without a length, reading ends at the limit.
    let mut stream = TcpStream::connect(stage.address()).await.unwrap();
    stream.write_all(format!("{head}Transfer-Encoding: chunked\r\n\r\n").as_bytes()).await.unwrap();
    let chunk = [b"10000\r\n".as_slice(), &vec![b'x'; 0x10000], b"\r\n"].concat();
    let mut sent = 0;
    while sent < 1600 && stream.write_all(&chunk).await.is_ok() {
        sent += 1;
    }
    assert!(sent < 1600, "the server reads a hundred megabytes");
    assert_eq!(stage.counter.pid().map(perennial_actors::Pid::incarnation), Some(1));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn client_that_does_not_finish_its_request_is_dropped() {
    let stage = Stage::with(|console, _| console.client_timeout(SHORT)).await;
    for begin in ["", "GET / HTTP/1.1\r\nHost: local", "GET /livez HTTP/1.1\r\nHost: localhost\r\n"] {
        let mut stream = TcpStream::connect(stage.address()).await.unwrap();
        stream.write_all(begin.as_bytes()).await.unwrap();
        read_to_end(stream).await;
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn client_that_does_not_read_is_dropped_and_makes_room() {
    let stage = Stage::with(|console, _| console.client_timeout(SHORT).max_streams(1)).await;
    let mut slow = TcpStream::connect(stage.address()).await.unwrap();
    slow.write_all(b"GET /api/v1/events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut begin = [0; 12];
    slow.read_exact(&mut begin).await.unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200");
    // It reads no more. Crashes fill the buffers of both sides, until a write does not end in time.
    let dropped = async {
        loop {
            for _ in 0..200 {
                let _ = stage.counter.cast(Msg::Crash);
            }
            let _ = stage.counter.call(Msg::Get).await;
            let answer = stage.get("/api/v1/events/stream?after=x-1");
            // A stream has no end: the head is enough.
            if let Ok(answer) = tokio::time::timeout(SHORT, answer).await {
                assert_eq!(answer.status, 503);
            } else {
                return;
            }
        }
    };
    tokio::time::timeout(LONG, dropped).await.expect("the slow client is dropped");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_wait_until_others_end() {
    let stage = Stage::with(|console, _| console.client_timeout(SHORT).max_connections(4)).await;
    let mut idle = Vec::new();
    for _ in 0..64 {
        idle.push(TcpStream::connect(stage.address()).await.unwrap());
    }
    // The idle ones are dropped, four at a time, and this one gets its turn.
    assert_eq!(stage.get("/livez").await.status, 200);
    for stream in idle {
        read_to_end(stream).await;
    }
    stage.end().await;
}
