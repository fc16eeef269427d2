//! An actor with callbacks and values that may panic.

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

/// A key with `Eq` and `Hash` that may panic.
#[derive(Clone)]
pub(crate) struct Key(pub(crate) u64, pub(crate) Faulty);

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.1.faults.maybe_panic(Place::Key, 15);
        self.0 == other.0
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.1.faults.maybe_panic(Place::Key, 15);
        self.0.hash(state);
    }
}

/// The message type of the topic.
#[derive(Clone)]
pub(crate) struct News(pub(crate) Faulty);

pub(crate) enum Msg {
    Incarnation(Reply<u32>),
    /// The message of a liveness probe.
    Alive(Reply<()>),
    Answer(Reply<Faulty>),
    /// Replies after `terminate` has run.
    AnswerLast(Reply<Faulty>),
    /// Never replies: the reply is stored in the state.
    Keep(Reply<Faulty>),
    /// Fails with an error that holds the reply.
    FailWith(Reply<Faulty>),
    Do(Step, Faulty),
}

impl From<News> for Msg {
    fn from(news: News) -> Self {
        let News(value) = news;
        Self::Do(Step::Nothing, value.throw_sometimes(Place::From, 8))
    }
}

/// The step that a handler performs with a value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
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

impl Step {
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

    /// Draws a step. Blocking work runs on other threads, so a seed reproduces a run only without
    /// it.
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
    /// The name of the actor, if any.
    pub(crate) name: Option<Name<Msg>>,
    #[allow(dead_code, reason = "only dropped")]
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
        if faults.triggers(20) {
            return Err(ExitReason::failed(faults.value()));
        }
        if faults.triggers(20) {
            faults.value().throw(Place::Init);
        }
        let registry = Registry::of(ctx.system());
        registry.group(MEMBERS).join(&address)?;
        registry.topic(NEWS).subscribe(&address, SlowSubscriberPolicy::Skip);
        if faults.triggers(8) {
            ctx.defer_ready();
            ctx.continue_with(Msg::Do(Step::Nothing, faults.value()));
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
            Msg::Do(step, value) if step.is_bad() && !self.faults.is_calm() => {
                return self.fail_by(step, value, ctx).await;
            }
            Msg::Do(step, value) => self.set(step, value, ctx),
        }
        Ok(())
    }

    async fn signal(&mut self, signal: Signal, _: &mut Context<Self>) -> Result<(), ExitReason> {
        drop(signal);
        self.faults.maybe_panic(Place::Handler, 20);
        Ok(())
    }

    fn debug_state(&mut self) -> Option<&mut (dyn Any + Send)> {
        Some(&mut self.value)
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        self.faults.maybe_panic(Place::Terminate, 10);
        yield_now().await;
    }
}

/// An error that holds a reply. An error is never dropped before its end is notified, so the caller
/// gets its error from that end.
fn holding(reply: Reply<Faulty>) -> ExitReason {
    #[derive(Debug)]
    struct Holding(#[allow(dead_code, reason = "only stored")] Reply<Faulty>);

    impl std::fmt::Display for Holding {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an error with a reply")
        }
    }

    impl std::error::Error for Holding {}

    ExitReason::failed(Holding(reply))
}

impl Step {
    const fn is_bad(self) -> bool {
        matches!(self, Self::Fail | Self::Panic | Self::Hang | Self::Stop | Self::PipePanics)
    }
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl Volatile {
    async fn fail_by(&self, step: Step, value: Faulty, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match step {
            Step::Fail => return Err(ExitReason::failed(value)),
            Step::Panic => value.throw(Place::Handler),
            Step::Stop => ctx.stop(ExitReason::failed(value)),
            Step::PipePanics => {
                drop(ctx.pipe_to_self(async move { value.throw(Place::Future) }, |()| unreachable_message()))
            }
            _ => {
                let _captured = value;
                self.faults.calm().await;
            }
        }
        Ok(())
    }

    /// Schedules or registers something that holds the value.
    fn set(&self, step: Step, value: Faulty, ctx: &mut Context<Self>) {
        let faults = self.faults.clone();
        let nothing = move || Msg::Do(Step::Nothing, faults.value());
        match step {
            Step::Timer => drop(ctx.send_after(ms(5), Msg::Do(Step::Nothing, value))),
            Step::Keyed => drop(ctx.start_timer("keyed", ms(7), Msg::Do(Step::Continue, value))),
            Step::Idle => ctx.idle_timeout(ms(3), Msg::Do(Step::Nothing, value)),
            Step::Interval => {
                ctx.send_interval(ms(9), move || {
                    let _captured = &value;
                    nothing()
                });
            }
            Step::Continue => ctx.continue_with(Msg::Do(Step::Nothing, value)),
            Step::Pipe => {
                let future = async move {
                    let _captured = value;
                    yield_now().await;
                };
                drop(ctx.pipe_to_self(future, move |()| nothing()));
            }
            Step::PipeBlocking => drop(ctx.pipe_blocking(move || drop(value), move |()| nothing())),
            Step::Spawn => drop(ctx.system().spawn::<Brief>(value).linked_to(ctx).detach()),
            Step::Watch => {
                drop(value);
                let other = Registry::of(ctx.system()).group(MEMBERS).any();
                if let Some(other) = other.as_ref().map(Address::handle) {
                    ctx.monitor(&other);
                }
            }
            _ => self.register(step, value, ctx),
        }
    }

    fn register(&self, step: Step, value: Faulty, ctx: &Context<Self>) {
        let keys = &self.keys;
        match step {
            Step::Register => {
                let key = Key(self.faults.draw(50), self.faults.value());
                drop(keys.register(ctx, key, value));
            }
            Step::Update => self.with_own_key(ctx, |key| drop(keys.update(ctx, key, |_| value))),
            Step::Unregister => {
                drop(value);
                self.with_own_key(ctx, |key| drop(keys.unregister(ctx, key)));
            }
            Step::Describe => match &self.name {
                Some(name) => drop(Registry::of(ctx.system()).set_metadata(name, &ctx.address(), value)),
                None => drop(value),
            },
            _ => drop(value),
        }
    }

    /// Calls `with` with one of its keys. The key is dropped apart from the result.
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

fn unreachable_message() -> Msg {
    unreachable!("the piped future panicked")
}

/// A short-lived actor that is linked to its parent.
struct Brief(#[allow(dead_code, reason = "only dropped")] Faulty);

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

/// Reads and replaces the state of an actor, with code that may panic.
pub(crate) async fn inspect(handle: ActorHandle, faults: Faults) {
    let seen = handle.get_state::<Faulty>().await;
    drop_safely(seen);
    let replaced = handle.replace_state(move |_: &Faulty| {
        faults.maybe_panic(Place::Closure, 4);
        faults.value()
    });
    let _ = replaced.await;
}
