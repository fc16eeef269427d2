//! One entity: its key, its identity, and the arguments of its incarnations.

use std::borrow::Borrow;
use std::sync::Arc;
use std::task::{Context, Waker};

use perennial_actors::host::sync::OnceLock;
use perennial_actors::host::{Foreign, Identity};

use super::engine::SlotKey;
use super::inbox::{FirstMessage, Inbox};

/// The function that makes the arguments of an incarnation.
pub(super) type MakeArgs<K, T> = Arc<Foreign<Box<dyn Fn(&K) -> T + Send + Sync>>>;

/// One entity.
pub(super) struct Entity<K: Send + 'static, M: Send + 'static> {
    pub(super) text: Arc<str>,
    pub(super) key: Arc<Foreign<K>>,
    pub(super) identity: Arc<Identity<M>>,
    /// Wakes the driver. It is made when it is first needed.
    waker: OnceLock<Waker>,
    /// It is in the list of those at rest, once.
    pub(super) is_listed: bool,
}

impl<K: Send + 'static, M: Send + 'static> Entity<K, M> {
    pub(super) const fn new(text: Arc<str>, key: Arc<Foreign<K>>, identity: Arc<Identity<M>>) -> Self {
        Self { text, key, identity, waker: OnceLock::new(), is_listed: false }
    }

    /// Returns `true` if a message is queued. Otherwise the driver is told when there is one.
    pub(super) fn has_message(&self, slot: SlotKey, inbox: &Arc<Inbox>) -> bool {
        let first = || Waker::from(Arc::new(FirstMessage { inbox: inbox.clone(), key: slot }));
        let waker = self.waker.get_or_init(first);
        self.identity.poll_queued(&mut Context::from_waker(waker)).is_ready()
    }
}

/// The arguments of one incarnation. They are made in its task and under its guard, because the
/// function is the user's.
pub(super) struct LazyArgs<K: Send + 'static, T: 'static> {
    pub(super) key: Arc<Foreign<K>>,
    pub(super) make: MakeArgs<K, T>,
    pub(super) args: OnceLock<T>,
}

impl<K: Send + 'static, T> Borrow<T> for LazyArgs<K, T> {
    fn borrow(&self) -> &T {
        self.args.get_or_init(|| (self.make)(&**self.key))
    }
}
