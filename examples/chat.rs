//! A chat server whose sessions own their sockets. Two clients talk, a third one makes its session
//! crash, and the other two continue.
//!
//! ```text
//! cargo run --release --example chat
//! ```
//!
//! The server is in `support/chat_server.rs`. `docs/guide/chat-server.md` explains it, and
//! `tests/chat.rs` runs it with 100 clients.

#[macro_use]
#[path = "support/output.rs"]
mod output;
#[path = "support/chat_server.rs"]
mod server;

use std::error::Error;
use std::net::SocketAddr;

use perennial::{PanicLocations, System};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// The other side of a session.
struct Client {
    name: &'static str,
    lines: Lines<BufReader<OwnedReadHalf>>,
    socket: OwnedWriteHalf,
}

impl Client {
    /// Connects, and waits until the session has started.
    async fn connect(at: SocketAddr, name: &'static str) -> Result<Self, Box<dyn Error>> {
        let (read, socket) = TcpStream::connect(at).await?.into_split();
        let mut client = Self { name, lines: BufReader::new(read).lines(), socket };
        client.expect("welcome").await?;
        client.type_line(&format!("/name {name}")).await?;
        Ok(client)
    }

    async fn type_line(&mut self, line: &str) -> Result<(), Box<dyn Error>> {
        Ok(self.socket.write_all(format!("{line}\n").as_bytes()).await?)
    }

    /// Reads the next line, which must be this one.
    async fn expect(&mut self, expected: &str) -> Result<(), Box<dyn Error>> {
        let line = self.lines.next_line().await?;
        print_line!("{:>6} reads {line:?}", self.name);
        assert_eq!(line.as_deref(), Some(expected));
        Ok(())
    }

    /// Waits until the server has closed the connection.
    async fn expect_end(&mut self) {
        // A crash may reset the connection.
        let end = self.lines.next_line().await;
        print_line!("{:>6} is disconnected", self.name);
        assert!(!matches!(end, Ok(Some(_))));
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // The crash is one line in the log, with the session, the reason and the place of the panic.
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let system = System::builder().panic_locations(PanicLocations::install()).build();
    let server = server::start(&system).await?;
    let mut ada = Client::connect(server.at, "ada").await?;
    let mut grace = Client::connect(server.at, "grace").await?;
    let mut mallet = Client::connect(server.at, "mallet").await?;

    mallet.type_line("/crash").await?;
    mallet.expect_end().await;

    ada.type_line("hello").await?;
    ada.expect("ada: hello").await?;
    grace.expect("ada: hello").await?;
    grace.type_line("goodbye").await?;
    ada.expect("grace: goodbye").await?;
    grace.expect("grace: goodbye").await?;
    grace.type_line("/bye").await?;
    grace.expect_end().await;

    // Every end has been reported by then, and one session is left.
    system.settled().await;
    assert_eq!(server.sessions.count_children().await?.active, 1);
    assert!(server.app.shutdown().await.is_clean());
    ada.expect_end().await;
    Ok(())
}
