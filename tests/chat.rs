//! The chat server of the guide, with 100 clients and all defaults.

#[path = "../examples/support/chat_server.rs"]
mod server;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use perennial::{Pid, Registry, System};
use server::Server;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

const CLIENTS: usize = 100;

type Client = BufReader<TcpStream>;

/// Connects a client, and waits until its session has started.
async fn connect(at: SocketAddr) -> Client {
    let socket = TcpStream::connect(at).await.expect("the server listens");
    let mut client = BufReader::new(socket);
    assert_eq!(read_line(&mut client).await, "welcome\n");
    client
}

async fn type_line(client: &mut Client, line: &str) {
    let line = format!("{line}\n");
    client.get_mut().write_all(line.as_bytes()).await.expect("the client is connected");
}

async fn read_line(client: &mut Client) -> String {
    let mut line = String::new();
    client.read_line(&mut line).await.expect("the client is connected");
    line
}

/// Waits until the server has closed the connection. A crash may reset it.
async fn wait_for_end(client: &mut Client) {
    let mut rest = String::new();
    assert!(matches!(client.read_line(&mut rest).await, Ok(0) | Err(_)), "{rest}");
}

async fn running(server: &Server) -> BTreeSet<Pid> {
    let children = server.sessions.which_children().await.expect("the supervisor runs");
    children.into_iter().filter_map(|child| child.pid).collect()
}

#[tokio::test]
async fn of_100_sessions_one_says_bye_and_two_crash_and_97_go_on_undisturbed() {
    let system = System::new();
    let server = server::start(&system).await.expect("a free port");
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(connect(server.at).await);
    }
    system.settled().await;
    let before = running(&server).await;
    assert_eq!(before.len(), CLIENTS);

    let ends = ["/bye", "/crash", "/crash"];
    for (client, end) in clients.iter_mut().zip(ends) {
        type_line(client, end).await;
        wait_for_end(client).await;
    }
    let mut others = clients.split_off(ends.len());
    type_line(&mut others[0], "/name ada").await;
    type_line(&mut others[0], "still here?").await;
    for client in &mut others {
        assert_eq!(read_line(client).await, "ada: still here?\n");
    }
    // Each client can still send a line, and all of them receive it.
    for speaker in 0..others.len() {
        type_line(&mut others[speaker], "yes").await;
        for client in &mut others {
            let line = read_line(client).await;
            assert!(line.ends_with(": yes\n"), "{line}");
        }
    }

    system.settled().await;
    let after = running(&server).await;
    assert_eq!(after.len(), CLIENTS - ends.len());
    assert!(after.is_subset(&before), "a session was restarted");
    assert_eq!(Registry::of(&system).topic(server::ROOM).subscribers().len(), after.len());
    assert!(server.app.shutdown().await.is_clean());
    for client in &mut others {
        wait_for_end(client).await;
    }
}

#[tokio::test]
async fn client_that_hangs_up_ends_its_session_and_no_other() {
    let system = System::new();
    let server = server::start(&system).await.expect("a free port");
    let (gone, mut other) = (connect(server.at).await, connect(server.at).await);
    let handles = Registry::of(&system).topic(server::ROOM).subscribers();
    let end = handles[0].monitor();
    drop(gone);
    assert!(!end.await.reason.is_abnormal());

    type_line(&mut other, "alone").await;
    assert_eq!(read_line(&mut other).await, "guest: alone\n");
    system.settled().await;
    assert_eq!(running(&server).await.len(), 1);
    assert!(server.app.shutdown().await.is_clean());
}

/// The page of the guide shows the current source of the server.
#[test]
fn guide_shows_the_server_as_it_is() {
    let read = |path: &str| {
        let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).expect("the file can be read")
    };
    let source = read("examples/support/chat_server.rs");
    let page = read("docs/guide/chat-server.md");
    let code = source.lines().skip_while(|line| line.starts_with("//!") || line.is_empty());
    let code: Vec<&str> = code.collect();
    // A doc test has no crate root whose items could be seen from elsewhere.
    let code = code.join("\n").replace("pub(crate) ", "");
    assert!(page.contains(&code), "the code in docs/guide/chat-server.md is another one");
}
