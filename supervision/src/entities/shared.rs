//! The state that the driver and all handles share: the entities by key, behind one lock.

use std::collections::{HashMap, VecDeque};
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::sync::{Mutex, OnceLock};
use perennial_actors::host::{Foreign, Identity, Label, Parent, catch_panic, dispose_each};
use perennial_actors::{Actor, Address, ExitReason, MailboxConfig, System};
use tokio::time::Instant;

use super::engine::{Action, Engine, Event, Limits, Reading, SlotKey};
use super::entity::{Entity, LazyArgs, MakeArgs};
use super::error::EntityError;
use super::inbox::Inbox;
use super::stats::EntitiesStats;

/// The time between two looks at the entities at rest.
const SWEEP: Duration = Duration::from_secs(1);

/// The least number of them that are looked at.
const SWEEP_MIN: usize = 256;

/// The part of them that are looked at: one in so many.
const SWEEP_PART: usize = 8;

/// The state that the driver and all handles share.
pub(super) struct Shared<K: Send + Sync + 'static, A: Actor> {
    pub(super) inbox: Arc<Inbox>,
    make: MakeArgs<K, A::Args>,
    began: Instant,
    state: Mutex<State<K, A::Msg>>,
}

struct State<K: Send + 'static, M: Send + 'static> {
    engine: Engine,
    mailbox: MailboxConfig,
    slots: HashMap<Arc<str>, SlotKey>,
    /// By the number of the slot.
    entities: Vec<Option<Entity<K, M>>>,
    /// Those at rest that could not be freed when they came to rest.
    resting: VecDeque<SlotKey>,
    /// When to look at them again.
    sweep_at: Duration,
    site: Site,
}

/// Where entities run.
enum Site {
    Unstarted,
    Of(System, Label),
    Closed,
}

/// A command that is performed without the lock.
enum Command<K: Send + 'static, M: Send + 'static> {
    Start(SlotKey, Arc<Foreign<K>>, Arc<Identity<M>>),
    Stop(Arc<Identity<M>>),
    Kill(Arc<Identity<M>>),
    Abandon(SlotKey, Arc<Identity<M>>),
}

/// An entity that is not known any more. Its mailbox is closed when this is dropped.
struct Freed<K: Send + 'static, M: Send + 'static> {
    entity: Entity<K, M>,
    reason: ExitReason,
}

impl<K: Send + 'static, M: Send + 'static> Drop for Freed<K, M> {
    fn drop(&mut self) {
        self.entity.identity.close(&self.reason);
    }
}

/// The reason for which the messages of an entity are refused.
#[derive(Debug, thiserror::Error)]
#[error("the entity was given up after its failures")]
struct TooManyFailures;

