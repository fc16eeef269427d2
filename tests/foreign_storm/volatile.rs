//! An actor all of whose pieces may panic.

use std::any::Any;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use perennial::prelude::*;
use perennial::{ActorHandle, Group, Registry, Signal, SlowSubscriberPolicy, Topic, UniqueKeys};
use tokio::task::yield_now;

use crate::faulty::{Dice, Faults, Faulty, Place, catch, drop_safely};

pub(crate) const MEMBERS: Group<Msg> = Group::new("volatile");
pub(crate) const NEWS: Topic<News> = Topic::new("news");

pub(crate) type Keys = UniqueKeys<Key, Msg, Faulty>;

/// A key: users' code too.
#[derive(Clone)]
pub(crate) struct Key(pub(crate) u64, pub(crate) Faulty);

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.1.faults.strike(Place::Key, 15);
        self.0 == other.0
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.1.faults.strike(Place::Key, 15);
        self.0.hash(state);
    }
}

/// What is published.
#[derive(Clone)]
pub(crate) struct News(pub(crate) Faulty);

pub(crate) enum Msg {
    Incarnation(Reply<u32>),
    /// What a probe asks.
    Alive(Reply<()>),
    Answer(Reply<Faulty>),
    /// Answers when `terminate` has run.
    AnswerLast(Reply<Faulty>),
    /// Answers never: the reply is kept in the state.
    Keep(Reply<Faulty>),
    /// Fails with an error that holds the reply.
    FailWith(Reply<Faulty>),
    Do(Deed, Faulty),
}

impl From<News> for Msg {
    fn from(news: News) -> Self {
        let News(value) = news;
        Self::Do(Deed::Nothing, value.throw_sometimes(Place::From, 8))
    }
}

/// What a handler does with a value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deed {
    Nothing,
    Fail,
    Panic,
    Hang,
    Stop,
    Timer,
    Keyed,
    Interval,
    Idle,
    Continue,
    Pipe,
    PipePanics,
    PipeBlocking,
    Register,
    Update,
    Unregister,
    Describe,
    Spawn,
    Watch,
}

impl Deed {
    const ALL: [Self; 18] = [
        Self::Nothing,
        Self::Fail,
        Self::Panic,
        Self::Hang,
        Self::Stop,
        Self::Timer,
        Self::Keyed,
        Self::Interval,
        Self::Idle,
        Self::Continue,
        Self::Pipe,
        Self::PipePanics,
        Self::Register,
        Self::Update,
        Self::Unregister,
        Self::Describe,
        Self::Spawn,
        Self::Watch,
    ];

    /// Draws one. Blocking work is on threads of its own, so what happens is the same for a seed only without it.
    pub(crate) fn drawn(dice: &mut Dice, may_block: bool) -> Self {
        if may_block && dice.below(20) == 0 {
            return Self::PipeBlocking;
        }
        Self::ALL[dice.below(Self::ALL.len() as u64) as usize]
    }
}

pub(crate) struct VolatileArgs {
    pub(crate) faults: Faults,
    pub(crate) keys: Keys,
    /// The name, if it has one.
    pub(crate) name: Option<Name<Msg>>,
    #[allow(dead_code, reason = "it is there to be dropped")]
    pub(crate) value: Faulty,
}

pub(crate) struct Volatile {
    faults: Faults,
    keys: Keys,
    name: Option<Name<Msg>>,
    kept: Vec<Reply<Faulty>>,
    value: Faulty,
}

impl Actor for Volatile {
    type Msg = Msg;
    type Args = VolatileArgs;

    async fn init(args: &VolatileArgs, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let (faults, address) = (args.faults.clone(), ctx.address());
        if faults.strikes(20) {
            return Err(ExitReason::failed(faults.value()));
        }
        if faults.strikes(20) {
            faults.value().throw(Place::Init);
        }
        let registry = Registry::of(ctx.system());
        registry.group(MEMBERS).join(&address)?;
        registry.topic(NEWS).subscribe(&address, SlowSubscriberPolicy::Skip);
        if faults.strikes(8) {
            ctx.defer_ready();
            ctx.continue_with(Msg::Do(Deed::Nothing, faults.value()));
        }
        let state = Self {
            faults: faults.clone(),
            keys: args.keys.clone(),
            name: args.name.clone(),
            kept: Vec::new(),
            value: faults.value(),
        };
        Ok(state)
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        ctx.ready();
        match msg {
            Msg::Incarnation(reply) => reply.send(ctx.pid().incarnation()),
            Msg::Alive(reply) => reply.send(()),
            Msg::Answer(reply) => reply.send(self.faults.value()),
            Msg::AnswerLast(reply) => ctx.stop_and_reply(ExitReason::Normal, reply, self.faults.value()),
            Msg::Keep(reply) if !self.faults.is_calm() => self.kept.push(reply),
            Msg::FailWith(reply) if !self.faults.is_calm() => return Err(holding(reply)),
            Msg::Keep(_) | Msg::FailWith(_) => {}
            Msg::Do(deed, value) if deed.is_bad() && !self.faults.is_calm() => {
                return self.misbehave(deed, value, ctx).await;
            }
            Msg::Do(deed, value) => self.set(deed, value, ctx),
        }
        Ok(())
    }

    async fn signal(&mut self, signal: Signal, _: &mut Context<Self>) -> Result<(), ExitReason> {
        drop(signal);
        self.faults.strike(Place::Handler, 20);
        Ok(())
    }

