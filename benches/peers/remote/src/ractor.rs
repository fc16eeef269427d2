//! ractor with ractor_cluster: an actor in a process group, which the other node sees.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, pg};
use ractor_cluster::{NodeServer, NodeServerMessage, RactorClusterMessage, client_connect};

use crate::place::{CLIENT, Place, SERVER};
use crate::work::Remote;

const GROUP: &str = "echo";

#[derive(RactorClusterMessage)]
pub enum Message {
    #[rpc]
    Call(Vec<u8>, RpcReplyPort<Vec<u8>>),
    Cast(Vec<u8>),
    #[rpc]
    Count(RpcReplyPort<u64>),
}

struct Echo;

impl Actor for Echo {
    type Msg = Message;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Message>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        message: Message,
        handled: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Call(bytes, reply) => reply.send(bytes)?,
            Message::Cast(_) => *handled += 1,
            Message::Count(reply) => reply.send(*handled)?,
        }
        Ok(())
    }
}

pub struct Ractor {
    echo: ActorRef<Message>,
    _node: ActorRef<NodeServerMessage>,
}

impl Remote for Ractor {
    type Server = (ActorRef<NodeServerMessage>, ActorRef<Message>);

    async fn serve(place: &Place) -> Result<Self::Server> {
        place.require_tcp()?;
        let node = node(place.address.port(), SERVER).await?;
        let (echo, _) = Actor::spawn(None, Echo, ()).await?;
        pg::join(GROUP.to_owned(), vec![echo.get_cell()]);
        Ok((node, echo))
    }

    async fn connect(place: &Place) -> Result<Self> {
        let node = node(0, CLIENT).await?;
        client_connect(&node, place.address).await.map_err(|error| anyhow!("{error:?}"))?;
        loop {
            if let Some(echo) = pg::get_members(&GROUP.to_owned()).into_iter().next() {
                return Ok(Self { echo: echo.into(), _node: node });
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn call(&mut self, bytes: Vec<u8>) -> Result<usize> {
        let answer = self.echo.call(|reply| Message::Call(bytes, reply), None).await?;
        Ok(answer.success_or(()).map_err(|()| anyhow!("the call has no answer"))?.len())
    }

    async fn cast(&mut self, bytes: Vec<u8>) -> Result<()> {
        self.echo.cast(Message::Cast(bytes)).context("the actor is gone")
    }

    async fn handled(&mut self) -> Result<u64> {
        let answer = self.echo.call(Message::Count, None).await?;
        answer.success_or(()).map_err(|()| anyhow!("the call has no answer"))
    }
}

async fn node(port: u16, name: &str) -> Result<ActorRef<NodeServerMessage>> {
    let cookie = "race".to_owned();
    let server = NodeServer::new(port, cookie, name.to_owned(), "localhost".to_owned(), None, None);
    Ok(Actor::spawn(None, server, ()).await?.0)
}
