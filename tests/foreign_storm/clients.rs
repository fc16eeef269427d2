//! Clients that use the tree at random during the storm.

use std::sync::Arc;

use perennial::prelude::*;
use perennial::{Registry, TaskScope};
use tokio::task::yield_now;
use tokio::time::sleep;

use crate::faulty::{Dice, Faulty, Place, catch, drop_safely, with_faulty_waker};
use crate::tree::{NAMED, Storm, ms, volatile};
use crate::volatile::{Key, Msg, NEWS, News, Step, inspect};

/// Performs operations one after the other. An operation that waits runs in a task of its own.
pub(crate) async fn run(storm: Arc<Storm>, mut dice: Dice, operations: u64) {
    for _ in 0..operations {
        storm.operation(&mut dice);
        match dice.below(20) {
            0 => sleep(ms(1)).await,
            1..8 => yield_now().await,
            _ => {}
        }
    }
}

impl Storm {
    fn operation(&self, dice: &mut Dice) {
        let to = self.addresses[dice.below(self.addresses.len() as u64) as usize].clone();
        match dice.below(100) {
            0..24 => {
                let deed = Step::drawn(dice, self.may_block);
                drop_safely(to.cast(Msg::Do(deed, self.faults.value())));
            }
            24..46 => self.call(dice, to),
            46..52 => self.end(dice, &to),
            52..57 => self.send(dice, to),
            57..66 => self.look_up(dice, &to),
            66..74 => self.request(dice),
            74 => self.scope(dice),
            _ => self.pools.operation(dice, &self.faults, &self.requests),
        }
    }

    fn call(&self, dice: &mut Dice, to: Address<Msg>) {
        let faults = self.faults.clone();
        let kind = dice.below(20);
        self.requests.track(format!("call {kind}"), async move {
            match kind {
                0..7 => drop_safely(to.call(Msg::Answer).timeout(ms(20)).await),
                7..11 => {
                    let call = to.call(Msg::Answer).no_timeout().into_future();
                    drop_safely(with_faulty_waker(faults, call).await);
                }
                11..13 => drop_safely(to.call(Msg::AnswerLast).no_timeout().await),
                13..16 => {
                    let call = to.call(Msg::Keep).no_timeout().into_future();
                    drop_safely(with_faulty_waker(faults, call).await);
                }
                16 => drop_safely(to.call(Msg::FailWith).timeout(ms(2000)).await),
                _ => {
                    let mut call = Box::pin(to.call(Msg::Answer).no_timeout().into_future());
                    tokio::select! {
                        biased;
                        answer = &mut call => drop_safely(answer),
                        () = yield_now() => {}
                    }
                    // The error may hold the reply.
                    drop_safely(call);
                }
            }
        });
    }

    fn end(&self, dice: &mut Dice, to: &Address<Msg>) {
        match dice.below(20) {
            0 => drop(self.nested.handle().kill()),
            1 => drop(self.dynamic.handle().kill()),
            2..6 => drop(to.stop(ExitReason::shutdown())),
            6..8 => drop(to.handle().send_exit(ExitReason::failed(self.faults.value()))),
            8 => drop(to.stop(ExitReason::failed(self.faults.value()))),
            _ => drop(to.kill()),
        }
    }

    fn send(&self, dice: &mut Dice, to: Address<Msg>) {
        let (faults, kind) = (self.faults.clone(), dice.below(4));
        self.requests.track(format!("send {kind}"), async move {
            match kind {
                0 => drop_safely(to.send(Msg::Do(Step::Nothing, faults.value())).timeout(ms(3)).await),
                1 => {
                    let message = Msg::Do(Step::Continue, faults.value());
                    drop_safely(with_faulty_waker(faults, to.send(message)).await);
                }
                2 => {
                    if let Ok(permit) = with_faulty_waker(faults.clone(), to.reserve()).await {
                        drop_safely(permit.send(Msg::Do(Step::Timer, faults.value())));
                    }
                }
                _ => inspect(to.handle(), faults).await,
            }
        });
    }

