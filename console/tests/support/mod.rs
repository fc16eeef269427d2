//! What the tests of the console share: a tree with a console in it, and a client that speaks HTTP.

pub(crate) mod cluster;
pub(crate) mod trouble;

use std::net::SocketAddr;
use std::time::Duration;

use perennial_actors::{Actor, Address, Context, ExitReason, Reply, System};
use perennial_console::{Console, ConsoleUrl};
use perennial_supervision::{App, Backoff, Child, Supervisor, SupervisorHandle};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) const TOKEN: &str = "0123456789abcdef";

/// The longest time for anything in a test.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A message to the actor `app/counter`.
#[derive(Debug)]
pub(crate) enum Msg {
    Add(u64),
    Get(Reply<u64>),
    Crash,
}

/// The actor `app/counter`, which is down for a while after a crash.
pub(crate) struct Counter(u64);

impl Actor for Counter {
    type Msg = Msg;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self(0))
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Add(number) => self.0 += number,
            Msg::Get(reply) => reply.send(self.0),
            Msg::Crash => return Err("the counter is broken".into()),
        }
        Ok(())
    }
}

/// A running tree with a console.
pub(crate) struct Stage {
    pub(crate) system: System,
    pub(crate) app: App<SupervisorHandle>,
    pub(crate) counter: Address<Msg>,
    pub(crate) url: ConsoleUrl,
}

impl Stage {
    /// Starts a tree with a counter, and a console with the token.
    pub(crate) async fn start() -> Self {
        Self::with(|console, _| console.token(TOKEN)).await
    }

    /// Starts a tree with a counter, and a console as `set` returns it.
    pub(crate) async fn with(set: impl FnOnce(Console, &Address<Msg>) -> Console) -> Self {
        let down = Backoff::new(Duration::from_millis(1), Duration::from_millis(1));
        let counter = Child::new::<Counter>("counter", ()).backoff(down);
        let address = counter.address();
        let console = set(Console::at("127.0.0.1:0"), &address);
        let url = console.url();
        let system = System::new();
        let tree =
            Supervisor::new("app").intensity(1000, Duration::from_secs(1)).child(console).child(counter);
        let app = tree.start(&system).await.expect("the tree starts");
        Self { system, app, counter: address, url }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.url.address().expect("the console has started")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        ask(self.address(), &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await
    }

    /// Returns the JSON at a path of the API.
    pub(crate) async fn read(&self, path: &str) -> Value {
        let answer = self.get(&format!("/api/v1{path}")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    }

    /// Reads until the JSON is as wanted. Returns it.
    pub(crate) async fn read_until(&self, path: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let wait = async {
            loop {
                let value = self.read(path).await;
                if is_wanted(&value) {
                    return value;
                }
            }
        };
        tokio::time::timeout(LONG, wait).await.expect("the answer is as wanted in time")
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.post_with(path, body, &format!("Authorization: Bearer {TOKEN}\r\n")).await
    }

    pub(crate) async fn post_with(&self, path: &str, body: &str, headers: &str) -> Answer {
        let len = body.len();
        let head =
            format!("POST /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json");
        ask(self.address(), &format!("{head}\r\nContent-Length: {len}\r\n{headers}\r\n{body}")).await
    }

    /// Ends the tree once the counter has handled its messages.
    pub(crate) async fn end(self) {
        self.counter.call(Msg::Get).await.expect("the counter answers");
        assert!(self.app.shutdown().await.is_clean());
    }
}

/// An answer of the server.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Returns the kind of a problem.
    pub(crate) fn error(&self) -> String {
        self.json().get("error").and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

/// Sends a request, and reads the answer to its end.
pub(crate) async fn ask(address: SocketAddr, request: &str) -> Answer {
    let (head, body) = request.split_once("\r\n\r\n").expect("a request has a head");
    let request = format!("{head}\r\nConnection: close\r\n\r\n{body}");
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    // The server may refuse the request before it has read all of it.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(LONG, stream.read_to_end(&mut answer)).await;
    let _ = read.expect("the server answers in time");
    parse(&String::from_utf8_lossy(&answer))
}

pub(crate) fn parse(answer: &str) -> Answer {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = if head.to_lowercase().contains("transfer-encoding: chunked") {
        unchunk(body)
    } else {
        body.to_owned()
    };
    Answer { status, head: head.to_owned(), body }
}

fn unchunk(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((len, rest)) = body.split_once("\r\n") {
        let len = usize::from_str_radix(len, 16).unwrap_or(0);
        if len == 0 {
            break;
        }
        text.push_str(rest.get(..len).unwrap_or(rest));
        body = rest.get(len + 2..).unwrap_or_default();
    }
    text
}

/// A client that follows the events.
pub(crate) struct Follower {
    stream: TcpStream,
    text: String,
}

/// An event that a client received.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) data: Value,
}

impl Follower {
    pub(crate) async fn connect(address: SocketAddr, last: Option<&str>) -> Self {
        let last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let request = format!("GET /api/v1/events/stream HTTP/1.1\r\nHost: localhost\r\n{last}\r\n");
        let mut stream = TcpStream::connect(address).await.expect("the server listens");
        stream.write_all(request.as_bytes()).await.expect("the server reads");
        let mut follower = Self { stream, text: String::new() };
        // The first chunk comes at once: the subscription has begun then.
        while !follower.text.contains("retry:") {
            assert!(follower.fill().await, "the stream begins: {}", follower.text);
        }
        follower
    }

    /// Reads more. Returns `false` at the end.
    async fn fill(&mut self) -> bool {
        let mut buffer = vec![0; 64 * 1024];
        let read = tokio::time::timeout(LONG, self.stream.read(&mut buffer)).await;
        let len = read.expect("something comes in time").unwrap_or(0);
        self.text.push_str(&String::from_utf8_lossy(&buffer[..len]));
        len > 0
    }

    /// Returns the next event, or `None` at the end of the stream. Lines of chunked encoding
    /// between the events are skipped.
    pub(crate) async fn next(&mut self) -> Option<Received> {
        loop {
            if let Some(begin) = self.text.find("id: ") {
                if let Some(end) = self.text[begin..].find("\n\n") {
                    let block = self.text[begin..begin + end].to_owned();
                    self.text.drain(..begin + end + 2);
                    let field = |name: &str| {
                        let line = block.lines().find_map(|line| line.strip_prefix(name));
                        line.unwrap_or_default().to_owned()
                    };
                    let data = serde_json::from_str(&field("data: ")).expect("the data is JSON");
                    return Some(Received { id: field("id: "), name: field("event: "), data });
                }
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// Returns the next event that is as wanted.
    pub(crate) async fn until(&mut self, is_wanted: impl Fn(&Received) -> bool) -> Received {
        loop {
            let received = self.next().await.expect("the stream goes on");
            if is_wanted(&received) {
                return received;
            }
        }
    }
}
