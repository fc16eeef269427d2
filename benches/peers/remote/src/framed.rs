//! A bare connection of TCP with frames: `LengthDelimitedCodec` of tokio-util.
//!
//! The first byte of a frame says what it is. Frames that are sent one after the other share a
//! write.

use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

use crate::place::Place;
use crate::work::Remote;

const CALL: u8 = 0;
const CAST: u8 = 1;
const COUNT: u8 = 2;

/// The frames that wait to be sent.
const ROOM: usize = 1_024;

pub struct Framed {
    frames: mpsc::Sender<Bytes>,
    answers: FramedRead<OwnedReadHalf, LengthDelimitedCodec>,
}

impl Remote for Framed {
    type Server = JoinHandle<Result<()>>;

    async fn serve(place: &Place) -> Result<Self::Server> {
        place.require_tcp()?;
        let listener = TcpListener::bind(place.address).await?;
        Ok(tokio::spawn(async move {
            let (mut frames, answers) = split(listener.accept().await?.0)?;
            let answers = sender(answers);
            let mut handled = 0_u64;
            while let Some(frame) = frames.next().await {
                let frame = frame?;
                match frame[0] {
                    CALL => answers.send(frame.freeze()).await?,
                    CAST => handled += 1,
                    _ => answers.send(Bytes::copy_from_slice(&handled.to_le_bytes())).await?,
                }
            }
            Ok(())
        }))
    }

    async fn connect(place: &Place) -> Result<Self> {
        let (answers, frames) = split(TcpStream::connect(place.address).await?)?;
        Ok(Self { frames: sender(frames), answers })
    }

    async fn call(&mut self, bytes: Vec<u8>) -> Result<usize> {
        self.send(CALL, &bytes).await?;
        Ok(self.answer().await?.len() - 1)
    }

    async fn cast(&mut self, bytes: Vec<u8>) -> Result<()> {
        self.send(CAST, &bytes).await
    }

    async fn handled(&mut self) -> Result<u64> {
        self.send(COUNT, &[]).await?;
        let answer = self.answer().await?;
        Ok(u64::from_le_bytes(answer[..].try_into()?))
    }
}

impl Framed {
    async fn send(&self, kind: u8, bytes: &[u8]) -> Result<()> {
        let mut frame = Vec::with_capacity(1 + bytes.len());
        frame.push(kind);
        frame.extend(bytes);
        Ok(self.frames.send(frame.into()).await?)
    }

    async fn answer(&mut self) -> Result<BytesMut> {
        Ok(self.answers.next().await.context("the connection is closed")??)
    }
}

type Halves =
    (FramedRead<OwnedReadHalf, LengthDelimitedCodec>, FramedWrite<OwnedWriteHalf, LengthDelimitedCodec>);

fn split(stream: TcpStream) -> Result<Halves> {
    stream.set_nodelay(true)?;
    let (read, write) = stream.into_split();
    let codec = LengthDelimitedCodec::new;
    Ok((FramedRead::new(read, codec()), FramedWrite::new(write, codec())))
}

/// Starts the task that sends frames, and writes when none waits.
fn sender(mut write: FramedWrite<OwnedWriteHalf, LengthDelimitedCodec>) -> mpsc::Sender<Bytes> {
    let (sender, mut frames) = mpsc::channel(ROOM);
    tokio::spawn(async move {
        while let Some(frame) = frames.recv().await {
            write.feed(frame).await?;
            if frames.is_empty() {
                SinkExt::<Bytes>::flush(&mut write).await?;
            }
        }
        anyhow::Ok(())
    });
    sender
}
