//! The engine as a node holds it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::thread;

use perennial_actors::host::sync::Mutex;
use tokio::sync::oneshot;

use super::control::{Control, MemberList, Shared};
use super::error::NetworkError;
use super::keys::Keys;
use super::settings::{Limits, NetworkConfig};
use crate::engine::{Engine, EngineError, EngineSession, OpenFuture, Priority};
use crate::identity::{NodeId, NodeName};
use crate::inbox::Inbox;

/// The network between machines.
pub(crate) struct ZenohEngine(Arc<Shared>);

impl ZenohEngine {
    /// Creates an engine for a node with these settings.
    pub(crate) fn new(config: NetworkConfig, limits: Limits) -> Result<Self, NetworkError> {
        let keys = Keys::new(config.check()?);
        let members = Mutex::new(MemberList { names: config.members.clone(), version: 0 });
        Ok(Self(Arc::new(Shared { config, limits, keys, members, turn: Mutex::new(()) })))
    }
}

impl Engine for ZenohEngine {
    fn open(&self, own: NodeId, inbox: Inbox) -> OpenFuture<'_> {
        Box::pin(async move {
            let control = Arc::new(Control::new(self.0.clone(), own, inbox));
            let (opened, result) = oneshot::channel();
            // Dropped with this future: the thread ends then.
            let session = ZenohSession(control.clone());
            let thread = thread::Builder::new().name("zenoh".to_owned());
            thread.spawn(move || control.run(opened)).map_err(|error| EngineError(error.into()))?;
            match result.await {
                Ok(Ok(())) => Ok(Box::new(session) as Box<dyn EngineSession>),
                Ok(Err(error)) => Err(EngineError(error.into())),
                Err(_) => Err(EngineError("its thread has ended".into())),
            }
        })
    }

    fn set_members(&self, names: BTreeSet<NodeName>) -> Result<(), EngineError> {
        if self.0.config.identity.is_none() {
            return Err(EngineError(NetworkError::NoIdentity.into()));
        }
        let mut members = self.0.members.lock();
        if members.names != names {
            members.names = names;
            members.version += 1;
        }
        Ok(())
    }
}

struct ZenohSession(Arc<Control>);

impl EngineSession for ZenohSession {
    fn send(&self, to: &NodeId, priority: Priority, packet: Vec<u8>) {
        self.0.send(to, priority, packet);
    }
}

impl Drop for ZenohSession {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl fmt::Debug for ZenohEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ZenohEngine").field(&self.0.config).finish()
    }
}
