//! A small shop under light chaos, with a console in the browser: tills that crash, a warehouse
//! that is slow, carts that come and go, and mails that fail for good. With the feature `durable`
//! it also writes invoices, whose queue is in a store.
//!
//! ```text
//! cargo run --release --features console --example console
//! cargo run --release --features console --example console -- --seconds 20
//! cargo run --release --features console --example console -- --address 127.0.0.1:9911
//! cargo run --release --features console,durable --example console
//! ```
//!
//! It prints the address, and the token for actions. Without `--seconds` it runs until Ctrl-C.

#[macro_use]
#[path = "../../support/output.rs"]
mod output;

use std::error::Error;
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::PrometheusBuilder;
use perennial::console::{Console, ConsoleUrl};
use perennial::operations::Metrics;
use perennial::pool::{Pool, PoolHandle};
use perennial::prelude::*;
use perennial::{App, Backoff, DynamicHandle, DynamicSupervisor, Group, SupervisorHandle};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

const WAREHOUSE: Name<Order> = Name::new("warehouse");
const TILLS: Group<Sale> = Group::new("tills");

/// The bounds of the buckets of all histograms, in seconds.
const BUCKETS: [f64; 6] = [0.001, 0.01, 0.1, 1.0, 10.0, 60.0];

/// The time between two customers.
const PAUSE: Duration = Duration::from_millis(20);

/// An order to the warehouse.
struct Order(Reply<u64>);

/// Looks for goods, which takes a moment.
struct Warehouse(u64);

impl Actor for Warehouse {
    type Msg = Order;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self(0))
    }

    async fn handle(&mut self, Order(reply): Order, _: &mut Context<Self>) -> Result<(), ExitReason> {
        sleep(Duration::from_millis(fastrand::u64(1..15))).await;
        self.0 += 1;
        reply.send(self.0);
        Ok(())
    }
}

/// A message to a till.
#[derive(Debug)]
enum Sale {
    Item,
    /// The paper of the printer is torn.
    Jam,
    /// The drawer does not open.
    Stuck,
}

/// Sells what the warehouse has.
struct Till;

impl Actor for Till {
    type Msg = Sale;
    type Args = usize;

    async fn init(_: &usize, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        ctx.registry().group(TILLS).join(&ctx.address())?;
        Ok(Self)
    }

    async fn handle(&mut self, sale: Sale, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match sale {
            Sale::Item => {
                ctx.whereis(WAREHOUSE)?.call(Order).await?;
                Ok(())
            }
            Sale::Jam => Err("the paper is torn".into()),
            Sale::Stuck => panic!("the drawer does not open"),
        }
    }
}

/// A cart: it is there while a customer shops.
struct Cart;

impl Actor for Cart {
    type Msg = ();
    type Args = Duration;

    async fn init(time: &Duration, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        ctx.send_after(*time, ());
        Ok(Self)
    }

    async fn handle(&mut self, (): (), ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        ctx.stop(ExitReason::Normal);
        Ok(())
    }
}

type Mails = PoolHandle<fn(u32) -> Result<(), String>>;

#[cfg(feature = "durable")]
mod invoices {
    //! The invoices of the shop. Their store is in memory. With one in a file they would outlive
    //! the process.

    use std::sync::Arc;
    use std::time::Duration;

    use perennial::Backoff;
    use perennial::durable::MemoryStore;
    use perennial::durable::pool::{Durable, DurableHandle, DurablePool};
    use perennial::pool::Pool;
    use tokio::time::sleep;

    pub(crate) type Writer = fn(u32) -> Result<(), String>;
    pub(crate) type Invoices = DurableHandle<Writer>;

    /// Returns the pool that writes invoices, and its store. One customer in seven has no address.
    pub(crate) fn pool(backoff: Backoff) -> (DurablePool<Writer>, Arc<MemoryStore>) {
        let store = Arc::new(MemoryStore::new());
        let pool = Pool::from_fn("invoices", 2, |customer: &u32| {
            let customer = *customer;
            async move {
                sleep(Duration::from_millis(60)).await;
                if customer % 7 == 0 { Err(format!("customer {customer} has no address")) } else { Ok(()) }
            }
        });
        let pool = pool.durable(store.clone()).attempts(3).retry_errors(true).retry_after(backoff);
        (pool.retain_results(Duration::from_secs(60)), store)
    }
}

/// What customers use.
struct Shop {
    tills: Vec<Address<Sale>>,
    carts: DynamicHandle,
    mails: Mails,
    #[cfg(feature = "durable")]
    invoices: invoices::Invoices,
}

/// What the command line says.
struct Options {
    address: String,
    token: String,
    seconds: Option<u64>,
}

impl Options {
    fn parse() -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            address: "127.0.0.1:0".to_owned(),
            token: format!("{:016x}", fastrand::u64(..)),
            seconds: None,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--address" => options.address = value,
                "--token" => options.token = value,
                "--seconds" => options.seconds = Some(value.parse()?),
                _ => return Err(format!("{name} is unknown").into()),
            }
        }
        Ok(options)
    }
}

