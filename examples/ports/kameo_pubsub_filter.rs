//! kameo's `pubsub_filter`: three subscribers. Two want only a part of what is published.

#[macro_use]
#[path = "../support/output.rs"]
mod output;

use std::error::Error;

use perennial::prelude::*;
use perennial::{Registry, SlowSubscriberPolicy, Topic};

const NOTES: Topic<String> = Topic::new("notes");

enum Msg {
    Note(String),
    Seen(Reply<Vec<String>>),
}

impl From<String> for Msg {
    fn from(note: String) -> Self {
        Self::Note(note)
    }
}

struct Reader(&'static str, Vec<String>);

impl Actor for Reader {
    type Msg = Msg;
    type Args = &'static str;

    async fn init(name: &&'static str, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self(name, Vec::new()))
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Note(note) => {
                print_line!("{} {}: {note}", self.0, ctx.pid());
                self.1.push(note);
            }
            Msg::Seen(reply) => reply.send(self.1.clone()),
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let system = System::new();
    let notes = Registry::of(&system).topic(NOTES);
    // With mailboxes without a bound, every subscriber gets every message.
    let reader = |name| system.spawn::<Reader>(name).mailbox(MailboxConfig::unbounded());
    let (a, b, c) = (reader("a").await?, reader("b").await?, reader("c").await?);
    for (reader, prefix) in [(&a, "a:"), (&b, "b:")] {
        notes.subscribe_with(reader, SlowSubscriberPolicy::Skip, move |note: &String| {
            note.starts_with(prefix).then(|| Msg::Note(note.clone()))
        });
    }
    notes.subscribe(&c, SlowSubscriberPolicy::Skip);

    let published = ["a: important", "b: very important"].map(str::to_owned);
    let published = published.map(|note| notes.publish(&note));
    assert!(published.iter().all(|report| (report.delivered, report.filtered) == (2, 1)));
    assert_eq!(a.call(Msg::Seen).await?, ["a: important"]);
    assert_eq!(b.call(Msg::Seen).await?, ["b: very important"]);
    assert_eq!(c.call(Msg::Seen).await?.len(), 2);
    Ok(())
}
