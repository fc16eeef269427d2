//! Round robin in a group: every member gets its turn while members join, leave, crash and join
//! again.

use std::collections::VecDeque;

use perennial_actors::{Address, System};
use perennial_registry::{Group, GroupHandle, Registry};

use crate::support::{ManagedActor, Msg, kill, scripted_actor};

fn group(system: &System) -> GroupHandle<Msg> {
    Registry::of(system).group(Group::new("group"))
}

#[tokio::test(start_paused = true)]
async fn member_that_crashes_at_each_job_and_rejoins_gets_exactly_its_share() {
    let system = System::new();
    let mut managed = ManagedActor::start(&system, |ctx| {
        group(ctx.system()).join(&ctx.address()).expect("an incarnation runs")
    })
    .await;
    let others =
        [scripted_actor(&system).await, scripted_actor(&system).await, scripted_actor(&system).await];
    others.iter().for_each(|member| group(&system).join(member).expect("an incarnation runs"));
    let mut jobs = [0; 4];
    for _ in 0..400 {
        let chosen = group(&system).round_robin().expect("the group has members");
        match others.iter().position(|other| *other == chosen) {
            Some(other) => jobs[other] += 1,
            None => {
                jobs[3] += 1;
                managed.restart().await;
            }
        }
    }
    assert_eq!(jobs, [100; 4]);
}

/// One membership of the model.
struct Membership {
    /// Counts the memberships.
    number: usize,
    actor: Address<Msg>,
    /// The number of choices since it joined or had its last turn.
    waited: usize,
    /// The number of members at that time, itself included.
    bound: usize,
}

/// The model of a group. The first membership is the next in turn.
#[derive(Default)]
struct Model {
    turns: VecDeque<Membership>,
    joined: usize,
}

impl Model {
    fn wait(&mut self, number: usize, actor: Address<Msg>) {
        let bound = self.turns.len() + 1;
        self.turns.push_back(Membership { number, actor, waited: 0, bound });
    }

    fn join(&mut self, actor: &Address<Msg>) {
        self.joined += 1;
        self.wait(self.joined, actor.clone());
    }

    fn leave(&mut self, actor: &Address<Msg>) -> bool {
        let own = self.turns.iter().filter(|membership| membership.actor == *actor);
        let Some(oldest) = own.map(|membership| membership.number).min() else { return false };
        self.turns.retain(|membership| membership.number != oldest);
        true
    }

    fn choose(&mut self) -> Option<Address<Msg>> {
        let chosen = self.turns.pop_front()?;
        self.turns.iter_mut().for_each(|membership| membership.waited += 1);
        assert!(chosen.waited < chosen.bound, "the member waited for more choices than there were members");
        self.wait(chosen.number, chosen.actor.clone());
        Some(chosen.actor)
    }
}

#[tokio::test(start_paused = true)]
async fn member_waits_at_most_as_many_choices_as_there_were_members_when_it_joined() {
    for seed in 1..=20_u64 {
        let (system, mut model, mut actors) = (System::new(), Model::default(), Vec::new());
        let (group, mut dice) = (group(&system), seed);
        let mut roll = |sides: usize| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (dice >> 33) as usize % sides
        };
        let (mut choices, mut ends) = (0, 0);
        for _ in 0..1_000 {
            let act = roll(10);
            if actors.len() < 2 || (act == 0 && actors.len() < 12) {
                actors.push(scripted_actor(&system).await);
            }
            let place = roll(actors.len());
            match act {
                0..=2 => {
                    group.join(&actors[place]).expect("an incarnation runs");
                    model.join(&actors[place]);
                }
                3 | 4 => assert_eq!(group.leave(&actors[place]).is_ok(), model.leave(&actors[place])),
                5 => {
                    let ended = actors.swap_remove(place);
                    kill(&ended).await;
                    while model.leave(&ended) {}
                    ends += 1;
                }
                _ => {
                    assert_eq!(group.round_robin(), model.choose());
                    choices += 1;
                }
            }
        }
        assert!(choices > 300 && ends > 50, "seed {seed}: {choices} choices, {ends} ends");
        assert_eq!(group.members().len(), model.turns.len());
    }
}
