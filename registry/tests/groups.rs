//! Groups: OTP's `pg`, with ways to choose a member.

use std::collections::HashSet;

use perennial_actors::{Actor, ActorHandle, Address, Context, ExitReason, MailboxConfig, System};
use perennial_registry::{Group, GroupChange, GroupHandle, GroupJoinError, NotJoinedError, Registry};
use support::{Hosted, Msg, Puppet, have, kill, puppet};

mod support;

const GROUP: Group<Msg> = Group::new("group");

fn group(system: &System) -> GroupHandle<Msg> {
    Registry::of(system).group(GROUP)
}

/// Three that have joined, in this order.
async fn three(system: &System) -> [Address<Msg>; 3] {
    let all = [puppet(system).await, puppet(system).await, puppet(system).await];
    all.iter().for_each(|member| group(system).join(member).expect("it lives"));
    all
}

/// What was told so far: who, and whether it has joined.
fn told(mut next: impl FnMut() -> Option<GroupChange>) -> Vec<(ActorHandle, bool)> {
    std::iter::from_fn(|| next().map(|change| (change.actor, change.joined))).collect()
}

#[tokio::test(start_paused = true)]
async fn c148_who_joins_twice_is_listed_twice_and_leaves_once() {
    let (system, registry) = (System::new(), Registry::default());
    let group = registry.group(GROUP);
    assert!(group.members().is_empty() && registry.which_groups().is_empty());
    let (one, other) = (puppet(&system).await, puppet(&system).await);
    for member in [&one, &other, &one] {
        assert_eq!(group.join(member), Ok(()));
    }
    assert_eq!(group.members(), [one.clone(), other.clone(), one.clone()]);
    assert_eq!(registry.which_groups(), ["group"]);
    assert_eq!(group.leave(&one), Ok(()));
    assert_eq!(group.members(), [other.clone(), one.clone()]);
    assert_eq!(group.leave(&one), Ok(()));
    assert_eq!(group.leave(&one), Err(NotJoinedError));
    assert_eq!(group.leave(&other), Ok(()));
    assert!(group.members().is_empty() && registry.which_groups().is_empty());
}