    fn look_up(&self, dice: &mut Dice, to: &Address<Msg>) {
        let registry = Registry::of(&self.system);
        match dice.below(11) {
            0..4 => {
                let monitor = to.monitor();
                let faults = self.faults.clone();
                self.requests
                    .track("monitor", async move { drop_safely(with_faulty_waker(faults, monitor).await) });
            }
            4..6 => {
                let news = News(self.faults.value());
                let published = catch(|| registry.topic(NEWS).publish(&news));
                drop_safely(news);
                assert!(published.is_some(), "publish does not panic");
            }
            6 => {
                let key = Key(dice.below(50), self.faults.value());
                catch(|| drop_safely(self.keys.lookup(&key)));
                drop_safely(key);
            }
            7 => self.hook(to),
            8 => {
                let look = |key, entry| {
                    drop_safely(key);
                    drop_safely(entry);
                    None::<()>
                };
                catch(|| self.keys.select(look));
            }
            9 => drop_safely(registry.metadata::<Faulty>(NAMED.as_str())),
            _ => {
                let was_set = registry.set_metadata(NAMED, to, self.faults.value());
                assert!(
                    !was_set || to.handle() == self.addresses_of_named(),
                    "metadata is set by the owner only"
                );
            }
        }
    }

    /// Adds a hook for the end of an incarnation, and sends a part of a message.
    fn hook(&self, to: &Address<Msg>) {
        let (value, faults) = (self.faults.value(), self.faults.clone());
        if let Some(pid) = to.pid() {
            to.handle().on_end(pid, move |_| drop(value.throw_sometimes(Place::Closure, 3)));
        } else {
            drop_safely(value);
        }
        let sent = catch(|| to.recipient::<News>().cast(News(faults.value())));
        drop_safely(sent);
    }

    fn addresses_of_named(&self) -> perennial::ActorHandle {
        self.system.whereis(NAMED).expect("the name is bound").handle()
    }

    fn request(&self, dice: &mut Dice) {
        let (faults, keys) = (self.faults.clone(), self.keys.clone());
        let (nested, dynamic) = (self.nested.clone(), self.dynamic.clone());
        let (kind, number) = (dice.below(8), dice.below(30));
        self.requests.track(format!("request {kind}"), async move {
            match kind {
                0..3 => {
                    let restart = if number % 2 == 0 { Restart::Temporary } else { Restart::Transient };
                    let child = volatile("brief", &faults, &keys, None).restart(restart);
                    drop_safely(with_faulty_waker(faults, dynamic.start_child(child)).await);
                }
                3..5 => {
                    let children = dynamic.which_children().await.unwrap_or_default();
                    let pids: Vec<_> = children.iter().filter_map(|child| child.pid).collect();
                    if let Some(pid) = pids.get(number as usize % pids.len().max(1)) {
                        drop(dynamic.terminate_child(*pid).await);
                    }
                }
                5 => {
                    drop_safely(nested.start_child(volatile("extra", &faults, &keys, None)).await);
                }
                6 => {
                    drop_safely(nested.terminate_child("extra").await);
                    drop_safely(nested.delete_child("extra").await);
                }
                _ => {
                    drop_safely(nested.terminate_child("second").await);
                    // It must run at the end: retry until it is started, here or by another
                    // request.
                    while let Err(error) = nested.restart_child("second").await {
                        match error {
                            perennial::ChildError::StartFailed(reason) => drop_safely(reason),
                            _ => break,
                        }
                    }
                }
            }
        });
    }

    fn scope(&self, dice: &mut Dice) {
        let (faults, system, is_joined) = (self.faults.clone(), self.system.clone(), dice.below(2) == 0);
        self.requests.track("scope", async move {
            let mut scope = TaskScope::start("scope", &system).await.expect("there is a runtime");
            for _ in 0..3 {
                let (faults, value) = (faults.clone(), faults.value());
                let task = async move {
                    yield_now().await;
                    value.throw_sometimes(Place::Future, 3);
                    yield_now().await;
                    faults.value()
                };
                drop_safely(scope.spawn("task", task).await);
            }
            if is_joined {
                scope.join_all().await.into_iter().for_each(drop_safely);
            } else {
                drop_safely(scope);
            }
        });
    }
}
