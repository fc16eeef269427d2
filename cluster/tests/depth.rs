//! Messages and answers that claim to be nested deeper than any stack.

use perennial_actors::{Actor, Address, Context, ExitReason, Reply};
use perennial_cluster::{Bincode, MemoryNetwork, RemoteErrorKind, Wire};
use perennial_registry::{Name, Registry};
use serde::ser::SerializeTuple;
use serde::{Deserialize, Serialize};

use crate::support::{Msg, Shop, name, pair};

/// A message, or an answer, that contains itself.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Chain(Option<Box<Self>>);

/// The bytes of a chain of so many elements, which no chain of that length was made for.
#[derive(Debug)]
struct Claim(usize);

impl Serialize for Claim {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = serializer.serialize_tuple(self.0)?;
        (0..self.0).try_for_each(|_| bytes.serialize_element(&1_u8))?;
        bytes.end()
    }
}

impl<'de> Deserialize<'de> for Claim {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("it is only sent"))
    }
}

/// What the office of the honest node handles: chains, and questions for one.
#[derive(Deserialize, Serialize)]
enum Honest {
    Take(Chain),
    Ask(Reply<Chain>),
}

/// The same messages, as a hostile node sends and answers them.
#[derive(Deserialize, Serialize)]
enum Hostile {
    Take(Claim),
    Ask(Reply<Claim>),
}

impl Wire for Honest {
    const TAG: &'static str = "test.office";
}

impl Wire for Hostile {
    const TAG: &'static str = "test.office";
}

/// Answers a question by a claim.
struct Office;

impl Actor for Office {
    type Msg = Hostile;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, message: Hostile, _: &mut Context<Self>) -> Result<(), ExitReason> {
        if let Hostile::Ask(reply) = message {
            reply.send(Claim(1_000_000));
        }
        Ok(())
    }
}

/// Accepts what it is sent.
struct Inbox;

impl Actor for Inbox {
    type Msg = Honest;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, _: Honest, _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

/// Starts an actor that has a name and is exposed.
async fn expose<A: Actor<Args = (), Msg: Wire>>(shop: &Shop, text: &'static str) -> Address<A::Msg> {
    let named = Name::new(text);
    let actor = shop.system.spawn::<A>(()).await.expect("it starts");
    Registry::of(&shop.system).bind(&named, &actor).expect("the name is free");
    shop.node.expose::<Bincode, A::Msg>(named).expect("there is room");
    actor
}

#[tokio::test(start_paused = true)]
async fn message_and_answer_that_claim_a_million_levels_are_refused_and_nothing_else() {
    let network = MemoryNetwork::new(1);
    let (a, b) = pair(&network).await;
    let _inbox = expose::<Inbox>(&a, "inbox").await;
    let _office = expose::<Office>(&b, "office").await;
    let inbox = b.node.at(&name("a"), Name::<Hostile>::new("inbox"));
    let refused = inbox.send(Hostile::Take(Claim(1_000_000))).await;
    let RemoteErrorKind::Decode(text) = refused.unwrap_err().kind else { panic!("it is refused") };
    assert!(text.contains("deeper than 128 levels"), "{text}");
    let answer = a.node.at(&name("b"), Name::<Honest>::new("office")).call(Honest::Ask).await;
    let RemoteErrorKind::Answer(text) = answer.unwrap_err().kind else { panic!("it is refused") };
    assert!(text.contains("deeper than 128 levels"), "{text}");
    let short = Honest::Take(Chain(Some(Box::new(Chain(None)))));
    b.node.at(&name("a"), Name::<Honest>::new("inbox")).send(short).await.unwrap();
    assert!(a.cart_of("b").call(Msg::Items).await.unwrap().is_empty());
}
