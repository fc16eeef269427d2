//! ractor's `monte_carlo`: a manager starts a hundred games and averages how they end.

#[macro_use]
#[path = "../support/output.rs"]
mod output;

use std::collections::HashMap;
use std::error::Error;

use perennial::Pid;
use perennial::prelude::*;

const GAMES: u32 = 100;
const ROUNDS: u32 = 100;
const START_FUNDS: i64 = 10_000;
const WAGER: i64 = 100;

/// Plays one round for each message to itself, so that games do not hold up each other.
struct Game {
    manager: Address<Msg>,
    results: Vec<i64>,
}

impl Actor for Game {
    type Msg = ();
    type Args = Address<Msg>;

    async fn init(manager: &Address<Msg>, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        ctx.continue_with(());
        Ok(Self { manager: manager.clone(), results: Vec::new() })
    }

    async fn handle(&mut self, (): (), ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        if self.results.len() < ROUNDS as usize {
            let funds = self.results.last().copied().unwrap_or(START_FUNDS);
            let won = fastrand::u32(0..100) < 49;
            self.results.push(if won { funds + WAGER } else { funds - WAGER });
            ctx.continue_with(());
        } else {
            let results = std::mem::take(&mut self.results);
            self.manager.send(Msg::Finished(ctx.pid(), results)).await?;
            ctx.stop(ExitReason::Normal);
        }
        Ok(())
    }
}

enum Msg {
    Finished(Pid, Vec<i64>),
    /// Asks for the average, which is known when all games have ended.
    Average(Reply<i64>),
}

struct Manager {
    results: HashMap<Pid, Vec<i64>>,
    caller: Option<Reply<i64>>,
}

impl Actor for Manager {
    type Msg = Msg;
    type Args = u32;

    async fn init(games: &u32, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        for _ in 0..*games {
            // A game that crashes takes the manager with it, and the other way round.
            ctx.system().spawn::<Game>(ctx.address()).linked_to(ctx).detach()?;
        }
        Ok(Self { results: HashMap::new(), caller: None })
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Finished(game, results) => drop(self.results.insert(game, results)),
            Msg::Average(reply) => self.caller = Some(reply),
        }
        if self.results.len() == GAMES as usize {
            if let Some(caller) = self.caller.take() {
                let ends = self.results.values().filter_map(|results| results.last());
                caller.send(ends.sum::<i64>() / i64::from(GAMES));
                ctx.stop(ExitReason::Normal);
            }
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    fastrand::seed(7);
    print_line!("{GAMES} games of {ROUNDS} rounds, from {START_FUNDS} with a wager of {WAGER}");
    let manager = System::new().spawn::<Manager>(GAMES).await?;
    let average = manager.call(Msg::Average).await?;
    print_line!("on average {average} are left");
    // The house wins 2 % of what is wagered; the average strays by a standard deviation of 100.
    assert!((9_000..10_600).contains(&average), "{average}");
    Ok(())
}
