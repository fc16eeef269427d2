//! The server of the browser tests: a small tree with a console, that does what it is told on its
//! standard input, one command in each line. `./x browser` builds and starts it. Its arguments are
//! the address, and `read-only` for a console without a token.
//!
//! ```text
//! crash till      the actor crashes, and is down for a while
//! poison 3        three jobs of the pool fail for good
//! cure            jobs do not fail any more
//! mail 2          two jobs are submitted to the pool
//! lose            a message to the vault becomes a dead letter
//! wait            two actors wait for each other
//! letters 2       so many durable jobs are stored, of which the first fails twice and is dead
//! stop vault      an actor is asked to stop while a handler keeps it from that
//! release vault   the handler ends, and the actor is started again when it has stopped
//! stop shop       the tree is shut down, while a handler keeps an actor from that
//! release shop    the handler ends, and so does the tree
//! crowd 100000    a supervisor has so many children
//! console down    the console is stopped, and `console up` starts it again
//! ```

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use perennial_actors::{Actor, Address, Context, ExitReason, PanicLocations, Reply, System};
use perennial_console::Console;
use perennial_durable::{
    AttemptEnd, AttemptFailure, Batch, Bincode, JobId, MemoryStore, NewJob, Op, Store, Timestamp, encode,
};
use perennial_registry::{Group, Name, Registry, SlowSubscriberPolicy, Topic, UniqueKeys};
use perennial_supervision::pool::{Pool, PoolHandle};
use perennial_supervision::{
    App, Backoff, Child, ChildError, Dynamic, DynamicSupervisor, Shutdown, Supervisor, SupervisorHandle,
};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::Barrier;
use tokio::task::{JoinHandle, block_in_place};

#[path = "../tests/support/cluster.rs"]
mod cluster;

/// The token, which the tests know.
const TOKEN: &str = "browser-tests-0123456789";

/// How long an actor is down after a crash.
const DOWN: Duration = Duration::from_secs(1);

/// How long the vault may take to stop before it is killed.
const ASKED: Duration = Duration::from_millis(1500);

/// How long the tree may take to stop.
const LIMIT: Duration = Duration::from_secs(60);

const TILL: Name<Msg> = Name::new("till");
const KEEPERS: Group<Msg> = Group::new("keepers of money");
const ALARMS: Topic<()> = Topic::new("alarms");

enum Msg {
    Crash,
    /// Keeps the handler from its end, also after a kill, until the sender is dropped.
    Hold(Receiver<()>, Reply<()>),
    /// Asks another actor when both are at the barrier, so that each waits for the other.
    Ask(Address<Self>, Arc<Barrier>),
    Answer(Reply<()>),
    /// Is handled and does nothing.
    Count,
}

/// An actor of the shop.
struct Member;

/// The doors of the shop, by their names.
type Doors = UniqueKeys<&'static str, (), ()>;

/// An actor of a door, which registers its name.
struct Door;

