//! Accounts whose state follows from their events. This program starts itself a second time, and
//! kills that process with SIGKILL while it works. Then it goes on with the same file: every
//! deposit that was answered is there.
//!
//! ```text
//! cargo run --release --features durable --example durable_actor
//! ```

#[macro_use]
#[path = "support/output.rs"]
mod output;

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use perennial::durable::actor::{EventFeed, EventSourced, EventTransaction, Journal, Snapshots};
use perennial::durable::sqlite::SqliteStore;
use perennial::durable::{Store, Wire, decode};
use perennial::prelude::*;
use serde::{Deserialize, Serialize};

/// The deposits that the process answers before it is killed.
const DEPOSITS: u64 = 100;

const NAMES: [&str; 2] = ["ann", "bob"];

enum Msg {
    Deposit(u64, Reply<u64>),
    Withdraw(u64, Reply<Result<u64, Refused>>),
}

/// The balance is too small; it is this.
#[derive(Debug, PartialEq)]
struct Refused(u64);

/// What happens to an account. It is written down, so it has a name that never changes.
#[derive(Serialize, Deserialize)]
enum Event {
    Deposited(u64),
    Withdrawn(u64),
}

impl Wire for Event {
    const TAG: &'static str = "example.account";
}

struct Account {
    balance: u64,
}

impl EventSourced for Account {
    type Msg = Msg;
    type Event = Event;
    type Args = ();

    fn new(_: &()) -> Self {
        Self { balance: 0 }
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Deposited(amount) => self.balance += amount,
            Event::Withdrawn(amount) => self.balance -= amount,
        }
    }

    async fn handle(&self, msg: Msg, tx: &mut EventTransaction<'_, Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Deposit(amount, reply) => {
                tx.persist(Event::Deposited(amount));
                // It is sent when the event is on the disk.
                tx.reply_with(reply, |account| account.balance);
            }
            Msg::Withdraw(amount, reply) if amount > self.balance => {
                reply.send(Err(Refused(self.balance)));
            }
            Msg::Withdraw(amount, reply) => {
                tx.persist(Event::Withdrawn(amount));
                tx.reply_with(reply, |account| Ok(account.balance));
            }
        }
        Ok(())
    }
}

/// A snapshot is the balance, so that recovery does not read every event.
impl Snapshots for Account {
    type Snapshot = u64;

    fn snapshot(&self) -> u64 {
        self.balance
    }

    fn restore(_: &(), balance: u64) -> Self {
        Self { balance }
    }
}

/// Returns an account as a child of a supervisor.
fn account(store: &Arc<dyn Store>, name: &str) -> Child<Msg> {
    let journal = Journal::<Account>::new(store.clone(), format!("account/{name}"), ());
    journal.snapshot_every(20).child(name)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // The child process gets the file as its argument.
    if let Some(file) = std::env::args_os().nth(1) {
        return work_until_killed(Path::new(&file)).await;
    }
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("accounts.db");
    let answered = kill_while_it_works(&file)?;
    continue_with(&file, answered).await
}

/// The child: deposits 1 again and again, and prints each balance that is answered.
async fn work_until_killed(file: &Path) -> Result<(), Box<dyn Error>> {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(file)?);
    let ann = account(&store, "ann");
    let address = ann.address();
    let _app = Supervisor::new("bank").child(ann).start(&System::new()).await?;
    loop {
        let balance = address.call(|reply| Msg::Deposit(1, reply)).await?;
        print_line!("{balance}");
    }
}

/// The parent: reads what the child prints, and kills it in the middle of its work. Returns the
/// last balance that was answered.
fn kill_while_it_works(file: &Path) -> Result<u64, Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?).arg(file).stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("the child has no output")?).lines();
    let mut answered = 0;
    while let Some(line) = lines.next().transpose()? {
        answered = line.parse()?;
        if answered == DEPOSITS {
            child.kill()?;
        }
    }
    child.wait()?;
    assert!(answered >= DEPOSITS);
    print_line!("{answered} deposits were answered, and the process was killed");
    Ok(answered)
}

/// The next process: both accounts go on, and a view is made of the events of both.
async fn continue_with(file: &Path, answered: u64) -> Result<(), Box<dyn Error>> {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(file)?);
    let [ann, bob] = NAMES.map(|name| account(&store, name));
    let (ann_address, bob_address) = (ann.address(), bob.address());
    let app = Supervisor::new("bank").child(ann).child(bob).start(&System::new()).await?;

    let balance =
        ann_address.call(|reply| Msg::Withdraw(1, reply)).await?.map_err(|Refused(it)| it.to_string())?;
    // One more may have been stored whose answer did not arrive.
    let is_expected = (answered - 1..=answered).contains(&balance);
    assert!(is_expected, "{balance} after {answered} deposits and a withdrawal");
    print_line!("ann has {balance} after a withdrawal");
    let refused = bob_address.call(|reply| Msg::Withdraw(1, reply)).await?;
    assert_eq!(refused, Err(Refused(0)));
    bob_address.call(|reply| Msg::Deposit(7, reply)).await?;

    let total = total(&store, balance + 7).await?;
    print_line!("both have {total}, says the view of all events");
    assert!(app.shutdown().await.is_clean());
    Ok(())
}

/// Returns what both accounts have, by their events in the order of their commits, up to that of
/// bob.
async fn total(store: &Arc<dyn Store>, expected: u64) -> Result<u64, Box<dyn Error>> {
    let (mut feed, mut total) = (EventFeed::new(store.clone()), 0);
    loop {
        let event = feed.next().await?;
        match decode(&event.payload)? {
            Event::Deposited(amount) => total += amount,
            Event::Withdrawn(amount) => total -= amount,
        }
        if event.journal == "account/bob" {
            assert_eq!(total, expected);
            return Ok(total);
        }
    }
}
