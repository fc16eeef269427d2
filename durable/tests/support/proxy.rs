//! A connection in between that is cut off as a network is: the client hears of it, the server does
//! not.

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes connections on to a server.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    cuts: watch::Sender<u32>,
}

impl Proxy {
    /// Starts to pass connections on to a port of this machine, until the runtime ends. That has
    /// several threads: the drop of a store blocks one, and needs its connections.
    pub(crate) async fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let cuts = watch::Sender::new(0);
        let cut = cuts.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, server, cut.subscribe()));
            }
        });
        Self { port, cuts }
    }

    /// Cuts all connections that there are. New ones are passed on.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

async fn pass(mut client: TcpStream, server: u16, mut cut: watch::Receiver<u32>) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = cut.changed() => {
            drop(client);
            // The server is not told as long as this is held.
            std::future::pending::<()>().await;
        }
    }
}
