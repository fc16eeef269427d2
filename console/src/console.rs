//! The builder that users hold.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::Address;
#[cfg(feature = "durable")]
use perennial_durable::Store;
use perennial_operations::{HealthCheck, NodeSource};
use perennial_supervision::pool::{PoolHandle, Work};
use perennial_supervision::{Child, ChildSpec};

use crate::config::{BoundAddress, Config};
use crate::error::ConsoleError;
use crate::nodes::KnownNodes;
use crate::pools::{KnownPool, Pools};
use crate::server;
use crate::site::Shared;
#[cfg(feature = "durable")]
use crate::stores::KnownStore;
use crate::stores::Stores;

/// A console: the page, the API, and the settings of both. It is a child of the tree that it shows:
/// see [`child`](Self::child).
///
/// # Examples
///
/// ```
/// use perennial_console::Console;
/// use perennial_supervision::Supervisor;
///
/// let app = Supervisor::new("app").child(Console::at("127.0.0.1:9911"));
/// ```
#[must_use = "a console serves as a child of a tree"]
pub struct Console {
    pub(crate) config: Config,
    pub(crate) pools: Pools,
    stores: Stores,
    nodes: Option<Arc<KnownNodes>>,
    bound: BoundAddress,
}

/// The place where the URL of a console appears when it has started.
#[derive(Clone, Debug)]
pub struct ConsoleUrl(BoundAddress);

impl ConsoleUrl {
    /// Returns the URL of the page, or `None` before the first start.
    #[must_use]
    pub fn get(&self) -> Option<String> {
        self.address().map(|address| format!("http://{address}/"))
    }

    /// Returns the address at which the console listens, or `None` before the first start.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        *self.0.lock()
    }
}

impl Console {
    /// Creates a console that listens at an address, for example `127.0.0.1:9911`. Port 0 is one
    /// that is free, which a restart of the console keeps: see [`url`](Self::url).
    ///
    /// The address is checked when the tree starts: see [`ConsoleError`].
    pub fn at(address: impl fmt::Display) -> Self {
        let config = Config::at(address.to_string());
        let (pools, stores) = (Pools::default(), Stores::default());
        Self { config, pools, stores, nodes: None, bound: BoundAddress::default() }
    }