/// Returns the console, which serves the metrics too.
fn console(options: &Options, shop: &Shop, metrics: Metrics) -> Result<Console, Box<dyn Error>> {
    let exporter = PrometheusBuilder::new().set_buckets(&BUCKETS)?.install_recorder()?;
    let console = Console::at(&options.address).token(&options.token).pool(&shop.mails).watch_deadlocks();
    let console = console.metrics(move || {
        metrics.collect();
        exporter.run_upkeep();
        exporter.render()
    });
    let console = console.debug_messages(&shop.tills[0], |text| match text {
        "item" => Ok(Sale::Item),
        "jam" => Ok(Sale::Jam),
        "stuck" => Ok(Sale::Stuck),
        _ => Err("a till takes `item`, `jam` and `stuck`".to_owned()),
    });
    Ok(console.resend_dead_letters(&shop.tills[0], |sale| match sale {
        Sale::Item => Some(Sale::Item),
        _ => None,
    }))
}

/// Starts the shop and its console.
async fn open(
    options: &Options,
    system: &System,
) -> Result<(Shop, ConsoleUrl, App<SupervisorHandle>), Box<dyn Error>> {
    let backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(2));
    let mut area = Supervisor::new("tills").intensity(20, Duration::from_secs(10));
    let mut tills = Vec::new();
    for number in 1..=4 {
        let till = Child::new::<Till>(format!("till {number}"), number).backoff(backoff);
        tills.push(till.address());
        area = area.child(till);
    }
    let carts = DynamicSupervisor::new("carts");
    // One mail in five has no address.
    let pool = Pool::from_fn("mails", 3, |customer: &u32| {
        let customer = *customer;
        async move {
            sleep(Duration::from_millis(30)).await;
            if customer % 5 == 0 { Err(format!("customer {customer} has no address")) } else { Ok(()) }
        }
    });
    let pool = pool.attempts(3).retry_errors(true).retry_after(backoff);
    #[cfg(feature = "durable")]
    let (invoices, store) = invoices::pool(backoff);
    let shop = Shop {
        tills,
        carts: carts.handle(),
        mails: pool.handle(),
        #[cfg(feature = "durable")]
        invoices: invoices.handle(),
    };
    let metrics = Metrics::of(system);
    let console = console(options, &shop, metrics.clone())?;
    #[cfg(feature = "durable")]
    let console = console.store("orders", store);
    let url = console.url();
    let tree = Supervisor::new("shop")
        .child(console)
        .child(metrics.child("metrics"))
        .child(Child::new::<Warehouse>("warehouse", ()).named(WAREHOUSE))
        .child(area)
        .child(carts)
        .child(pool);
    #[cfg(feature = "durable")]
    let tree = tree.child(invoices);
    Ok((shop, url, tree.start(system).await?))
}

/// Lets customers come, until the time is over.
async fn trade(shop: &Shop, until: Option<Instant>) -> Result<(), Box<dyn Error>> {
    for customer in 1_u32.. {
        if until.is_some_and(|until| Instant::now() >= until) {
            break;
        }
        let till = fastrand::choice(&shop.tills).ok_or("there are tills")?;
        // A till that is down has a queue; one whose queue is full loses the customer.
        let _ = till.cast(match fastrand::u32(0..100) {
            0 => Sale::Jam,
            1 => Sale::Stuck,
            _ => Sale::Item,
        });
        if customer % 10 == 0 {
            let time = Duration::from_millis(fastrand::u64(500..4000));
            let cart = Child::new::<Cart>(format!("cart {customer}"), time).restart(Restart::Temporary);
            shop.carts.start_child(cart).await?;
            shop.mails.submit(customer / 10).detach().await?;
            #[cfg(feature = "durable")]
            shop.invoices.submit(customer / 10).await?;
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

/// Asks the console as a browser does.
async fn ask(url: &ConsoleUrl, path: &str) -> Result<String, Box<dyn Error>> {
    let mut stream = TcpStream::connect(url.address().ok_or("the console listens")?).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse()?;
    // The crashes are meant: their backtraces would hide the address.
    std::panic::set_hook(Box::new(|_| {}));
    let system = System::new();
    let (shop, url, app) = open(&options, &system).await?;
    print_line!("console: {}", url.get().ok_or("the console listens")?);
    print_line!("token for actions: {}", options.token);
    let until = options.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    match until {
        Some(_) => trade(&shop, until).await?,
        None => {
            tokio::select! {
                traded = trade(&shop, None) => traded?,
                _ = app.run_until_signal() => return Ok(()),
            }
        }
    }
    let overview = ask(&url, "/api/v1/overview").await?;
    assert!(overview.starts_with("HTTP/1.1 200"), "{overview}");
    assert!(overview.contains("\"balances\":true"), "{overview}");
    let metrics = ask(&url, "/metrics").await?;
    assert!(metrics.contains("perennial_actor_starts_total"), "{metrics}");
    print_line!("the messages of {} actors balance", system.processes().len());
    // What customers had asked for meanwhile is dropped.
    drop(timeout(Duration::from_secs(10), app.shutdown()).await?);
    Ok(())
}
