//! Actors on several threads that link and unlink each other at random while one of them ends. The
//! unit tests of the protocol prove each step; this is the same under real contention.

use perennial_actors::{ActorHandle, Context, ExitReason, Pid, System};

use crate::support::scripted::{Msg, ScriptedActor, TestProbe, trapper, why};

const ROUNDS: u64 = 300;

/// Random numbers that are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("it is small") % sides
    }
}

fn asks(hand: &TestProbe, deed: impl FnOnce(&mut Context<ScriptedActor>) + Send + 'static) {
    let deed = Msg::Do(Box::new(move |ctx| {
        deed(ctx);
        Ok(())
    }));
    // An actor that has ended accepts no message.
    let _ = hand.address.cast(deed);
}

/// Makes it link or unlink one of the others, at random.
fn tosses(hand: &TestProbe, others: &[ActorHandle], dice: &mut Dice) {
    let (other, links) = (others[dice.roll(others.len())].clone(), dice.roll(2) == 0);
    asks(hand, move |ctx| if links { ctx.link(&other).unwrap_or_default() } else { ctx.unlink(&other) });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_links_and_unlinks_leave_both_sides_in_agreement() {
    let (system, mut dice) = (System::new(), Dice(1));
    let mut crowd = Vec::new();
    for _ in 0..4 {
        crowd.push(trapper(&system).await);
    }
    let handles: Vec<ActorHandle> = crowd.iter().map(TestProbe::handle).collect();
    for round in 0..ROUNDS {
        for hand in crowd.iter().cycle().take(80) {
            tosses(hand, &handles, &mut dice);
        }
        for hand in &mut crowd {
            assert_eq!(hand.exits().await, [], "no actor has ended");
        }
        let links: Vec<(Pid, Vec<Pid>)> = crowd.iter().map(|hand| (hand.pid, hand.info().links)).collect();
        for (one, of_one) in &links {
            for (other, of_other) in &links {
                assert_eq!(of_one.contains(other), of_other.contains(one), "round {round}: {links:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_exit_amid_links_and_unlinks_leaves_no_link_and_is_delivered_at_most_once() {
    let system = System::new();
    for round in 0..ROUNDS {
        let (mut survivor, victim, mut dice) = (trapper(&system).await, trapper(&system).await, Dice(round));
        let ([of_survivor], [of_victim]) = ([survivor.handle()], [victim.handle()]);
        let (down, end) = (victim.address.monitor(), dice.roll(20));
        for toss in 0..20 {
            tosses(&survivor, std::slice::from_ref(&of_victim), &mut dice);
            tosses(&victim, std::slice::from_ref(&of_survivor), &mut dice);
            if toss == end {
                asks(&victim, |ctx| ctx.stop(ExitReason::failed("bad")));
            }
        }
        assert_eq!(why(down).await, "failed: bad");
        let exits = survivor.exits().await;
        let real = exits.iter().filter(|(from, reason)| *from == Some(victim.pid) && reason == "failed: bad");
        assert!(real.count() <= 1, "round {round}: {exits:?}");
        assert!(exits.iter().all(|(_, reason)| reason == "failed: bad" || reason == "no process"));
        assert_eq!(survivor.info().links, [], "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn c109_no_exit_comes_after_an_unlink_that_races_with_the_end() {
    let system = System::new();
    for round in 0..ROUNDS {
        let (mut survivor, victim) = (trapper(&system).await, trapper(&system).await);
        if round % 2 == 0 {
            survivor.links(&victim).await
        } else {
            victim.links(&survivor).await
        }
        let down = victim.address.monitor();
        asks(&victim, |ctx| ctx.stop(ExitReason::failed("bad")));
        survivor.unlinks(&victim).await;
        let told = survivor.exits().await;
        assert_eq!(why(down).await, "failed: bad");
        assert_eq!(survivor.exits().await, [], "round {round}");
        assert!(told.len() <= 1 && survivor.info().links.is_empty(), "round {round}: {told:?}");
    }
}