    /// Allows actions to clients that have this token: at least 16 visible ASCII characters.
    /// Without a token, the console only shows.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.config.token = Some(token.into());
        self
    }

    /// Allows an address that other machines can reach, which needs a [token](Self::token) too.
    /// They see everything that the console shows, and act if they have the token.
    pub const fn allow_remote(mut self) -> Self {
        self.config.allows_remote = true;
        self
    }

    /// Allows another name in the header `Host`, for example that of a proxy. Without this, names
    /// other than `localhost` are refused: a foreign page could lead its own name to this address.
    pub fn allow_host(mut self, name: impl Into<String>) -> Self {
        self.config.hosts.push(name.into());
        self
    }

    /// Sets how many of the last events are kept: 10,000 unless set. It has no effect if the system
    /// is observed already.
    pub const fn events(mut self, events: usize) -> Self {
        self.config.events = events;
        self
    }

    /// Sets how many connections are served at once: 256 unless set, and at least one. Others wait
    /// to be accepted.
    pub const fn max_connections(mut self, connections: usize) -> Self {
        self.config.max_connections = if connections == 0 { 1 } else { connections };
        self
    }

    /// Sets how many clients follow the events at once: 64 unless set. Others are refused.
    pub const fn max_streams(mut self, streams: usize) -> Self {
        self.config.max_streams = streams;
        self
    }

    /// Sets the time after which a client is dropped that does not send its request, or does not
    /// read what it was sent: ten seconds unless set.
    pub const fn client_timeout(mut self, timeout: Duration) -> Self {
        self.config.client_timeout = timeout;
        self
    }

    /// Serves what `render` returns as `/metrics`: that of the recorder which the program has
    /// installed. It runs for each scrape, where it may block.
    pub fn metrics(mut self, render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.config.metrics = Some(Arc::new(render));
        self
    }

    /// Sets the check that `/livez` and `/readyz` answer. Without this, every tree of the system
    /// has to be well.
    pub fn health(mut self, check: HealthCheck) -> Self {
        self.config.health = Some(check);
        self
    }

    /// [Watches for deadlocks](perennial_operations::Operations::watch_deadlocks) while the console
    /// runs.
    pub const fn watch_deadlocks(mut self) -> Self {
        self.config.watches_deadlocks = true;
        self
    }

    /// Shows the jobs of a pool, and allows actions on it. Without this, the console shows the
    /// numbers of a pool only.
    ///
    /// The events of its jobs are recorded, a thousand jobs at most. The texts of jobs and errors
    /// are made when a client asks. The pool is not kept alive.
    pub fn pool<W>(mut self, pool: &PoolHandle<W>) -> Self
    where
        W: Work<Job: fmt::Debug, Error: fmt::Debug> + 'static,
    {
        self.pools.add(KnownPool::of(pool));
        self
    }

    /// Shows the queues and jobs of a durable store under a name, and allows actions on them.
    ///
    /// The store is asked when a client asks, a few times at once, on threads that may block. What
    /// it has not answered within three seconds is a problem for that client and for no other. The
    /// console keeps the store open.
    ///
    /// A store whose code blocks for ever keeps the threads that asked it, four at most. A runtime
    /// does not end before they do, unless it is shut down with a timeout.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use perennial_console::Console;
    /// use perennial_durable::MemoryStore;
    ///
    /// let store = Arc::new(MemoryStore::new());
    /// let console = Console::at("127.0.0.1:9911").store("orders", store);
    /// ```
    #[cfg(feature = "durable")]
    #[cfg_attr(docsrs, doc(cfg(feature = "durable")))]
    pub fn store(mut self, name: impl Into<String>, store: Arc<dyn Store>) -> Self {
        self.stores.add(KnownStore::of(name.into(), store));
        self
    }

    /// Shows the nodes of a cluster: their connections, where each name lives, and the trees of
    /// each node that exposes them. The node of `perennial-cluster` is a source with its feature
    /// `operations`: `console.nodes(node.clone())`.
    ///
    /// The source is asked when a client asks, on threads that may block: for the trees of a node
    /// once at a time, and for lists a few times at once. What it has not answered within three
    /// seconds is a problem for the clients that wait for it and for no others.
    pub fn nodes(mut self, source: impl NodeSource) -> Self {
        self.nodes = Some(Arc::new(KnownNodes::new(Arc::new(source))));
        self
    }

    /// Allows clients with the token to send messages to an actor: `parse` makes them of texts. The
    /// address is not kept alive.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::Address;
    /// # use perennial_console::Console;
    /// # fn with(console: Console, counter: &Address<u64>) -> Console {
    /// console.debug_messages(counter, |text| text.parse().map_err(|_| "not a number".to_owned()))
    /// # }
    /// ```
    pub fn debug_messages<M: Send + 'static>(
        mut self,
        address: &Address<M>,
        parse: impl Fn(&str) -> Result<M, String> + Send + Sync + 'static,
    ) -> Self {
        self.config.debug.add(address, parse);
        self
    }

    /// Allows clients with the token to send dead letters of an actor again, once each: the last
    /// hundred that `copy` returns copies of. See [`Address::keep_dead_letters`], which this calls.
    /// The address is not kept alive.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::Address;
    /// # use perennial_console::Console;
    /// # fn with(console: Console, counter: &Address<u64>) -> Console {
    /// console.resend_dead_letters(counter, |number| Some(*number))
    /// # }
    /// ```
    pub fn resend_dead_letters<M: Send + 'static>(
        mut self,
        address: &Address<M>,
        copy: impl Fn(&M) -> Option<M> + Send + Sync + 'static,
    ) -> Self {
        self.config.letters.add(address, copy);
        self
    }

    /// Returns the place where the URL appears when the console has started.
    #[must_use]
    pub fn url(&self) -> ConsoleUrl {
        ConsoleUrl(self.bound.clone())
    }

    /// Checks the settings, as the start of the child does.
    ///
    /// # Errors
    ///
    /// Any [`ConsoleError`] but [`Bind`](ConsoleError::Bind).
    pub fn check(&self) -> Result<(), ConsoleError> {
        self.config.check().map(drop)
    }

    /// Returns the child that serves the console. It listens once it has started. If it cannot, its
    /// start fails with a [`ConsoleError`].
    ///
    /// A console is also a child as it is, with the id `console`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_console::Console;
    /// # use perennial_supervision::{Restart, Supervisor};
    /// let console = Console::at("127.0.0.1:9911").child("admin").restart(Restart::Transient);
    /// let app = Supervisor::new("app").child(console);
    /// ```
    pub fn child(self, id: impl Into<Arc<str>>) -> Child<Infallible> {
        let Self { config, pools, stores, nodes, bound } = self;
        server::child(id, Shared::new(config, pools, stores, nodes, bound))
    }
}

impl From<Console> for ChildSpec {
    fn from(console: Console) -> Self {
        console.child("console").into()
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").field("address", &self.config.address).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    #[test]
    fn address_that_others_can_reach_needs_consent_and_a_token() {
        assert!(Console::at("127.0.0.1:80").check().is_ok());
        assert!(Console::at("[::1]:80").check().is_ok());
        for remote in ["0.0.0.0:80", "[::]:80", "192.168.0.1:80"] {
            let refused = Console::at(remote).token(TOKEN).check();
            assert!(matches!(refused, Err(ConsoleError::RemoteNotAllowed { .. })), "{remote}");
            let refused = Console::at(remote).allow_remote().check();
            assert!(matches!(refused, Err(ConsoleError::RemoteWithoutToken { .. })), "{remote}");
            assert!(Console::at(remote).allow_remote().token(TOKEN).check().is_ok(), "{remote}");
        }
    }

    #[test]
    fn text_that_is_no_address_and_a_weak_token_are_refused() {
        assert!(matches!(Console::at("nowhere").check(), Err(ConsoleError::Address { .. })));
        for weak in ["", "short", "0123456789abcde\n", "0123456789abcd ef"] {
            let refused = Console::at("127.0.0.1:80").token(weak).check();
            assert!(matches!(refused, Err(ConsoleError::WeakToken)), "{weak:?}");
        }
    }
}
