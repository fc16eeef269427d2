//! perennial: an actor on another node.

use std::time::Duration;

use anyhow::Result;
use perennial::prelude::*;
use perennial::{App, SupervisorHandle};
use perennial_cluster::{Bincode, Node, NodeBuilder, NodeName, RemoteAddress, RemoteChild, Tls, Wire};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::place::{CLIENT, Link, Place, SERVER};
use crate::work::Remote;

const ECHO: Name<Message> = Name::new("echo");

#[derive(Debug, Deserialize, Serialize)]
enum Message {
    Call(ByteBuf, Reply<ByteBuf>),
    Cast(ByteBuf),
    Count(Reply<u64>),
}

impl Wire for Message {
    const TAG: &'static str = "race.message";
}

struct Echo {
    handled: u64,
}

impl Actor for Echo {
    type Msg = Message;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self { handled: 0 })
    }

    async fn handle(&mut self, message: Message, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match message {
            Message::Call(bytes, reply) => reply.send(bytes),
            Message::Cast(_) => self.handled += 1,
            Message::Count(reply) => reply.send(self.handled),
        }
        Ok(())
    }
}

pub struct Perennial {
    echo: RemoteAddress<Message>,
    _app: App<SupervisorHandle>,
}

impl Remote for Perennial {
    type Server = App<SupervisorHandle>;

    async fn serve(place: &Place) -> Result<Self::Server> {
        let address = format!("{}/{}", scheme(&place.link), place.address);
        let node = node(SERVER, CLIENT, &place.link)?.listen(address).build()?;
        let echo = Child::new::<Echo>("echo", ()).mailbox(MailboxConfig::unbounded());
        let echo = echo.remote::<Bincode>(&node, ECHO)?;
        Ok(Supervisor::new("server").child(echo).child(node.child()).start(&System::new()).await?)
    }

    async fn connect(place: &Place) -> Result<Self> {
        let address = format!("{}/{}", scheme(&place.link), place.address);
        let node = node(CLIENT, SERVER, &place.link)?.peers([address]).build()?;
        let app = Supervisor::new("client").child(node.child()).start(&System::new()).await?;
        let echo = node.at(&NodeName::new(SERVER)?, ECHO);
        while echo.call(Message::Count).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(Self { echo, _app: app })
    }

    async fn call(&mut self, bytes: Vec<u8>) -> Result<usize> {
        let bytes = ByteBuf::from(bytes);
        Ok(self.echo.call(|reply| Message::Call(bytes, reply)).await?.len())
    }

    async fn cast(&mut self, bytes: Vec<u8>) -> Result<()> {
        Ok(self.echo.cast_when_room(Message::Cast(bytes.into())).await?)
    }

    async fn handled(&mut self) -> Result<u64> {
        Ok(self.echo.call(Message::Count).await?)
    }
}

const fn scheme(link: &Link) -> &'static str {
    match link {
        Link::Tcp => "tcp",
        Link::Quic(_) => "quic",
    }
}

fn node(name: &str, other: &str, link: &Link) -> Result<NodeBuilder> {
    let node = Node::builder(name);
    Ok(match link {
        Link::Tcp => node,
        Link::Quic(dir) => node.identity(Tls::dir(dir)).members([NodeName::new(other)?]),
    })
}
