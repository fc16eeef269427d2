//! A shop: one actor prices orders, another has them packed, and a durable job writes the invoice.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use perennial::pool::{JobContext, Pool};
use perennial::{Actor, Address, Context, ExitReason, Reply, System};
use perennial_durable::MemoryStore;
use perennial_durable::pool::{Durable, DurableHandle};
use tracing::{Instrument, info_span};

use crate::export;

/// Prices orders.
struct Shop {
    packer: Address<u64>,
}

/// An order of so many pieces. The reply is the price.
struct Order(u64, Reply<u64>);

impl Actor for Shop {
    type Msg = Order;
    type Args = Address<u64>;

    async fn init(packer: &Address<u64>, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self { packer: packer.clone() })
    }

    async fn handle(&mut self, Order(pieces, reply): Order, _: &mut Context<Self>) -> Result<(), ExitReason> {
        self.packer.cast(pieces)?;
        reply.send(pieces * 3);
        Ok(())
    }
}

/// Packs orders, and submits an invoice for each.
struct Packer {
    invoices: DurableHandle<Invoices>,
}

impl Actor for Packer {
    type Msg = u64;
    type Args = DurableHandle<Invoices>;

    async fn init(invoices: &DurableHandle<Invoices>, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self { invoices: invoices.clone() })
    }

    async fn handle(&mut self, pieces: u64, _: &mut Context<Self>) -> Result<(), ExitReason> {
        let invoice = self.invoices.submit(pieces).await?;
        invoice.outcome().await?;
        Ok(())
    }
}

type Invoices = fn(u64) -> Result<u64, String>;

async fn write_invoice(pieces: u64, ctx: JobContext<'static>) -> Result<u64, String> {
    if let Some(trace) = ctx.traceparent() {
        export::link_to(trace);
    }
    Ok(pieces)
}

/// Buys two pieces, and returns their price once the invoice is written and the shop is closed.
///
/// # Errors
///
/// Fails if a part of the shop fails.
pub async fn buy() -> Result<u64, Box<dyn Error>> {
    let system = System::new();
    let pool: Pool<Invoices> =
        Pool::from_fn_with_context("invoices", 1, |pieces: &u64, ctx| write_invoice(*pieces, ctx));
    let pool = pool.durable(Arc::new(MemoryStore::new())).traceparent_from(export::traceparent);
    let invoices = pool.handle();
    let app = pool.start(&system).await?;
    let packer = system.spawn::<Packer>(invoices).await?;
    let shop = system.spawn::<Shop>(packer).await?;
    let price = shop.call(|reply| Order(2, reply)).instrument(info_span!("buy")).await?;
    system.settled().await;
    assert!(app.shutdown().await.is_clean());
    assert!(system.shutdown(Duration::from_secs(5)).await?.is_clean());
    Ok(price)
}