impl<K: Send + Sync + 'static, A: Actor> Shared<K, A> {
    pub(super) fn new(limits: Limits, make: MakeArgs<K, A::Args>) -> Self {
        let state = State {
            engine: Engine::new(limits),
            mailbox: MailboxConfig::default(),
            slots: HashMap::new(),
            entities: Vec::new(),
            resting: VecDeque::new(),
            sweep_at: Duration::ZERO,
            site: Site::Unstarted,
        };
        Self { inbox: Arc::default(), make, began: Instant::now(), state: Mutex::new(state) }
    }

    /// Sets the limits. No entity is known yet.
    pub(super) fn configure(&self, limits: Limits, mailbox: MailboxConfig) {
        let mut state = self.state.lock();
        state.engine = Engine::new(limits);
        state.mailbox = mailbox;
    }

    /// Returns the address of the entity with this key.
    pub(super) fn address(&self, key: &K) -> Result<Address<A::Msg>, EntityError>
    where
        K: Clone + Display,
    {
        let text = catch_panic(None, || key.to_string()).map_err(|_| EntityError::KeyPanicked)?;
        let mailbox = {
            let mut state = self.state.lock();
            if let Some(known) = state.known(&text, self.now()) {
                return known;
            }
            state.mailbox
        };
        let key = catch_panic(None, || key.clone()).map_err(|_| EntityError::KeyPanicked)?;
        let identity = Arc::new(Identity::new(mailbox));
        let mut entity = Some(Entity::new(text.into(), Arc::new(Foreign::new(key)), identity));
        let found = self.state.lock().insert(&mut entity, self.now(), &self.inbox);
        // What was not inserted is dropped under no lock: its key is the user's.
        drop(entity);
        found
    }

    pub(super) fn stats(&self) -> EntitiesStats {
        let state = self.state.lock();
        EntitiesStats {
            live: state.engine.running(),
            pending: state.engine.pending(),
            known: state.engine.known(),
        }
    }

    /// Begins to start entities, in this system and below this label. Returns `true` unless it goes
    /// on after another incarnation of the driver.
    pub(super) fn begin(&self, system: &System, label: Label) -> bool {
        let mut state = self.state.lock();
        let before = std::mem::replace(&mut state.site, Site::Of(system.clone(), label));
        state.engine.reopen();
        self.inbox.notify();
        !matches!(before, Site::Of(..))
    }

    /// Stops all entities. Their messages wait.
    pub(super) fn begin_stop(&self) {
        self.state.lock().engine.close(self.now());
        self.inbox.notify();
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.state.lock().engine.running() == 0
    }

    /// Refuses all messages from now on.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.site = Site::Closed;
        state.engine.clear();
        state.slots.clear();
        state.resting.clear();
        let entities = std::mem::take(&mut state.entities);
        drop(state);
        let reason = ExitReason::shutdown();
        dispose_each(
            entities.into_iter().flatten().map(|entity| Freed { entity, reason: reason.clone() }).collect(),
        );
    }

    /// Does what has come up. Returns in how long something is due.
    pub(super) fn run_pending(&self) -> Option<Duration> {
        let now = self.now();
        let events = self.inbox.take();
        // More than can come to rest at once, so that their number does not grow.
        let least = 4 * events.len();
        let (mut commands, mut freed) = (Vec::new(), Vec::new());
        let due = {
            let mut state = self.state.lock();
            for (key, event) in events {
                state.engine.handle(key, event, now);
            }
            let State { engine, entities, .. } = &mut *state;
            let actions = engine.advance(now, |key| seen(entities, key));
            for action in actions {
                state.resolve(action, now, &self.inbox, &mut commands, &mut freed);
            }
            state.sweep(now, least, &self.inbox, &mut freed);
            let sweep_at = (!state.resting.is_empty()).then_some(state.sweep_at);
            [state.engine.next_due(), sweep_at].into_iter().flatten().min()
        };
        commands.into_iter().for_each(|command| self.perform(command));
        dispose_each(freed);
        due.map(|due| due.saturating_sub(now))
    }

    fn perform(&self, command: Command<K, A::Msg>) {
        match command {
            Command::Start(slot, key, identity) => {
                let args = LazyArgs { key, make: self.make.clone(), args: OnceLock::new() };
                let parent: Arc<dyn Parent> = self.inbox.clone();
                if identity.start::<A>(args, parent, slot.to_number()).is_err() {
                    self.inbox.push(slot, Event::Ended { failed: true });
                }
            }
            // It may have ended by itself.
            Command::Stop(identity) => drop(identity.address().handle().stop(ExitReason::shutdown())),
            Command::Kill(identity) => drop(identity.address().handle().kill()),
            // If it has ended by itself, that is reported.
            Command::Abandon(slot, identity) => {
                let pid = identity.address().handle().pid();
                if pid.is_some_and(|pid| identity.abandon(pid)) {
                    self.inbox.push(slot, Event::Ended { failed: true });
                }
            }
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }
}

impl<K: Send + 'static, M: Send + 'static> State<K, M> {
    /// Returns the address of a key that is known, or why there is none. `None` if the key is not
    /// known.
    fn known(&mut self, text: &str, now: Duration) -> Option<Result<Address<M>, EntityError>> {
        match self.site {
            Site::Unstarted => return Some(Err(EntityError::Unstarted)),
            Site::Closed => return Some(Err(EntityError::Closed)),
            Site::Of(..) => {}
        }
        let slot = *self.slots.get(text)?;
        self.engine.use_now(slot, now);
        Some(Ok(self.entity(slot)?.identity.address()))
    }

    /// Adds an entity, unless another task has added its key meanwhile. Takes it if it is added.
    fn insert(
        &mut self,
        entity: &mut Option<Entity<K, M>>,
        now: Duration,
        inbox: &Arc<Inbox>,
    ) -> Result<Address<M>, EntityError> {
        let known = entity.as_ref().and_then(|entity| self.known(&entity.text, now));
        if let Some(known) = known {
            return known;
        }
        let Site::Of(system, label) = &self.site else { return Err(EntityError::Closed) };
        let slot = self.engine.add().ok_or(EntityError::TooMany)?;
        let entity = entity.take().ok_or(EntityError::Closed)?;
        entity.identity.open(system, || label.child(entity.text.clone()));
        let address = entity.identity.address();
        entity.has_message(slot, inbox);
        self.slots.insert(entity.text.clone(), slot);
        let index = slot.index() as usize;
        if self.entities.len() <= index {
            self.entities.resize_with(index + 1, || None);
        }
        self.entities[index] = Some(entity);
        if self.resting.is_empty() {
            // So that the driver looks at it again.
            inbox.notify();
        }
        self.list(slot);
        Ok(address)
    }

