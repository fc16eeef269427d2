//! ractor's `philosophers`: eleven philosophers share eleven forks, by the algorithm of Chandy and
//! Misra. A fork that was eaten with is dirty, and has to be given up to a neighbour that wants it.

#[macro_use]
#[path = "../support/output.rs"]
mod output;

use std::collections::VecDeque;
use std::error::Error;
use std::time::Duration;

use perennial::prelude::*;
use tokio::time::Instant;

const NAMES: [&str; 11] = [
    "Anscombe", "Arendt", "Aspasia", "Beauvoir", "Conway", "Diotima", "Foot", "Haack", "Hypatia", "Stein",
    "Weil",
];
const SLICE: Duration = Duration::from_millis(10);

enum ForkMsg {
    Request(Address<Msg>),
    Used,
    PutDown,
}

struct Fork {
    number: usize,
    is_clean: bool,
    owner: Option<Address<Msg>>,
    waiting: VecDeque<Address<Msg>>,
}

impl Fork {
    /// Gives a free fork to the next philosopher, or asks the owner of a dirty one for it.
    fn serve(&mut self) -> Result<(), ExitReason> {
        if let (Some(owner), false, false) = (&self.owner, self.is_clean, self.waiting.is_empty()) {
            owner.cast(Msg::GiveUp(self.number))?;
        }
        if self.owner.is_none() {
            self.owner = self.waiting.pop_front();
            if let Some(owner) = &self.owner {
                owner.cast(Msg::Receive(self.number))?;
            }
        }
        Ok(())
    }
}

impl Actor for Fork {
    type Msg = ForkMsg;
    type Args = usize;

    async fn init(number: &usize, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self { number: *number, is_clean: false, owner: None, waiting: VecDeque::new() })
    }

    async fn handle(&mut self, msg: ForkMsg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            ForkMsg::Request(philosopher) => self.waiting.push_back(philosopher),
            ForkMsg::Used => self.is_clean = false,
            ForkMsg::PutDown => (self.owner, self.is_clean) = (None, true),
        }
        self.serve()
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Thinking,
    Hungry,
    Eating,
}

/// How often and how long a philosopher was in each mode.
#[derive(Clone, Copy, Default)]
struct Metrics {
    meals: u32,
    gave_up: u32,
    time: [Duration; 3],
}

enum Msg {
    /// The time slice of a mode is over. The number tells which change of the mode began it.
    SliceOver(u32),
    Receive(usize),
    GiveUp(usize),
    Metrics(Reply<Metrics>),
}

struct Side {
    fork: Address<ForkMsg>,
    number: usize,
    has: bool,
    requested: bool,
    /// A neighbour wants it. It gets it after the meal.
    wanted: bool,
}

struct Philosopher {
    sides: [Side; 2],
    mode: Mode,
    changes: u32,
    since: Instant,
    metrics: Metrics,
}

impl Philosopher {
    fn change(&mut self, mode: Mode, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        self.metrics.time[self.mode as usize] += self.since.elapsed();
        (self.mode, self.since, self.changes) = (mode, Instant::now(), self.changes + 1);
        if mode != Mode::Hungry {
            ctx.send_after(SLICE, Msg::SliceOver(self.changes));
        }
        match mode {
            Mode::Thinking => {
                for side in &mut self.sides {
                    if std::mem::take(&mut side.wanted) {
                        side.has = false;
                        side.fork.cast(ForkMsg::PutDown)?;
                    }
                }
            }
            Mode::Hungry => {
                for side in self.sides.iter_mut().filter(|side| !side.has && !side.requested) {
                    side.requested = true;
                    side.fork.cast(ForkMsg::Request(ctx.address()))?;
                }
            }
            Mode::Eating => {
                self.metrics.meals += 1;
                for side in &self.sides {
                    side.fork.cast(ForkMsg::Used)?;
                }
            }
        }
        Ok(())
    }

    fn has_both(&self) -> bool {
        self.sides.iter().all(|side| side.has)
    }

    fn side(&mut self, number: usize) -> Result<&mut Side, ExitReason> {
        let side = self.sides.iter_mut().find(|side| side.number == number);
        side.ok_or_else(|| format!("fork {number} is out of reach").into())
    }
}

impl Actor for Philosopher {
    type Msg = Msg;
    type Args = [(usize, Address<ForkMsg>); 2];

    async fn init(forks: &Self::Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let side = |(number, fork)| Side { fork, number, has: false, requested: false, wanted: false };
        ctx.continue_with(Msg::SliceOver(0));
        let (sides, since) = (forks.clone().map(side), Instant::now());
        Ok(Self { sides, mode: Mode::Thinking, changes: 0, since, metrics: Metrics::default() })
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::SliceOver(change) if change == self.changes => match self.mode {
                Mode::Thinking if self.has_both() => self.change(Mode::Eating, ctx),
                Mode::Thinking => self.change(Mode::Hungry, ctx),
                Mode::Hungry | Mode::Eating => self.change(Mode::Thinking, ctx),
            },
            Msg::SliceOver(_) => Ok(()),
            Msg::Receive(fork) => {
                let side = self.side(fork)?;
                (side.has, side.requested) = (true, false);
                if self.has_both() { self.change(Mode::Eating, ctx) } else { Ok(()) }
            }
            Msg::GiveUp(fork) => {
                let side = self.side(fork)?;
                side.wanted = side.has;
                if self.mode == Mode::Eating {
                    return Ok(());
                }
                self.metrics.gave_up += u32::from(self.mode == Mode::Hungry);
                self.change(Mode::Thinking, ctx)
            }
            Msg::Metrics(reply) => {
                reply.send(self.metrics);
                Ok(())
            }
        }
    }
}

// Five seconds at the table, which pass at once: paused time jumps to the next timer.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    let fork = |number: usize| Child::new::<Fork>(format!("fork {number}"), number);
    let forks: Vec<_> = (0..NAMES.len()).map(fork).collect();
    let mut philosophers = Vec::new();
    for (left, name) in NAMES.into_iter().enumerate() {
        let sides = [left, (left + NAMES.len() - 1) % NAMES.len()];
        let sides = sides.map(|number| (number, forks[number].address()));
        philosophers.push(Child::new::<Philosopher>(name, sides));
    }
    let addresses: Vec<_> = philosophers.iter().map(Child::address).collect();
    let table = Supervisor::new("table").children(forks).children(philosophers);
    let app = table.start(&System::new()).await?;

    tokio::time::sleep(Duration::from_secs(5)).await;
    for (name, philosopher) in NAMES.into_iter().zip(addresses) {
        let Metrics { meals, gave_up, time: [thinking, hungry, eating] } =
            philosopher.call(Msg::Metrics).await?;
        print_line!(
            "{name:>8}: {meals} meals, gave up {gave_up} times; thought {thinking:.0?}, \
             was hungry {hungry:.0?}, ate {eating:.0?}"
        );
        assert!(meals > 0, "{name} has starved");
    }
    assert!(app.shutdown().await.is_clean());
    Ok(())
}
