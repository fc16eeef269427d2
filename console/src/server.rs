//! The actor that listens: it binds the address when it starts, and serves until it ends.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use perennial_actors::{Actor, Context, ExitReason};
use perennial_operations::DeadlockWatch;
use perennial_supervision::Child;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::error::ConsoleError;
use crate::http::{Peer, TimedStream, routes};
use crate::site::{Shared, Site};

/// The time before the next attempt to accept, if the process has no descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// The most bytes of a head, and of what waits to be written.
const BUFFER: usize = 16 * 1024;

/// Returns the child that serves a console.
pub(crate) fn child(id: impl Into<Arc<str>>, shared: Shared) -> Child<Infallible> {
    Child::new::<Server>(id, Arc::new(shared))
}

/// The actor. It has no messages: its server is a stream that is polled with it and yields nothing.
struct Server {
    _deadlocks: Option<DeadlockWatch>,
}

impl Actor for Server {
    type Msg = Infallible;
    type Args = Arc<Shared>;

    async fn init(shared: &Arc<Shared>, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let address = shared.config.check()?;
        let listener = bind(shared, address).await?;
        let site = Site::new(shared, ctx.system());
        let deadlocks = shared.config.watches_deadlocks.then(|| site.operations.watch_deadlocks());
        ctx.attach(stream::once(serve(listener, site)), |never| never);
        Ok(Self { _deadlocks: deadlocks })
    }

    async fn handle(&mut self, message: Infallible, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match message {}
    }
}

/// Binds the address, or the one that an earlier incarnation has bound.
async fn bind(shared: &Shared, address: SocketAddr) -> Result<TcpListener, ConsoleError> {
    let address = shared.bound.lock().unwrap_or(address);
    let failed = |error: io::Error| ConsoleError::Bind { address, error };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    *shared.bound.lock() = Some(listener.local_addr().map_err(failed)?);
    Ok(listener)
}

/// Accepts connections, and serves each in a task of its own. All of them end with the future.
async fn serve(listener: TcpListener, site: Arc<Site>) -> Infallible {
    let timeout = site.shared.config.client_timeout;
    let slots = Arc::new(Semaphore::new(site.shared.config.max_connections));
    let recording = site.shared.pools.record();
    let mut connections = JoinSet::new();
    connections.spawn(recording);
    let router = routes(site);
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(slot) = slots.clone().acquire_owned().await else { continue };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let router = router.clone();
                connections.spawn(serve_one(stream, peer, slot, timeout, router));
            }
            Err(error) if is_of_client(&error) => {}
            // Too many open files: a connection that ends frees one.
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Serves one connection to its end.
async fn serve_one(
    stream: TcpStream,
    peer: SocketAddr,
    slot: OwnedSemaphorePermit,
    timeout: Duration,
    router: axum::Router,
) {
    let stream = TokioIo::new(TimedStream::new(stream, timeout));
    let service = TowerToHyperService::new(router.layer(axum::Extension(Peer(peer))));
    let mut http = http1::Builder::new();
    let http = http.timer(TokioTimer::new()).header_read_timeout(timeout).max_buf_size(BUFFER);
    // What a client does wrong ends its connection and nothing else.
    let _ = http.serve_connection(stream, service).await;
    drop(slot);
}

fn is_of_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