impl Actor for Door {
    type Msg = ();
    type Args = (&'static str, Doors);

    async fn init((name, doors): &Self::Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        doors.register(ctx, *name, ())?;
        Ok(Self)
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

/// The error of an actor that crashes, with a source.
#[derive(Debug)]
struct Stuck(&'static str, Option<Box<Self>>);

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Stuck {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}

impl Actor for Member {
    type Msg = Msg;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Crash => {
                let source = Stuck("a coin is in the way", None);
                return Err(ExitReason::failed(Stuck("the drawer is stuck", Some(Box::new(source)))));
            }
            Msg::Hold(held, reply) => {
                reply.send(());
                let _ = block_in_place(|| held.recv());
            }
            Msg::Ask(other, both) => {
                both.wait().await;
                let limit = Duration::from_secs(60);
                // Without an answer it has waited, which is all that it is for.
                let _ = other.call(Msg::Answer).timeout(limit).await;
            }
            Msg::Answer(reply) => reply.send(()),
            Msg::Count => {}
        }
        Ok(())
    }
}

/// The mails that a pool sends, if their addresses are known.
type Mails = PoolHandle<fn(String) -> Result<(), Stuck>>;

/// A stop that the vault holds up.
struct Stopping {
    /// The vault is held until this is dropped.
    hold: Sender<()>,
    request: JoinHandle<Result<(), ChildError>>,
}

/// What the commands work on.
struct Shop {
    app: App<SupervisorHandle>,
    till: Address<Msg>,
    stock: Address<Msg>,
    vault: Address<Msg>,
    stopping: Option<Stopping>,
    crowd: SupervisorHandle<Dynamic>,
    mails: Mails,
    is_cured: Arc<AtomicBool>,
    store: Arc<MemoryStore>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    // Panics are shown on the page.
    std::panic::set_hook(Box::new(|_| {}));
    let system = System::builder().panic_locations(PanicLocations::install()).build();
    let is_read_only = std::env::args().nth(2).is_some_and(|argument| argument == "read-only");
    let console = if is_read_only { Console::at(address) } else { Console::at(address).token(TOKEN) };
    let (mut shop, url) = Shop::start(&system, console).await?;
    say(&url)?;
    let mut commands = BufReader::new(tokio::io::stdin()).lines();
    // The end of the input is that of the test.
    while let Some(command) = commands.next_line().await? {
        match shop.obey(&command).await {
            Ok(()) => say("ok")?,
            Err(error) => say(&format!("failed: {error}"))?,
        }
    }
    // Handlers that still wait are killed.
    let _ = shop.app.shutdown().await;
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}")?;
    output.flush()
}

impl Shop {
    /// Starts the tree. Returns it with the URL of its console.
    async fn start(system: &System, console: Console) -> Result<(Self, String), Box<dyn Error>> {
        let is_cured = Arc::new(AtomicBool::new(true));
        let mails = Pool::from_fn("mails", 3, {
            let is_cured = is_cured.clone();
            move |_: &String| {
                let is_cured = is_cured.load(Ordering::Relaxed);
                async move { if is_cured { Ok(()) } else { Err(Stuck("the address is unknown", None)) } }
            }
        })
        .attempts(2)
        .retry_after(Backoff::new(Duration::from_millis(20), Duration::from_millis(20)));
        let handle = mails.handle();
        let down = Backoff::new(DOWN, DOWN);
        let till = Child::new::<Member>("till", ()).backoff(down).named(TILL);
        let stock = Child::new::<Member>("stock", ());
        let vault = Child::new::<Member>("vault", ()).shutdown(Shutdown::Timeout(ASKED));
        let (crowd, doors) = (DynamicSupervisor::new("crowd"), Doors::new());
        let (till_address, stock_address, crowd_handle) = (till.address(), stock.address(), crowd.handle());
        let vault_address = vault.address();
        let store = Arc::new(MemoryStore::new());
        let console = console.store("post", store.clone()).nodes(cluster::Cluster::of(system));
        let console = allow_messages(console.watch_deadlocks().pool(&handle), &till_address, &vault_address);
        let url = console.url();
        let app = Supervisor::new("shop")
            .intensity(1000, Duration::from_secs(1))
            .child(console)
            .child(till)
            .child(stock)
            .child(vault)
            // Read as markup, it would do something.
            .child(Child::new::<Member>("<img src=x onerror=alert(1)>", ()))
            .child(Child::new::<Door>("east", ("east door", doors.clone())))
            .child(Child::new::<Door>("west", ("west door", doors.clone())))
            .child(mails)
            .child(crowd)
            .start(system)
            .await?
            .shutdown_timeout(LIMIT);
        let registry = Registry::of(system);
        // The doors keep the table.
        registry.show_keys("doors", &doors);
        registry.group(KEEPERS).join(&stock_address)?;
        registry.topic(ALARMS).subscribe_with(&stock_address, SlowSubscriberPolicy::Skip, |()| None);
        let shop = Self {
            app,
            till: till_address,
            stock: stock_address,
            vault: vault_address,
            stopping: None,
            crowd: crowd_handle,
            mails: handle,
            is_cured,
            store,
        };
        Ok((shop, url.get().ok_or("the console listens")?))
    }

    /// Does what a command says, and returns when it is done.
    async fn obey(&mut self, command: &str) -> Result<(), Box<dyn Error>> {
        let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
        match (verb, rest) {
            ("crash", "till") => crash(&self.till).await,
            ("poison", number) => self.poison(number.parse()?).await,
            ("mail", number) => self.mail(number.parse()?).await,
            ("letters", number) => write_letters(&self.store, number.parse()?).await,
            ("cure", _) => {
                self.is_cured.store(true, Ordering::Relaxed);
                Ok(())
            }
            ("lose", _) => self.lose().await,
            ("wait", _) => self.wait().await,
            ("stop", what) => self.stop(what).await,
            ("release", what) => self.release(what).await,
            ("crowd", number) => self.gather(number.parse()?).await,
            ("console", "down") => Ok(self.app.supervisor().terminate_child("console").await?),
            ("console", "up") => Ok(self.app.supervisor().restart_child("console").await.map(drop)?),
            _ => Err("no such command".into()),
        }
    }

