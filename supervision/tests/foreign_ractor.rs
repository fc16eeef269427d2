//! Ractor actors whose every part panics when it is dropped: each drop has its own guard, and their
//! supervisor continues.

use std::future::pending;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use perennial_actors::{Address, ExitReason, Reply, System};
use perennial_supervision::{App, Child, Supervisor, SupervisorHandle};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef};

use crate::support::bombs::Bomb;

/// Holds a bomb, as its state does and as its arguments may.
struct ScriptedActor {
    _bomb: Bomb,
}

struct State {
    bomb: Bomb,
}

enum Order {
    Fail,
    Hang,
    Supervisor(Reply<Option<ActorCell>>),
}

impl Actor for ScriptedActor {
    type Msg = Order;
    type State = State;
    type Arguments = Bomb;

    async fn pre_start(&self, _: ActorRef<Order>, bomb: Bomb) -> Result<State, ActorProcessingErr> {
        Ok(State { bomb })
    }

    async fn handle(
        &self,
        myself: ActorRef<Order>,
        order: Order,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match order {
            Order::Fail => return Err("on purpose".into()),
            Order::Hang => {
                let _local = state.bomb.clone();
                pending::<()>().await;
            }
            Order::Supervisor(reply) => reply.send(myself.try_get_supervisor()),
        }
        Ok(())
    }
}

async fn start(bomb: &Bomb) -> (App<SupervisorHandle>, Address<Order>) {
    let bomb = ManuallyDrop::new(bomb.clone());
    let make = move || (ScriptedActor { _bomb: Bomb::clone(&bomb) }, Bomb::clone(&bomb));
    let child = Child::ractor("a", make);
    let address = child.address();
    let tree = Supervisor::new("app").intensity(5, Duration::from_secs(1)).child(child);
    (tree.start(&System::new()).await.expect("it starts"), address)
}

fn bomb() -> (ManuallyDrop<Bomb>, Arc<AtomicU32>) {
    let bomb = ManuallyDrop::new(Bomb::new());
    let dropped = bomb.0.clone();
    (bomb, dropped)
}

async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn an_actor_and_its_state_may_both_panic_as_they_are_dropped() {
    let (bomb, dropped) = bomb();
    let (app, address) = start(&bomb).await;
    let down = address.monitor();
    address.cast(Order::Fail).expect("it is open");
    assert!(matches!(down.await.reason, ExitReason::Panicked(_)), "the reason is what happened last");
    assert!(address.call(Order::Supervisor).await.expect("it answers").is_some());
    assert_eq!(dropped.load(Ordering::Relaxed), 2);
    assert!(app.shutdown().await.is_clean());
    settle().await;
    assert_eq!(dropped.load(Ordering::Relaxed), 4);
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_is_killed_may_panic_with_what_it_held_too() {
    let (bomb, dropped) = bomb();
    let (app, address) = start(&bomb).await;
    address.cast(Order::Hang).expect("it is open");
    settle().await;
    let down = address.monitor();
    address.kill().expect("it lives");
    assert!(matches!(down.await.reason, ExitReason::Killed | ExitReason::Panicked(_)));
    assert!(address.call(Order::Supervisor).await.expect("it answers").is_some());
    assert_eq!(dropped.load(Ordering::Relaxed), 3);
    assert!(app.shutdown().await.is_clean());
}

/// An actor that is linked to a supervisor by ractor's means alone.
struct Stranger(ManuallyDrop<Bomb>);

impl Actor for Stranger {
    type Msg = ();
    type State = State;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<State, ActorProcessingErr> {
        Ok(State { bomb: Bomb::clone(&self.0) })
    }
}

#[tokio::test(start_paused = true)]
async fn a_state_that_ractor_hands_to_a_supervisor_may_panic_as_it_is_dropped() {
    let (bomb, dropped) = bomb();
    let (app, address) = start(&bomb).await;
    let supervisor = address.call(Order::Supervisor).await.expect("it answers").expect("it has one");
    let stranger = Stranger(ManuallyDrop::new(Bomb::clone(&bomb)));
    let (stranger, ended) = Actor::spawn_linked(None, stranger, (), supervisor).await.expect("it starts");
    stranger.stop(None);
    ended.await.expect("it does not panic");
    settle().await;
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
    assert_eq!(app.tree().pid.map(|pid| pid.incarnation()), Some(1));
    assert_eq!(app.supervisor().count_children().await.expect("it lives").active, 1);
    assert!(app.shutdown().await.is_clean());
}
