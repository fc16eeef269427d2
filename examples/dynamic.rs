//! Children that come and go: sessions that are started from a template up to a maximum, and
//! partitions whose number changes while they run.
//!
//! ```text
//! cargo run --release --example dynamic
//! ```

#[macro_use]
#[path = "support/output.rs"]
mod output;

use std::error::Error;
use std::num::NonZeroUsize;

use perennial::prelude::*;
use perennial::{DynamicSupervisor, PartitionSupervisor, StartChildErrorKind};

/// A session of one user.
struct Session {
    user: String,
    requests: u32,
}

enum Msg {
    /// Returns the user, and the number of requests that this incarnation has served.
    Request(Reply<(String, u32)>),
    Crash,
}

impl Actor for Session {
    type Msg = Msg;
    type Args = String;

    async fn init(user: &String, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self { user: user.clone(), requests: 0 })
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Request(reply) => {
                self.requests += 1;
                reply.send((self.user.clone(), self.requests));
                Ok(())
            }
            Msg::Crash => Err(ExitReason::failed("on purpose")),
        }
    }
}

async fn sessions(system: &System) -> Result<(), Box<dyn Error>> {
    let app = DynamicSupervisor::new("sessions").max_children(3).start(system).await?;
    let sessions = app.supervisor().template(|user: String| Child::new::<Session>("session", user));

    let ada = sessions.start_child("ada".to_owned()).await?;
    let grace = sessions.start_child("grace".to_owned()).await?;
    sessions.start_child("barbara".to_owned()).await?;
    let refused = sessions.start_child("edsger".to_owned()).await.err().ok_or("there are three")?;
    print_line!("edsger is refused: {}", refused.kind);
    assert!(matches!(refused.kind, StartChildErrorKind::MaxChildren));

    // A session that crashes starts from the same arguments again, at the same address.
    ada.call(Msg::Request).await?;
    assert_eq!(ada.call(Msg::Request).await?, ("ada".to_owned(), 2));
    ada.cast(Msg::Crash)?;
    let (user, requests) = ada.call(Msg::Request).await?;
    print_line!("after a crash {user} has served {requests} request");
    assert_eq!((&*user, requests), ("ada", 1));

    // A dynamic child is identified by its pid. Once terminated it is gone, and makes room.
    app.supervisor().terminate_child(grace.pid().ok_or("it lives")?).await?;
    assert!(grace.cast(Msg::Crash).is_err(), "the session has ended for good");
    // The refused spec came back in the error, and can be started now.
    app.supervisor().start_child(refused.child).await?;
    let count = app.supervisor().count_children().await?;
    print_line!("{} sessions run", count.active);
    assert_eq!((count.specs, count.active), (3, 3));
    assert!(app.shutdown().await.is_clean());
    Ok(())
}

/// A partition: it keeps a part of the words, and answers with its number.
struct Shelf(usize);

impl Actor for Shelf {
    type Msg = Reply<usize>;
    type Args = usize;

    async fn init(number: &usize, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self(*number))
    }

    async fn handle(&mut self, which: Reply<usize>, _: &mut Context<Self>) -> Result<(), ExitReason> {
        which.send(self.0);
        Ok(())
    }
}

async fn partitions(system: &System) -> Result<(), Box<dyn Error>> {
    let max = NonZeroUsize::new(8).ok_or("eight is not zero")?;
    let shelves = PartitionSupervisor::new("shelves", max, |number| Child::new::<Shelf>("shelf", number));
    let partitions = shelves.handle();
    let app = shelves.start(system).await?;

    for size in [8, 3, 5] {
        partitions.resize(size).await?;
        let mut spread = Vec::new();
        for word in ["alder", "beech", "cedar", "elm", "fir", "hazel"] {
            let shelf = partitions.address(word).ok_or("there are shelves")?;
            spread.push(shelf.call(|which| which).await?);
        }
        print_line!("six words among {size} shelves: {spread:?}");
        assert!(spread.iter().all(|shelf| *shelf < size));
        assert_eq!(app.supervisor().count_children().await?.active, size);
    }
    assert!(partitions.resize(9).await.is_err(), "eight is the maximum");
    assert!(app.shutdown().await.is_clean());
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let system = System::new();
    sessions(&system).await?;
    partitions(&system).await
}