    /// Lists an entity at rest, to be freed once nothing refers to it.
    fn list(&mut self, slot: SlotKey) {
        if let Some(entity) = self.entity_mut(slot).filter(|entity| !entity.is_listed) {
            entity.is_listed = true;
            self.resting.push_back(slot);
        }
    }

    fn entity_mut(&mut self, slot: SlotKey) -> Option<&mut Entity<K, M>> {
        self.entities.get_mut(slot.index() as usize)?.as_mut()
    }

    fn entity(&self, slot: SlotKey) -> Option<&Entity<K, M>> {
        self.entities.get(slot.index() as usize)?.as_ref()
    }

    fn resolve(
        &mut self,
        action: Action,
        now: Duration,
        inbox: &Arc<Inbox>,
        commands: &mut Vec<Command<K, M>>,
        freed: &mut Vec<Freed<K, M>>,
    ) {
        let identity = |slot| self.entity(slot).map(|entity| entity.identity.clone());
        match action {
            Action::Start(slot) => commands.extend(
                self.entity(slot)
                    .map(|entity| Command::Start(slot, entity.key.clone(), entity.identity.clone())),
            ),
            Action::Stop(slot) => commands.extend(identity(slot).map(Command::Stop)),
            Action::Kill(slot) => commands.extend(identity(slot).map(Command::Kill)),
            Action::Abandon(slot) => {
                commands.extend(identity(slot).map(|identity| Command::Abandon(slot, identity)))
            }
            Action::Rest(slot) => freed.extend(self.rest(slot, now, inbox)),
            Action::GiveUp(slot) => {
                self.engine.forget(slot);
                let reason = ExitReason::failed(TooManyFailures);
                freed.extend(self.take(slot).map(|entity| Freed { entity, reason }));
            }
        }
    }

    /// Puts an entity to rest: it waits for a message, or is freed.
    fn rest(&mut self, slot: SlotKey, now: Duration, inbox: &Arc<Inbox>) -> Option<Freed<K, M>> {
        let entity = self.entity(slot)?;
        // In this order: a sender queues its message before it drops its address.
        let is_referred_to = entity.identity.is_referred_to();
        if entity.has_message(slot, inbox) {
            inbox.push(slot, Event::Queued);
            return None;
        }
        if is_referred_to || !self.engine.remove(slot, now) {
            self.list(slot);
            return None;
        }
        self.take(slot).map(|entity| Freed { entity, reason: ExitReason::Normal })
    }

    /// Frees those at rest that nothing refers to any more, of at least so many that are looked at.
    /// A part of all is looked at once a second, because nothing tells when an address is dropped.
    fn sweep(&mut self, now: Duration, least: usize, inbox: &Arc<Inbox>, freed: &mut Vec<Freed<K, M>>) {
        let mut number = least;
        if now >= self.sweep_at {
            self.sweep_at = now.saturating_add(SWEEP);
            number = least.max(SWEEP_MIN).max(self.resting.len() / SWEEP_PART);
        }
        for _ in 0..self.resting.len().min(number) {
            let Some(slot) = self.resting.pop_front() else { break };
            if !self.engine.knows(slot) {
                continue;
            }
            if let Some(entity) = self.entity_mut(slot) {
                entity.is_listed = false;
            }
            if self.engine.is_passive(slot) {
                freed.extend(self.rest(slot, now, inbox));
            }
        }
    }

    fn take(&mut self, slot: SlotKey) -> Option<Entity<K, M>> {
        let entity = self.entities.get_mut(slot.index() as usize)?.take()?;
        self.slots.remove(&entity.text);
        Some(entity)
    }
}

fn seen<K: Send + 'static, M: Send + 'static>(entities: &[Option<Entity<K, M>>], slot: SlotKey) -> Reading {
    let entity = entities.get(slot.index() as usize).and_then(Option::as_ref);
    entity.map_or_else(Reading::default, |entity| {
        let (step, is_idle) = entity.identity.step();
        Reading { step, is_idle }
    })
}
