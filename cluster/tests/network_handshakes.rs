//! Connections that stop in the middle of their handshake.

use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use crate::certificates::Authority;
use crate::network::{
    LEASE, Process, attack, builder, free_port, is_long, member, reaches, say, start, within, within_limit,
};
use crate::support::{Msg, Shop};

/// How long a test waits for what has to happen. Nothing depends on how fast it does.
const LIMIT: Duration = Duration::from_secs(300);

/// Returns what a node sends first to one that it connects to, in TCP.
async fn first_bytes() -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let port = listener.local_addr().expect("it has an address").port();
    listener.set_nonblocking(true).expect("it can wait");
    let listener = tokio::net::TcpListener::from_std(listener).expect("it can wait");
    let node = start(builder("x", free_port(), &[port])).await;
    let (stream, _) = listener.accept().await.expect("the node connects");
    let mut stream = stream.into_std().expect("it is connected");
    stream.set_nonblocking(false).expect("it can block");
    stream.set_read_timeout(Some(LIMIT)).expect("it is not zero");
    let read = move || {
        let mut bytes = vec![0; 2_048];
        let count = stream.read(&mut bytes).expect("the node says something");
        bytes.truncate(count);
        bytes
    };
    let bytes = tokio::task::spawn_blocking(read).await.expect("it is read");
    drop(node);
    bytes
}

#[tokio::test]
async fn handshakes_in_tcp_that_stop_in_the_middle_are_closed_and_calls_go_on() {
    within(async {
        let (port, other) = (free_port(), free_port());
        let a = start(builder("a", port, &[other])).await;
        let b = Process::node("b", other, port, LEASE);
        a.knows("b").await;
        let first = first_bytes().await;
        // The first 90 bytes of what TLS sends first, which says that it has 517.
        let mut hello = vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
        hello.resize(90, 7);
        let half = first[..first.len() / 2].to_vec();
        let before = b.memory();
        let attacks: Vec<_> = [first, half, hello]
            .into_iter()
            .cycle()
            .take(60)
            .map(|bytes| tokio::task::spawn_blocking(move || attack(other, &bytes)))
            .collect();
        let c = start(builder("c", free_port(), &[other])).await;
        for attack in attacks {
            while !attack.is_finished() {
                let echo = a.cart_of("b").call(|reply| Msg::Echo(vec![1; 1_000], reply)).await;
                assert_eq!(echo.expect("calls go on").len(), 1_000);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            attack.await.expect("it is closed");
        }
        let grown = b.memory().saturating_sub(before);
        assert!(grown < 64 * 1_024, "{grown} KiB more");
        c.knows("b").await;
        reaches(&c, "b").await;
    })
    .await;
}

/// Returns the first packet to each of so many ports, of a node that connects to them in QUIC.
async fn first_packets(count: usize) -> Vec<Vec<u8>> {
    let socket = |_| UdpSocket::bind("127.0.0.1:0").expect("there is a port");
    let sockets: Vec<UdpSocket> = (0..count).map(socket).collect();
    let port = |socket: &UdpSocket| socket.local_addr().expect("it has an address").port();
    let ports: Vec<u16> = sockets.iter().map(port).collect();
    let authority = Authority::new();
    let node = start(member(&authority, "x", free_port(), &ports, &["b"])).await;
    let packets = tokio::task::spawn_blocking(move || sockets.iter().map(receive).collect());
    let packets = packets.await.expect("they are received");
    drop(node);
    packets
}

fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut packet = vec![0; 2_048];
    socket.set_read_timeout(Some(LIMIT)).expect("it is not zero");
    let count = socket.recv(&mut packet).expect("the node connects");
    packet.truncate(count);
    packet
}

/// Begins a handshake in QUIC, and returns when it is answered.
async fn begin_handshake(port: u16, packet: Vec<u8>) {
    let begin = move || {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("there is a port");
        socket.connect(("127.0.0.1", port)).expect("it has an address");
        socket.send(&packet).expect("it is sent");
        receive(&socket);
        socket
    };
    drop(tokio::task::spawn_blocking(begin).await.expect("it is answered"));
}

async fn joins(shop: &Shop, text: &str, since: Instant) -> Duration {
    shop.knows(text).await;
    reaches(shop, text).await;
    since.elapsed()
}

#[tokio::test]
async fn handshake_in_quic_that_stops_delays_nodes_that_join_and_calls_go_on() {
    within_limit(LIMIT, async {
        let (authority, all) = (Authority::new(), ["a", "b", "c", "d"]);
        let [port, known] = [free_port(), free_port()];
        let b = start(member(&authority, "b", port, &[known], &all)).await;
        let a = start(member(&authority, "a", free_port(), &[port], &all)).await;
        a.knows("b").await;
        let mut packets = first_packets(if is_long() { 3 } else { 1 }).await.into_iter();
        let since = Instant::now();
        begin_handshake(port, packets.next().expect("there is one")).await;
        // More handshakes wait for the end of this one.
        let more = UdpSocket::bind("127.0.0.1:0").expect("there is a port");
        for packet in packets {
            more.send_to(&packet, ("127.0.0.1", port)).expect("it is sent");
        }
        // `b` knows the address of `c`, and not that of `d`, which waits until the handshakes end.
        let c = start(member(&authority, "c", known, &[port], &all)).await;
        let d = async {
            let d = start(member(&authority, "d", free_port(), &[port], &all)).await;
            joins(&d, "b", since).await
        };
        let calls = async {
            loop {
                let echo = a.cart_of("b").call(|reply| Msg::Echo(vec![1; 1_000], reply)).await;
                assert_eq!(echo.expect("calls go on").len(), 1_000);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let joined = async {
            if is_long() {
                let (known, unknown) = tokio::join!(joins(&c, "b", since), d);
                (known, Some(unknown))
            } else {
                (joins(&c, "b", since).await, None)
            }
        };
        let (known, unknown) = tokio::select! {
            joined = joined => joined,
            () = calls => unreachable!("calls go on"),
        };
        say(&format!("handshakes in QUIC that stop: a node whose address is known joins after {known:.1?}"));
        if let Some(unknown) = unknown {
            say(&format!("another one after {unknown:.1?}"));
        }
        drop(b);
    })
    .await;
}
