//! ractor's `supervisor`: a leaf panics, and its end brings down the level above it, and the root.

#[macro_use]
#[path = "../support/output.rs"]
mod output;

use std::error::Error;
use std::time::Duration;

use perennial::prelude::*;
use perennial::{ReportKind, SupervisorReport};

enum Msg {
    NoOp,
    Boom,
}

struct Leaf;

impl Actor for Leaf {
    type Msg = Msg;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::NoOp => print_line!("the leaf does nothing"),
            Msg::Boom => panic!("boom"),
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // The panic is on purpose, and reported below.
    std::panic::set_hook(Box::new(|_| {}));
    let system = System::new();
    let mut reports = system.subscribe::<SupervisorReport>();
    // No restart is tolerated, so every crash goes up to the root.
    let supervisor = |id| Supervisor::new(id).intensity(0, Duration::from_secs(5));
    let mid_level = supervisor("mid-level").child(Child::new::<Leaf>("leaf", ()));
    let app = supervisor("root").child(mid_level).start(&system).await?;

    // The tree leads from the root to the leaf.
    let tree = app.tree();
    let leaf = tree.at(["mid-level", "leaf"]).and_then(|leaf| leaf.handle.address::<Msg>());
    let leaf = leaf.ok_or("there is a leaf")?;
    for _ in 1..10 {
        leaf.cast(Msg::NoOp)?;
    }
    leaf.cast(Msg::Boom)?;

    print_line!("the root has ended: {}", app.join().await);
    let mut gave_up = Vec::new();
    while let Some(report) = reports.try_next() {
        if let ReportKind::GaveUp { child } = report.kind {
            print_line!("{} has given up because of {child}", report.path);
            gave_up.push(report.path.to_string());
        }
    }
    assert_eq!(gave_up, ["root/mid-level", "root"]);
    Ok(())
}