    fn debug_state(&mut self) -> Option<&mut (dyn Any + Send)> {
        Some(&mut self.value)
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        self.faults.strike(Place::Terminate, 10);
        yield_now().await;
    }
}

/// An error with a reply in it. An error is never dropped before its end is told, so the caller is told by that end.
fn holding(reply: Reply<Faulty>) -> ExitReason {
    #[derive(Debug)]
    struct Holding(#[allow(dead_code, reason = "it is there to be kept")] Reply<Faulty>);

    impl std::fmt::Display for Holding {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("it holds a reply")
        }
    }

    impl std::error::Error for Holding {}

    ExitReason::failed(Holding(reply))
}

impl Deed {
    const fn is_bad(self) -> bool {
        matches!(self, Self::Fail | Self::Panic | Self::Hang | Self::Stop | Self::PipePanics)
    }
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl Volatile {
    async fn misbehave(&self, deed: Deed, value: Faulty, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match deed {
            Deed::Fail => return Err(ExitReason::failed(value)),
            Deed::Panic => value.throw(Place::Handler),
            Deed::Stop => ctx.stop(ExitReason::failed(value)),
            Deed::PipePanics => {
                drop(ctx.pipe_to_self(async move { value.throw(Place::Future) }, |()| unheard()))
            }
            _ => {
                let _held = value;
                self.faults.calm().await;
            }
        }
        Ok(())
    }

    /// Sets itself to do something, or registers something, with a value in it.
    fn set(&self, deed: Deed, value: Faulty, ctx: &mut Context<Self>) {
        let faults = self.faults.clone();
        let nothing = move || Msg::Do(Deed::Nothing, faults.value());
        match deed {
            Deed::Timer => drop(ctx.send_after(ms(5), Msg::Do(Deed::Nothing, value))),
            Deed::Keyed => drop(ctx.start_timer("keyed", ms(7), Msg::Do(Deed::Continue, value))),
            Deed::Idle => ctx.idle_timeout(ms(3), Msg::Do(Deed::Nothing, value)),
            Deed::Interval => {
                ctx.send_interval(ms(9), move || {
                    let _held = &value;
                    nothing()
                });
            }
            Deed::Continue => ctx.continue_with(Msg::Do(Deed::Nothing, value)),
            Deed::Pipe => {
                let future = async move {
                    let _held = value;
                    yield_now().await;
                };
                drop(ctx.pipe_to_self(future, move |()| nothing()));
            }
            Deed::PipeBlocking => drop(ctx.pipe_blocking(move || drop(value), move |()| nothing())),
            Deed::Spawn => drop(ctx.system().spawn::<Brief>(value).linked_to(ctx).detach()),
            Deed::Watch => {
                drop(value);
                let other = Registry::of(ctx.system()).group(MEMBERS).any();
                if let Some(other) = other.as_ref().map(Address::handle) {
                    ctx.monitor(&other);
                }
            }
            _ => self.register(deed, value, ctx),
        }
    }

    fn register(&self, deed: Deed, value: Faulty, ctx: &Context<Self>) {
        let keys = &self.keys;
        match deed {
            Deed::Register => {
                let key = Key(self.faults.draw(50), self.faults.value());
                drop(keys.register(ctx, key, value));
            }
            Deed::Update => self.with_own_key(ctx, |key| drop(keys.update(ctx, key, |_| value))),
            Deed::Unregister => {
                drop(value);
                self.with_own_key(ctx, |key| drop(keys.unregister(ctx, key)));
            }
            Deed::Describe => match &self.name {
                Some(name) => drop(Registry::of(ctx.system()).set_metadata(name, &ctx.address(), value)),
                None => drop(value),
            },
            _ => drop(value),
        }
    }

    /// Does something with one of its keys. The key is dropped apart from what that leaves.
    fn with_own_key(&self, ctx: &Context<Self>, with: impl FnOnce(&Key)) {
        let mut keys = catch(|| self.keys.keys_of(ctx.pid())).unwrap_or_default();
        let key = keys.pop();
        keys.into_iter().for_each(drop_safely);
        let Some(key) = key else { return drop_safely(with) };
        let done = catch(|| with(&key));
        drop_safely(key);
        if done.is_none() {
            self.faults.panic(Place::Handler);
        }
    }
}

fn unheard() -> Msg {
    unreachable!("what was piped panicked")
}

/// An actor that lives for a moment, linked to the actor that started it.
struct Brief(#[allow(dead_code, reason = "it is there to be dropped")] Faulty);

impl Actor for Brief {
    type Msg = ();
    type Args = Faulty;

    async fn init(args: &Faulty, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let value = args.faults.value();
        if args.faults.draw(4) == 0 {
            return Err(ExitReason::failed(value));
        }
        ctx.send_after(ms(args.faults.draw(5)), ());
        Ok(Self(value))
    }

    async fn handle(&mut self, (): (), ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        ctx.stop(ExitReason::shutdown());
        Ok(())
    }
}

/// Looks at the state of an actor and replaces it, with what may panic.
pub(crate) async fn inspect(handle: ActorHandle, faults: Faults) {
    let seen = handle.get_state::<Faulty>().await;
    drop_safely(seen);
    let replaced = handle.replace_state(move |_: &Faulty| {
        faults.strike(Place::Closure, 4);
        faults.value()
    });
    let _ = replaced.await;
}
