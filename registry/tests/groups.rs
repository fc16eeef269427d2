//! Groups: OTP's `pg`, with selection of a member.

use std::collections::HashSet;

use perennial_actors::{Actor, ActorHandle, Address, Context, ExitReason, MailboxConfig, System};
use perennial_registry::{Group, GroupChange, GroupHandle, GroupJoinError, NotJoinedError, Registry};

use crate::support::{ManagedActor, Msg, ScriptedActor, kill, run_step, scripted_actor};

const GROUP: Group<Msg> = Group::new("group");

fn group(system: &System) -> GroupHandle<Msg> {
    Registry::of(system).group(GROUP)
}

/// Spawns three actors that join in this order.
async fn three(system: &System) -> [Address<Msg>; 3] {
    let all = [scripted_actor(system).await, scripted_actor(system).await, scripted_actor(system).await];
    all.iter().for_each(|member| group(system).join(member).expect("an incarnation runs"));
    all
}

/// Returns the delivered changes: the actor, and `true` if it has joined.
fn delivered(mut next: impl FnMut() -> Option<GroupChange>) -> Vec<(ActorHandle, bool)> {
    std::iter::from_fn(|| next().map(|change| (change.actor, change.joined))).collect()
}

#[tokio::test(start_paused = true)]
async fn c148_actor_that_joins_twice_is_listed_twice_and_leaves_once() {
    let (system, registry) = (System::new(), Registry::default());
    let group = registry.group(GROUP);
    assert!(group.members().is_empty() && registry.which_groups().is_empty());
    let (one, other) = (scripted_actor(&system).await, scripted_actor(&system).await);
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
async fn c148_leave_fails_for_a_non_member_and_join_fails_for_an_ended_actor() {
    let system = System::new();
    let [one, ..] = three(&system).await;
    let stranger = scripted_actor(&system).await;
    assert_eq!(group(&system).leave(&stranger), Err(NotJoinedError));
    let elsewhere: Group<Msg> = Group::from("elsewhere".to_owned());
    assert_eq!(Registry::of(&system).group(elsewhere).leave(&one), Err(NotJoinedError));
    kill(&stranger).await;
    assert_eq!(group(&system).join(&stranger), Err(GroupJoinError));
    assert_eq!(group(&system).leave(&stranger), Err(NotJoinedError));
    assert_eq!(group(&system).members().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn c148_end_removes_all_memberships_and_a_restart_joins_again() {
    let system = System::new();
    let other = scripted_actor(&system).await;
    group(&system).join(&other).expect("an incarnation runs");
    let init = |ctx: &mut Context<ScriptedActor>| {
        let registry = Registry::of(ctx.system());
        for group in [GROUP, GROUP, Group::new("another")] {
            registry.group(group).join(&ctx.address()).expect("an incarnation runs");
        }
    };
    let mut managed = ManagedActor::start(&system, init).await;
    let member = managed.address.clone();
    for _ in 0..5 {
        assert_eq!(group(&system).members(), [other.clone(), member.clone(), member.clone()]);
        assert_eq!(Registry::of(&system).which_groups(), ["another", "group"]);
        managed.crash().await;
        assert_eq!(group(&system).members(), std::slice::from_ref(&other));
        assert_eq!(Registry::of(&system).which_groups(), ["group"], "an empty group is not listed");
        assert_eq!(group(&system).join(&member), Err(GroupJoinError), "the incarnation is the member");
        managed.start_next().await;
    }
}

#[tokio::test(start_paused = true)]
async fn c148_group_monitor_lists_the_members_and_reports_joins_and_leaves() {
    let system = System::new();
    let [one, other, third] = three(&system).await;
    let mut monitor = group(&system).monitor();
    assert_eq!(monitor.members(), [one.clone(), other.clone(), third.clone()]);
    assert!(monitor.try_next().is_none(), "known members are not reported");
    group(&system).leave(&other).expect("the actor is a member");
    group(&system).join(&other).expect("an incarnation runs");
    // A change of another group.
    Registry::of(&system).group(Group::<Msg>::new("another")).join(&one).expect("an incarnation runs");
    let down = third.monitor();
    third.kill().expect("an incarnation runs");
    down.await;
    let changes = delivered(|| monitor.try_next());
    assert_eq!(changes, [(other.handle(), false), (other.handle(), true), (third.handle(), false)]);
    assert_eq!(monitor.missed(), 0);
}

#[tokio::test(start_paused = true)]
async fn group_monitor_waits_for_the_next_change_and_a_scope_monitor_reports_every_group() {
    let system = System::new();
    let (mut monitor, mut all) = (group(&system).monitor(), system.subscribe::<GroupChange>());
    let one = scripted_actor(&system).await;
    let (registry, member) = (Registry::of(&system).clone(), one.clone());
    tokio::spawn(async move {
        for name in [Group::new("another"), GROUP] {
            registry.group(name).join(&member).expect("an incarnation runs");
        }
    });
    let joined = monitor.next().await.expect("the system exists");
    assert_eq!((&*joined.group, joined.actor, joined.joined), ("group", one.handle(), true));
    let changes: Vec<_> = std::iter::from_fn(|| all.try_next()).map(|change| change.group).collect();
    assert_eq!(changes, ["another", "group"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn group_monitor_reports_each_member_exactly_once_under_concurrent_changes() {
    let system = System::new();
    for _ in 0..50 {
        let mut members = Vec::new();
        for _ in 0..8 {
            members.push(scripted_actor(&system).await);
        }
        // Each half joins and leaves. Some leave for good.
        let threads = members.chunks(4).map(|half| {
            let (half, group) = (half.to_vec(), group(&system));
            std::thread::spawn(move || {
                for round in 0..10 {
                    for (number, member) in half.iter().enumerate() {
                        group.join(member).expect("an incarnation runs");
                        if number < 2 || round == 9 {
                            group.leave(member).expect("the actor is a member");
                        }
                    }
                }
            })
        });
        let threads: Vec<_> = threads.collect();
        members[3].kill().expect("an incarnation runs");
        let mut monitor = group(&system).monitor();
        let mut known: Vec<ActorHandle> = monitor.members().iter().map(Address::handle).collect();
        let failed = threads.into_iter().map(std::thread::JoinHandle::join).filter(Result::is_err).count();
        assert!(failed <= 1, "except for the killed actor, which may have ended before its join");
        kill_all(&members).await;
        for (actor, joined) in delivered(|| monitor.try_next()) {
            match known.iter().position(|handle| *handle == actor) {
                Some(place) if !joined => drop(known.remove(place)),
                None if !joined => panic!("{actor:?} was no member"),
                _ => known.push(actor),
            }
        }
        assert_eq!((known, monitor.missed()), (vec![], 0));
        assert!(group(&system).members().is_empty());
    }
}

async fn kill_all(all: &[Address<Msg>]) {
    for one in all {
        let down = one.monitor();
        // One actor may have been killed already.
        let _ = one.kill();
        down.await;
    }
}

#[tokio::test(start_paused = true)]
async fn groups_with_one_name_and_different_message_types_are_separate() {
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
    let counter = system.spawn::<Counter>(()).await.expect("the actor starts");
    let [one, ..] = three(&system).await;
    let counters: GroupHandle<u64> = Registry::of(&system).group(Group::new("group"));
    assert_eq!((counters.members(), group(&system).members().len()), (vec![counter.clone()], 3));
    assert_eq!(Registry::of(&system).which_groups(), ["group"], "both have one name");
    for name in ["d", "b", "e", "a", "c"] {
        Registry::of(&system).group(Group::<Msg>::new(name)).join(&one).expect("an incarnation runs");
    }
    assert_eq!(Registry::of(&system).which_groups(), ["a", "b", "c", "d", "e", "group"], "sorted");
    assert_eq!(delivered(|| monitor.try_next()).first(), Some(&(one.handle(), true)));
    counters.leave(&counter).expect("the actor is a member");
    assert_eq!(group(&system).members().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn selection_from_an_empty_group_is_none_and_otherwise_a_member() {
    let system = System::new();
    let empty = group(&system);
    assert!(empty.any().is_none() && empty.round_robin().is_none());
    assert!(empty.by_key(&7).is_none() && empty.least_queued().is_none());
    assert!(Registry::of(&system).which_groups().is_empty(), "a lookup creates no group");
    let all = three(&system).await;
    assert!(group(&system).any().is_some_and(|any| all.contains(&any)));
}

#[tokio::test(start_paused = true)]
async fn round_robin_gives_every_member_a_turn_when_another_one_leaves() {
    let system = System::new();
    let [one, other, third] = three(&system).await;
    let (group, again) = (group(&system), group(&system));
    let turns: Vec<_> = (0..3).flat_map(|_| [group.round_robin(), again.round_robin()]).flatten().collect();
    let round = [one.clone(), other.clone(), third.clone()];
    assert_eq!(turns, [&round[..], &round[..]].concat(), "for any handle");
    assert_eq!(group.round_robin(), Some(one.clone()));
    kill(&one).await;
    assert_eq!(group.round_robin(), Some(other.clone()));
    let newcomer = scripted_actor(&system).await;
    group.join(&newcomer).expect("an incarnation runs");
    let turns: Vec<_> = (0..4).filter_map(|_| group.round_robin()).collect();
    assert_eq!(turns, [third.clone(), other, newcomer, third]);
}

#[tokio::test(start_paused = true)]
async fn by_key_moves_a_key_only_to_a_new_member_or_from_one_that_left() {
    let system = System::new();
    let mut members = three(&system).await.to_vec();
    let chosen = |keys: std::ops::Range<u32>| -> Vec<Address<Msg>> {
        keys.map(|key| group(&system).by_key(&key).expect("the group has members")).collect()
    };
    let before = chosen(0..300);
    assert_eq!(before.iter().collect::<HashSet<_>>().len(), 3, "each has some of the keys");
    for _ in 0..3 {
        let newcomer = scripted_actor(&system).await;
        group(&system).join(&newcomer).expect("an incarnation runs");
        members.push(newcomer);
    }
    for (key, (was, is)) in before.iter().zip(chosen(0..300)).enumerate() {
        assert!(is == *was || members[3..].contains(&is), "key {key} moved between old members");
    }
    let with_six = chosen(0..300);
    kill(&members[0]).await;
    for (was, is) in with_six.iter().zip(chosen(0..300)) {
        assert!(is == *was || *was == members[0], "only keys of the member that left move");
    }
    let mut managed = ManagedActor::start(&system, |ctx| {
        group(ctx.system()).join(&ctx.address()).expect("an incarnation runs")
    })
    .await;
    let with_managed = chosen(0..300);
    assert!(with_managed.contains(&managed.address));
    managed.crash().await;
    assert!(!chosen(0..300).contains(&managed.address));
    managed.start_next().await;
    assert_eq!(chosen(0..300), with_managed, "the restarted actor gets its keys back");
}

#[tokio::test(start_paused = true)]
async fn least_queued_is_the_member_with_the_fewest_queued_messages() {
    let system = System::new();
    let all = three(&system).await;
    // No actor runs between these casts.
    let queue = |member: &Address<Msg>, messages: u32| {
        (0..messages).for_each(|number| member.cast(Msg::Number(number)).expect("the mailbox has room"));
    };
    queue(&all[0], 2);
    queue(&all[1], 1);
    queue(&all[2], 3);
    assert_eq!(group(&system).least_queued(), Some(all[1].clone()));
    queue(&all[1], 3);
    assert_eq!(group(&system).least_queued(), Some(all[0].clone()));
    run_step(&all[2], |_| ()).await;
    assert_eq!(group(&system).least_queued().map(|member| member.counters().queued), Some(0));
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Note(u32);

/// An actor that ignores its messages.
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
async fn broadcast_reaches_each_member_once_and_reports_full_mailboxes() {
    let system = System::new();
    let readers = Registry::of(&system).group(Group::<Note>::new("readers"));
    assert_eq!(readers.broadcast(&Note(0)).delivered, 0);
    let small =
        system.spawn::<Reader>(()).mailbox(MailboxConfig::bounded(1)).await.expect("the actor starts");
    let large = system.spawn::<Reader>(()).await.expect("the actor starts");
    for member in [&small, &large, &large] {
        readers.join(member).expect("an incarnation runs");
    }
    assert_eq!((readers.members().len(), readers.broadcast(&Note(1)).delivered), (3, 2));
    // No member has run since, so the mailbox of the first one is full.
    let report = readers.broadcast(&Note(2));
    assert_eq!((report.delivered, report.failed), (1, 0));
    let [(member, error)] = report.refused.try_into().expect("one member refused");
    assert_eq!((member, error.into_inner()), (small.clone(), Note(2)));
    assert_eq!((small.counters().accepted, large.counters().accepted), (1, 2));
    kill_reader(&small).await;
    assert_eq!(readers.broadcast(&Note(3)).delivered, 1, "the killed actor is no member any more");
}

async fn kill_reader(reader: &Address<Note>) {
    let down = reader.monitor();
    reader.kill().expect("an incarnation runs");
    down.await;
}
