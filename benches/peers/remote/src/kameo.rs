//! kameo with its feature `remote`, on libp2p.
//!
//! A message is a `tell` that is acknowledged. A flood of those that are not did not come to its
//! end here: not all were handled.

use std::time::Duration;

use ::kameo::prelude::*;
use ::kameo::remote::{self, messaging};
use anyhow::{Context as _, Result, anyhow};
use libp2p::futures::StreamExt;
use libp2p::identity::Keypair;
use libp2p::multiaddr::{Multiaddr, Protocol};
use libp2p::{SwarmBuilder, noise, tcp, yamux};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::place::Place;
use crate::work::Remote;

const NAME: &str = "echo";

#[derive(::kameo::Actor, ::kameo::RemoteActor)]
pub struct Echo {
    handled: u64,
}

#[derive(Debug, Deserialize, Serialize)]
pub struct Call(ByteBuf);

#[derive(Debug, Deserialize, Serialize)]
pub struct Cast(ByteBuf);

#[derive(Debug, Deserialize, Serialize)]
pub struct Count;

#[::kameo::remote_message]
impl Message<Call> for Echo {
    type Reply = Vec<u8>;

    async fn handle(&mut self, Call(bytes): Call, _: &mut Context<Self, Self::Reply>) -> Vec<u8> {
        bytes.into_vec()
    }
}

#[::kameo::remote_message]
impl Message<Cast> for Echo {
    type Reply = ();

    async fn handle(&mut self, _: Cast, _: &mut Context<Self, ()>) {
        self.handled += 1;
    }
}

#[::kameo::remote_message]
impl Message<Count> for Echo {
    type Reply = u64;

    async fn handle(&mut self, _: Count, _: &mut Context<Self, u64>) -> u64 {
        self.handled
    }
}

pub struct Kameo {
    echo: RemoteActorRef<Echo>,
}

impl Remote for Kameo {
    type Server = ActorRef<Echo>;

    async fn serve(place: &Place) -> Result<Self::Server> {
        place.require_tcp()?;
        let _ = swarm(Some(multiaddr(place)), None)?;
        let echo = Echo::spawn(Echo { handled: 0 });
        echo.register(NAME).await.map_err(|error| anyhow!("{error}"))?;
        Ok(echo)
    }

    async fn connect(place: &Place) -> Result<Self> {
        swarm(None, Some(multiaddr(place)))?;
        loop {
            if let Ok(Some(echo)) = RemoteActorRef::<Echo>::lookup(NAME).await {
                return Ok(Self { echo });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn call(&mut self, bytes: Vec<u8>) -> Result<usize> {
        let answer = self.echo.ask(&Call(bytes.into())).await;
        Ok(answer.map_err(|error| anyhow!("{error}"))?.len())
    }

    async fn cast(&mut self, bytes: Vec<u8>) -> Result<()> {
        self.echo.tell(&Cast(bytes.into())).send_ack().await.map_err(|error| anyhow!("{error}"))
    }

    async fn handled(&mut self) -> Result<u64> {
        self.echo.ask(&Count).await.map_err(|error| anyhow!("{error}"))
    }
}

fn multiaddr(place: &Place) -> Multiaddr {
    Multiaddr::from(place.address.ip()).with(Protocol::Tcp(place.address.port()))
}

/// Starts what sends and receives. The server has a known key, by which it is dialled.
fn swarm(listen: Option<Multiaddr>, dial: Option<Multiaddr>) -> Result<()> {
    let known = Keypair::ed25519_from_bytes([7; 32]).context("the key is invalid")?;
    let own = if listen.is_some() { known.clone() } else { Keypair::generate_ed25519() };
    let mut swarm = SwarmBuilder::with_existing_identity(own)
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)?
        .with_behaviour(|key| {
            remote::Behaviour::new(key.public().to_peer_id(), messaging::Config::default())
        })?
        .build();
    swarm.behaviour().try_init_global().map_err(|error| anyhow!("{error}"))?;
    if let Some(address) = listen {
        swarm.listen_on(address)?;
    }
    if let Some(address) = dial {
        swarm.add_peer_address(known.public().to_peer_id(), address.clone());
        swarm.dial(address)?;
    }
    tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    });
    Ok(())
}
