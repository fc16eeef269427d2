//! A chat server: one room, and a session for each client.
//!
//! ```text
//! chat                one_for_one
//! ├─ sessions         a dynamic supervisor: one child for each client
//! │  ├─ session       owns its socket, so it is started once
//! │  └─ session
//! └─ listener         a task that accepts clients and starts their sessions
//! ```

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::stream;
use perennial::prelude::*;
use perennial::{ActorOnce, App, DynamicHandle, DynamicSupervisor, Registry, SlowSubscriberPolicy};
use perennial::{SupervisorHandle, Topic};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};

/// The room: each line that is published here reaches every session.
pub(crate) const ROOM: Topic<Arc<str>> = Topic::new("room");

pub(crate) enum Msg {
    /// The client has sent a line.
    Line(String),
    /// A line was published in the room.
    Said(Arc<str>),
    /// The client has closed its side.
    HungUp,
}

impl From<Arc<str>> for Msg {
    fn from(line: Arc<str>) -> Self {
        Self::Said(line)
    }
}

/// One client.
pub(crate) struct Session {
    socket: OwnedWriteHalf,
    name: String,
}

impl ActorOnce for Session {
    type Msg = Msg;
    type Args = TcpStream;

    async fn init(socket: TcpStream, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let (read, mut write) = socket.into_split();
        // The client's lines become messages. The stream is dropped when the session ends.
        let lines = stream::unfold(BufReader::new(read).lines(), |mut lines| async {
            let line = lines.next_line().await.ok()??;
            Some((line, lines))
        });
        ctx.attach_with_end(lines, Msg::Line, Msg::HungUp);
        let room = Registry::of(ctx.system()).topic(ROOM);
        room.subscribe(&ctx.address(), SlowSubscriberPolicy::Skip);
        write.write_all(b"welcome\n").await?;
        Ok(Self { socket: write, name: "guest".to_owned() })
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Said(line) => self.socket.write_all(format!("{line}\n").as_bytes()).await?,
            Msg::HungUp => ctx.stop(ExitReason::Normal),
            Msg::Line(line) => match line.split_once(' ').unwrap_or((&line, "")) {
                ("/name", name) => name.clone_into(&mut self.name),
                ("/bye", _) => ctx.stop(ExitReason::Normal),
                ("/crash", _) => panic!("a bug that a client has found"),
                _ => {
                    let line = format!("{}: {line}", self.name);
                    Registry::of(ctx.system()).topic(ROOM).publish(&line.into());
                }
            },
        }
        Ok(())
    }
}

/// Accepts clients until it is stopped.
async fn listen(listener: Arc<TcpListener>, sessions: DynamicHandle) -> Result<(), ExitReason> {
    loop {
        let (socket, _) = listener.accept().await?;
        // A session that could not start costs its client the connection, and nothing else.
        let _ = sessions.start_once(Child::once::<Session>("session", socket)).await;
    }
}

/// A server that runs, and what its clients and its operator need.
pub(crate) struct Server {
    pub(crate) app: App<SupervisorHandle>,
    pub(crate) sessions: DynamicHandle,
    pub(crate) at: SocketAddr,
}

/// Starts the server on a free port of this machine. Everything has its default.
pub(crate) async fn start(system: &System) -> io::Result<Server> {
    // The socket that listens outlives a restart of the task.
    let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await?);
    let at = listener.local_addr()?;
    let supervisor = DynamicSupervisor::new("sessions");
    let sessions = supervisor.handle();
    let starter = sessions.clone();
    let task = Child::task("listener", move |_| listen(listener.clone(), starter.clone()));
    let app = Supervisor::new("chat").child(supervisor).child(task).start(system).await;
    Ok(Server { app: app.map_err(io::Error::other)?, sessions, at })
}
