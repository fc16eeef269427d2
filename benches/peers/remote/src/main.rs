//! Messages between two processes: those of perennial, and of those that it races.
//!
//! `perennial-remote-peers NAME WORK LINK BYTES` does one work and prints the cost of each message.
//! The race starts it. It starts itself again as the other process, which serves until the first
//! one ends.
//!
//! - A work is `call`: requests of so many bytes, one after the other, each answered with its own
//!   bytes; or `cast`: messages of so many bytes from one task, until all of them are handled.
//! - A link is `tcp`, in plain text; or `quic`, with certificates on both sides.
//! - zenoh is the floor of perennial, which sends by it: `put`, and of a call `put` there and back,
//!   with the settings that are its defaults.
//! - kameo has no plain text: its connection is TCP with Noise and Yamux.
//! - framed is a bare connection of TCP, with the length before each frame. One of its tasks sends,
//!   another one receives.
//!
//! Mailboxes have no bounds. A message of perennial is `cast_when_room`.

#[path = "../../../../cluster/src/zenoh/tests/certificates.rs"]
mod certificates;
mod framed;
mod kameo;
mod perennial;
mod place;
mod ractor;
mod work;
mod zenoh;

use anyhow::{Context, Result, bail};

use place::Place;
use work::{Load, Remote};

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build().context("tokio starts no runtime")?;
    match arguments[..] {
        [place::SERVE, name, link, address, dir] => {
            let place = Place::named(link, address, dir)?;
            runtime.block_on(task(act(name.to_owned(), Act::Serve(place))))?;
        }
        [name, work, link, bytes] => {
            let load = Load::named(work, bytes.parse()?)?;
            let (place, _server) = place::start(name, link)?;
            if let Some(cost) = runtime.block_on(task(act(name.to_owned(), Act::Measure(place, load))))? {
                println!("{cost}");
            }
        }
        _ => bail!("usage: NAME WORK LINK BYTES"),
    }
    Ok(())
}

/// The part of this process.
enum Act {
    Serve(Place),
    Measure(Place, Load),
}

/// Runs a future as a task, as actors are.
async fn task<T: Send + 'static>(future: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    tokio::spawn(future).await.context("the task panicked")?
}

async fn act(name: String, act: Act) -> Result<Option<f64>> {
    match name.as_str() {
        "perennial" => act_as::<perennial::Perennial>(act).await,
        "zenoh" => act_as::<zenoh::Zenoh>(act).await,
        "ractor" => act_as::<ractor::Ractor>(act).await,
        "kameo" => act_as::<kameo::Kameo>(act).await,
        "framed" => act_as::<framed::Framed>(act).await,
        _ => bail!("there is no {name}"),
    }
}

async fn act_as<R: Remote + 'static>(act: Act) -> Result<Option<f64>> {
    match act {
        Act::Serve(place) => {
            let _server = R::serve(&place).await?;
            tokio::task::spawn_blocking(place::wait_for_the_other).await??;
            Ok(None)
        }
        Act::Measure(place, load) => work::measure::<R>(&place, load).await.map(Some),
    }
}
