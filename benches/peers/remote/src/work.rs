//! The works, and how their cost is measured.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::place::Place;

/// A tenth of each work is done before it is measured.
const WARM_UP: u64 = 10;

/// How long the whole work may take.
const LIMIT: Duration = Duration::from_secs(120);

/// Two processes of one contestant.
pub trait Remote: Sized + Send + Sync {
    /// What serves while it is held.
    type Server: Send;

    /// Starts to serve. Resolves once it can be connected to.
    fn serve(place: &Place) -> impl Future<Output = Result<Self::Server>> + Send;

    /// Connects to the other process. Resolves once it can be called.
    fn connect(place: &Place) -> impl Future<Output = Result<Self>> + Send;

    /// Sends a request and waits for the answer, which is its own bytes.
    fn call(&mut self, bytes: Vec<u8>) -> impl Future<Output = Result<usize>> + Send;

    /// Sends a message. Waits for room where there is a bound.
    fn cast(&mut self, bytes: Vec<u8>) -> impl Future<Output = Result<()>> + Send;

    /// Returns how many messages were handled.
    fn handled(&mut self) -> impl Future<Output = Result<u64>> + Send;
}

/// A work and its size.
#[derive(Clone, Copy)]
pub enum Load {
    Call { count: u64, bytes: usize },
    Cast { count: u64, bytes: usize },
}

impl Load {
    pub fn named(name: &str, bytes: usize) -> Result<Self> {
        match name {
            "call" => Ok(Self::Call { count: 20_000, bytes }),
            "cast" => Ok(Self::Cast { count: if bytes < 1_024 { 100_000 } else { 20_000 }, bytes }),
            _ => bail!("there is no work {name}"),
        }
    }
}

/// Returns the cost of each message or call, in nanoseconds.
pub async fn measure<R: Remote>(place: &Place, load: Load) -> Result<f64> {
    let work = async {
        let mut remote = R::connect(place).await?;
        match load {
            Load::Call { count, bytes } => {
                calls(&mut remote, count / WARM_UP, bytes).await?;
                let time = calls(&mut remote, count, bytes).await?;
                Ok(time.as_nanos() as f64 / count as f64)
            }
            Load::Cast { count, bytes } => {
                let warm_up = count / WARM_UP;
                casts(&mut remote, warm_up, bytes, warm_up).await?;
                let time = casts(&mut remote, count, bytes, warm_up + count).await?;
                Ok(time.as_nanos() as f64 / count as f64)
            }
        }
    };
    tokio::time::timeout(LIMIT, work).await?
}

async fn calls<R: Remote>(remote: &mut R, count: u64, bytes: usize) -> Result<Duration> {
    let begin = Instant::now();
    for _ in 0..count {
        let answered = remote.call(vec![7; bytes]).await?;
        if answered != bytes {
            bail!("{answered} bytes were answered instead of {bytes}");
        }
    }
    Ok(begin.elapsed())
}

/// Sends messages until so many were handled, over all.
async fn casts<R: Remote>(remote: &mut R, count: u64, bytes: usize, all: u64) -> Result<Duration> {
    let begin = Instant::now();
    for _ in 0..count {
        remote.cast(vec![7; bytes]).await?;
    }
    // In most, what was sent before is handled before.
    while remote.handled().await? < all {}
    Ok(begin.elapsed())
}