    /// Makes so many jobs fail until they are dead.
    async fn poison(&self, number: u64) -> Result<(), Box<dyn Error>> {
        self.is_cured.store(false, Ordering::Relaxed);
        let failed = self.mails.stats().failed;
        self.mail(number).await?;
        while self.mails.stats().failed < failed + number {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Submits so many jobs.
    async fn mail(&self, number: u64) -> Result<(), Box<dyn Error>> {
        for job in 0..number {
            self.mails.submit(format!("mail {job} to a customer")).detach().await?;
        }
        Ok(())
    }

    /// Makes the vault hang, and begins to stop it or the tree.
    async fn stop(&mut self, what: &str) -> Result<(), Box<dyn Error>> {
        let (hold, held) = channel();
        self.vault.call(|reply| Msg::Hold(held, reply)).await.map_err(|_| "the vault is closed")?;
        let (app, is_whole) = (self.app.clone(), what == "shop");
        let request = tokio::spawn(async move {
            if is_whole {
                let _ = app.shutdown().await;
                return Ok(());
            }
            app.supervisor().terminate_child("vault").await
        });
        self.stopping = Some(Stopping { hold, request });
        Ok(())
    }

    /// Lets the vault stop, and starts it again unless the tree stops.
    async fn release(&mut self, what: &str) -> Result<(), Box<dyn Error>> {
        let Stopping { hold, request } = self.stopping.take().ok_or("nothing is being stopped")?;
        drop(hold);
        request.await??;
        if what == "vault" {
            self.app.supervisor().restart_child("vault").await?;
        }
        Ok(())
    }

    /// Makes a dead letter: the suspended vault is stopped before its message, and started again.
    async fn lose(&self) -> Result<(), Box<dyn Error>> {
        self.vault.handle().suspend()?;
        let _ = self.vault.handle().get_state::<()>().await;
        self.vault.cast(Msg::Count).map_err(|_| "the vault is closed")?;
        self.app.supervisor().terminate_child("vault").await?;
        Ok(self.app.supervisor().restart_child("vault").await.map(drop)?)
    }

    /// Makes two actors wait for each other, for longer than it takes to be a deadlock.
    async fn wait(&self) -> Result<(), Box<dyn Error>> {
        let both = Arc::new(Barrier::new(2));
        let ask = |other: &Address<Msg>| Msg::Ask(other.clone(), both.clone());
        self.till.send(ask(&self.stock)).await.map_err(|_| "the till is closed")?;
        self.stock.send(ask(&self.till)).await.map_err(|_| "the stock is closed")?;
        tokio::time::sleep(Duration::from_millis(1000)).await;
        Ok(())
    }

    /// Starts children until there are so many. With 0, all of them end.
    async fn gather(&self, number: usize) -> Result<(), Box<dyn Error>> {
        if number == 0 {
            self.app.supervisor().terminate_child("crowd").await?;
            self.app.supervisor().restart_child("crowd").await?;
        }
        for guest in 0..number {
            self.crowd.start_child(Child::new::<Member>(format!("guest-{guest}"), ())).await?;
        }
        Ok(())
    }
}

/// Stores durable jobs. The first is leased twice, fails, and is dead.
async fn write_letters(store: &MemoryStore, number: u64) -> Result<(), Box<dyn Error>> {
    let at = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let at = |millis| Timestamp(0).saturating_add(at).saturating_sub(Duration::from_millis(millis));
    for letter in 0..number {
        let payload = encode::<_, Bincode>(&format!("letter {letter} to a customer"))?;
        let new = Op::Enqueue(Box::new(NewJob { attempts: 2, ..NewJob::new("letters", payload) }));
        store.commit(Batch::of(at(9_000), new)).await?;
    }
    let failure = |error: &str| AttemptFailure::Error(error.to_owned());
    let ends = [
        AttemptEnd::Retry { failure: failure("the box is full"), due: at(5_000) },
        AttemptEnd::Dead(failure("the customer has moved")),
    ];
    for ((attempt, end), begun) in (1..).zip(ends).zip([8_000, 3_000]) {
        store.commit(Batch::of(at(begun), Op::Lease { queue: "letters".to_owned(), max: 1 })).await?;
        store.commit(Batch::of(at(begun - 2_000), Op::Finish { job: JobId(1), attempt, end })).await?;
    }
    Ok(())
}

/// Allows debug messages to the till, and dead letters of the vault to be sent again.
fn allow_messages(console: Console, till: &Address<Msg>, vault: &Address<Msg>) -> Console {
    let console = console.debug_messages(till, |text| match text {
        "crash" => Ok(Msg::Crash),
        _ => Err(format!("the till does not understand {text:?}")),
    });
    console.resend_dead_letters(vault, |msg| match msg {
        Msg::Count => Some(Msg::Count),
        _ => None,
    })
}

/// Makes an actor crash, and returns when it is down.
async fn crash(actor: &Address<Msg>) -> Result<(), Box<dyn Error>> {
    let pause = || tokio::time::sleep(Duration::from_millis(5));
    while actor.pid().is_none() {
        pause().await;
    }
    let pid = actor.pid();
    actor.cast(Msg::Crash).map_err(|_| "it is closed")?;
    while actor.pid() == pid {
        pause().await;
    }
    Ok(())
}