#[tokio::test(start_paused = true)]
async fn c148_who_is_no_member_cannot_leave_and_who_does_not_live_cannot_join() {
    let system = System::new();
    let [one, ..] = three(&system).await;
    let stranger = puppet(&system).await;
    assert_eq!(group(&system).leave(&stranger), Err(NotJoinedError));
    let elsewhere: Group<Msg> = Group::from("elsewhere".to_owned());
    assert_eq!(Registry::of(&system).group(elsewhere).leave(&one), Err(NotJoinedError));
    kill(&stranger).await;
    assert_eq!(group(&system).join(&stranger), Err(GroupJoinError));
    assert_eq!(group(&system).leave(&stranger), Err(NotJoinedError));
    assert_eq!(group(&system).members().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn c148_an_end_is_the_end_of_all_memberships_and_a_restart_joins_again() {
    let system = System::new();
    let other = puppet(&system).await;
    group(&system).join(&other).expect("it lives");
    let init = |ctx: &mut Context<Puppet>| {
        let registry = Registry::of(ctx.system());
        for group in [GROUP, GROUP, Group::new("another")] {
            registry.group(group).join(&ctx.address()).expect("it lives");
        }
    };
    let mut hosted = Hosted::start(&system, init).await;
    let member = hosted.address.clone();
    for _ in 0..5 {
        assert_eq!(group(&system).members(), [other.clone(), member.clone(), member.clone()]);
        assert_eq!(Registry::of(&system).which_groups(), ["another", "group"]);
        hosted.crash().await;
        assert_eq!(group(&system).members(), std::slice::from_ref(&other));
        assert_eq!(Registry::of(&system).which_groups(), ["group"], "an empty group is none");
        assert_eq!(
            group(&system).join(&member),
            Err(GroupJoinError),
            "it is the incarnation that is a member"
        );
        hosted.start_next().await;
    }
}

#[tokio::test(start_paused = true)]
async fn c148_a_monitor_knows_the_members_and_hears_who_joins_and_leaves() {
    let system = System::new();
    let [one, other, third] = three(&system).await;
    let mut monitor = group(&system).monitor();
    assert_eq!(monitor.members(), [one.clone(), other.clone(), third.clone()]);
    assert!(monitor.try_next().is_none(), "they are known");
    group(&system).leave(&other).expect("it is in it");
    group(&system).join(&other).expect("it lives");
    // Of another group of that name, and of another name.
    Registry::of(&system).group(Group::<Msg>::new("another")).join(&one).expect("it lives");
    let down = third.monitor();
    third.kill().expect("it lives");
    down.await;
    let heard = told(|| monitor.try_next());
    assert_eq!(heard, [(other.handle(), false), (other.handle(), true), (third.handle(), false)]);
    assert_eq!(monitor.missed(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_monitor_waits_for_the_next_and_one_of_the_scope_hears_of_every_group() {
    let system = System::new();
    let (mut monitor, mut all) = (group(&system).monitor(), system.subscribe::<GroupChange>());
    let one = puppet(&system).await;
    let (registry, member) = (Registry::of(&system).clone(), one.clone());
    tokio::spawn(async move {
        for name in [Group::new("another"), GROUP] {
            registry.group(name).join(&member).expect("it lives");
        }
    });
    let joined = monitor.next().await.expect("the system is there");
    assert_eq!((&*joined.group, joined.actor, joined.joined), ("group", one.handle(), true));
    let heard: Vec<_> = std::iter::from_fn(|| all.try_next()).map(|change| change.group).collect();
    assert_eq!(heard, ["another", "group"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_joins_and_leaves_meanwhile_a_monitor_misses_nobody_and_names_nobody_twice() {
    let system = System::new();
    for _ in 0..50 {
        let mut members = Vec::new();
        for _ in 0..8 {
            members.push(puppet(&system).await);
        }
        // Each half of them comes and goes, some for good.
        let threads = members.chunks(4).map(|half| {
            let (half, group) = (half.to_vec(), group(&system));
            std::thread::spawn(move || {
                for round in 0..10 {
                    for (number, member) in half.iter().enumerate() {
                        group.join(member).expect("it lives");
                        if number < 2 || round == 9 {
                            group.leave(member).expect("it is in it");
                        }
                    }
                }
            })
        });
        let threads: Vec<_> = threads.collect();
        members[3].kill().expect("it lives");
        let mut monitor = group(&system).monitor();
        let mut known: Vec<ActorHandle> = monitor.members().iter().map(Address::handle).collect();
        let failed = threads.into_iter().map(std::thread::JoinHandle::join).filter(Result::is_err).count();
        assert!(failed <= 1, "but of the one that may have died before it joined");
        kill_all(&members).await;
        for (who, joined) in told(|| monitor.try_next()) {
            match known.iter().position(|handle| *handle == who) {
                Some(place) if !joined => drop(known.remove(place)),
                None if !joined => panic!("{who:?} was no member"),
                _ => known.push(who),
            }
        }
        assert_eq!((known, monitor.missed()), (vec![], 0));
        assert!(group(&system).members().is_empty());
    }
}

async fn kill_all(all: &[Address<Msg>]) {
    for one in all {
        let down = one.monitor();
        // One may have been killed already.
        let _ = one.kill();
        down.await;
    }
}

#[tokio::test(start_paused = true)]
async fn groups_of_one_name_with_other_messages_are_others() {
    struct Counter;

    impl Actor for Counter {
        type Msg = u64;
        type Args = ();

        async fn init((): &(), ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
            Registry::of(ctx.system()).group(Group::new("group")).join(&ctx.address())?;
            Ok(Self)
        }

        async fn handle(&mut self, _: u64, _: &mut Context<Self>) -> Result<(), ExitReason> {
            Ok(())
        }
    }

    let system = System::new();
    let mut monitor = group(&system).monitor();
    let counter = system.spawn::<Counter>(()).await.expect("it starts");
    let [one, ..] = three(&system).await;
    let counters: GroupHandle<u64> = Registry::of(&system).group(Group::new("group"));
    assert_eq!((counters.members(), group(&system).members().len()), (vec![counter.clone()], 3));
    assert_eq!(Registry::of(&system).which_groups(), ["group"], "they share the name");
    for name in ["d", "b", "e", "a", "c"] {
        Registry::of(&system).group(Group::<Msg>::new(name)).join(&one).expect("it lives");
    }
    assert_eq!(Registry::of(&system).which_groups(), ["a", "b", "c", "d", "e", "group"], "sorted");
    assert_eq!(told(|| monitor.try_next()).first(), Some(&(one.handle(), true)));
    counters.leave(&counter).expect("it is in it");
    assert_eq!(group(&system).members().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn of_an_empty_group_nobody_is_chosen_and_of_one_with_members_any_is_one() {
    let system = System::new();
    let empty = group(&system);
    assert!(empty.any().is_none() && empty.round_robin().is_none());
    assert!(empty.by_key(&7).is_none() && empty.least_queued().is_none());
    assert!(Registry::of(&system).which_groups().is_empty(), "to ask makes no group");
    let all = three(&system).await;
    assert!(group(&system).any().is_some_and(|any| all.contains(&any)));
}

#[tokio::test(start_paused = true)]
async fn everybody_gets_a_turn_and_nobody_loses_it_because_another_leaves() {
    let system = System::new();
    let [one, other, third] = three(&system).await;
    let (group, again) = (group(&system), group(&system));
    let turns: Vec<_> = (0..3).flat_map(|_| [group.round_robin(), again.round_robin()]).flatten().collect();
    let round = [one.clone(), other.clone(), third.clone()];
    assert_eq!(turns, [&round[..], &round[..]].concat(), "whoever asks");
    assert_eq!(group.round_robin(), Some(one.clone()));
    kill(&one).await;
    assert_eq!(group.round_robin(), Some(other.clone()));
    let newcomer = puppet(&system).await;
    group.join(&newcomer).expect("it lives");
    let turns: Vec<_> = (0..4).filter_map(|_| group.round_robin()).collect();
    assert_eq!(turns, [third.clone(), other, newcomer, third]);
}

#[tokio::test(start_paused = true)]
async fn a_key_moves_to_a_newcomer_or_from_who_has_left_and_never_between_those_that_stay() {
    let system = System::new();
    let mut members = three(&system).await.to_vec();
    let chosen = |keys: std::ops::Range<u32>| -> Vec<Address<Msg>> {
        keys.map(|key| group(&system).by_key(&key).expect("it has members")).collect()
    };
    let before = chosen(0..300);
    assert_eq!(before.iter().collect::<HashSet<_>>().len(), 3, "each has some of the keys");
    for _ in 0..3 {
        let newcomer = puppet(&system).await;
        group(&system).join(&newcomer).expect("it lives");
        members.push(newcomer);
    }
    for (key, (was, is)) in before.iter().zip(chosen(0..300)).enumerate() {
        assert!(
            is == *was || members[3..].contains(&is),
            "key {key} has moved between those that were there"
        );
    }
    let with_six = chosen(0..300);
    kill(&members[0]).await;
    for (was, is) in with_six.iter().zip(chosen(0..300)) {
        assert!(is == *was || *was == members[0], "only the keys of who has left move");
    }
    let mut hosted =
        Hosted::start(&system, |ctx| group(ctx.system()).join(&ctx.address()).expect("it lives")).await;
    let with_hosted = chosen(0..300);
    assert!(with_hosted.contains(&hosted.address));
    hosted.crash().await;
    assert!(!chosen(0..300).contains(&hosted.address));
    hosted.start_next().await;
    assert_eq!(chosen(0..300), with_hosted, "a restart gets its keys back");
}

#[tokio::test(start_paused = true)]
async fn the_least_queued_is_who_has_the_fewest_messages_waiting() {
    let system = System::new();
    let all = three(&system).await;
    // Nobody runs between these.
    let queue = |member: &Address<Msg>, messages: u32| {
        (0..messages).for_each(|said| member.cast(Msg::Heard(said)).expect("it has room"));
    };
    queue(&all[0], 2);
    queue(&all[1], 1);
    queue(&all[2], 3);
    assert_eq!(group(&system).least_queued(), Some(all[1].clone()));
    queue(&all[1], 3);
    assert_eq!(group(&system).least_queued(), Some(all[0].clone()));
    have(&all[2], |_| ()).await;
    assert_eq!(group(&system).least_queued().map(|member| member.counters().queued), Some(0));
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Note(u32);

/// Takes notes, and says nothing.
struct Reader;

impl Actor for Reader {
    type Msg = Note;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, _: Note, _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_reaches_each_member_once_and_tells_which_had_no_room() {
    let system = System::new();
    let readers = Registry::of(&system).group(Group::<Note>::new("readers"));
    assert_eq!(readers.broadcast(&Note(0)).delivered, 0);
    let small = system.spawn::<Reader>(()).mailbox(MailboxConfig::bounded(1)).await.expect("it starts");
    let large = system.spawn::<Reader>(()).await.expect("it starts");
    for member in [&small, &large, &large] {
        readers.join(member).expect("it lives");
    }
    assert_eq!((readers.members().len(), readers.broadcast(&Note(1)).delivered), (3, 2));
    // No member has run since: the first has no room.
    let report = readers.broadcast(&Note(2));
    assert_eq!((report.delivered, report.failed), (1, 0));
    let [(member, error)] = report.refused.try_into().expect("it is one");
    assert_eq!((member, error.into_inner()), (small.clone(), Note(2)));
    assert_eq!((small.counters().accepted, large.counters().accepted), (1, 2));
    kill_reader(&small).await;
    assert_eq!(readers.broadcast(&Note(3)).delivered, 1, "the other is no member any more");
}

async fn kill_reader(reader: &Address<Note>) {
    let down = reader.monitor();
    reader.kill().expect("it lives");
    down.await;
}
