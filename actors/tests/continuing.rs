//! Continuations, a stop that answers, and replies that are deferred or forwarded.

use perennial_actors::{CallError, DeadLetter, DeadLetterReason, ExitReason, Reply, System};
use tokio::time::{Instant, sleep};

use crate::support::scripted_host::{
    ManagedActor, Msg, ScriptedActor, TestProbe, begun_with, deed, failing, long, millis, scripted,
    scripted_in,
};

type Context = perennial_actors::Context<ScriptedActor>;

/// Returns a message whose handler takes `time` milliseconds.
fn taking(time: u64, line: &'static str) -> Msg {
    long(move |scripted, _| {
        Box::pin(async move {
            sleep(millis(time)).await;
            scripted.pen.write(line);
            Ok(())
        })
    })
}

#[tokio::test(start_paused = true)]
async fn c129_a_continuation_of_init_runs_before_a_message_that_the_actor_sent_itself_in_it() {
    let init = |_: &mut ScriptedActor, ctx: &mut Context| {
        ctx.address().cast(Msg::Note("sent")).expect("there is room");
        ctx.send_after(millis(0), Msg::Note("timer"));
        ctx.continue_with(Msg::Note("continued"));
    };
    let mut strings = begun_with(init).await;
    assert_eq!(strings.after(1).await, ["0 continued", "0 timer", "0 sent"]);
    let counters = strings.address.counters();
    assert_eq!((counters.accepted, counters.handled), (1, 1), "only one went through the mailbox");
}

#[tokio::test(start_paused = true)]
async fn c129_chained_continuations_run_before_the_mailbox() {
    let mut strings = scripted().await;
    strings.cast(deed(|_, ctx| {
        ctx.continue_with(deed(|scripted, ctx| {
            scripted.pen.write("first");
            ctx.continue_with(deed(|scripted, ctx| {
                scripted.pen.write("second");
                ctx.continue_with(taking(50, "third"));
            }));
        }));
    }));
    strings.note("message");
    assert_eq!(strings.after(100).await, ["0 first", "0 second", "50 third", "50 message"]);
}

#[tokio::test(start_paused = true)]
async fn c129_several_continuations_run_in_the_order_in_which_they_were_given() {
    let mut strings = scripted().await;
    strings
        .cast(deed(|_, ctx| ["a", "b", "c"].into_iter().for_each(|line| ctx.continue_with(Msg::Note(line)))));
    strings.note("message");
    assert_eq!(strings.after(1).await, ["0 a", "0 b", "0 c", "0 message"]);
}

#[tokio::test(start_paused = true)]
async fn c129_a_start_is_complete_before_its_continuation_runs() {
    let begun = Instant::now();
    let mut strings = begun_with(|_, ctx| ctx.continue_with(taking(100, "continued"))).await;
    assert_eq!((begun.elapsed(), strings.lines()), (millis(0), vec![]));
    strings.note("message");
    assert_eq!(strings.after(200).await, ["100 continued", "100 message"]);
}

#[tokio::test(start_paused = true)]
async fn c130_a_reply_reaches_its_caller_before_the_continuation_ends() {
    let (mut strings, begun) = (scripted().await, Instant::now());
    let answer = strings.address.call(|reply: Reply<u32>| {
        deed(move |_, ctx| {
            reply.send(7);
            ctx.continue_with(taking(100, "continued"));
        })
    });
    assert_eq!(answer.await.expect("it answers"), 7);
    assert_eq!((begun.elapsed(), strings.lines()), (millis(0), vec![]));
    assert_eq!(strings.line().await, "100 continued");
}

#[tokio::test(start_paused = true)]
async fn a_signal_comes_before_a_continuation() {
    let mut strings = scripted().await;
    strings.cast(deed(|_, ctx| {
        ctx.continue_with(Msg::Note("continued"));
        ctx.address().stop(ExitReason::shutdown()).expect("it lives");
    }));
    assert_eq!(strings.end().await, "shutdown");
    assert_eq!(strings.lines(), ["0 terminate: shutdown"]);
}

#[tokio::test(start_paused = true)]
async fn a_continuation_that_fails_ends_the_actor_and_loses_no_message() {
    let system = System::new();
    let mut dead_letters = system.subscribe::<DeadLetter>();
    let mut strings = scripted_in(&system, |spawn| spawn).await;
    strings.cast(deed(|_, ctx| ctx.continue_with(failing())));
    assert_eq!(strings.end().await, "failed: on purpose");
    assert_eq!(strings.lines(), ["0 terminate: failed: on purpose"]);
    assert!(dead_letters.try_next().is_none());
    let counters = strings.address.counters();
    assert_eq!((counters.handled, counters.lost_in_flight, counters.queued), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_continuation_never_reaches_the_next_incarnation() {
    let mut hosted = ManagedActor::begun_with(|_, _| ());
    hosted.start().await;
    hosted.strings.cast(long(|_, ctx| {
        Box::pin(async {
            ctx.continue_with(Msg::Note("continued"));
            Err(ExitReason::failed("before"))
        })
    }));
    hosted.ended().await;
    hosted.start().await;
    assert_eq!(hosted.strings.after(100).await, ["0 terminate: failed: before"]);
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_continues_for_ever_can_be_stopped_and_lets_other_actors_run() {
    /// Continues with itself, practically for ever.
    fn again(times: u32) -> Msg {
        deed(move |_, ctx| {
            assert!(times < 100_000, "no other actor had a turn");
            ctx.continue_with(again(times + 1));
        })
    }
    let (strings, neighbour) = (scripted().await, scripted().await);
    strings.cast(again(0));
    assert_eq!(neighbour.have(|_, _| 7).await, 7);
    strings.address.stop(ExitReason::shutdown()).expect("it lives");
    assert_eq!(strings.end().await, "shutdown");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_reply_is_reported_though_a_continuation_keeps_the_actor_busy() {
    let (strings, begun) = (scripted().await, Instant::now());
    let dropping = strings.address.call::<u32, _>(|reply| {
        long(move |_, ctx| {
            Box::pin(async move {
                drop(reply);
                // The caller sees here that its reply is dropped, and waits to learn why.
                sleep(millis(10)).await;
                ctx.continue_with(taking(100, "continued"));
                Ok(())
            })
        })
    });
    assert!(matches!(dropping.await, Err(CallError::ReplyDropped(_))));
    assert_eq!(begun.elapsed(), millis(10));
}

/// Records when a call is answered and when its actor has ended.
async fn answered_and_ended(
    strings: &mut TestProbe,
    call: impl FnOnce(Reply<u32>) -> Msg + Send + 'static,
) -> Vec<String> {
    let pen = strings.have(|scripted, _| scripted.pen.clone()).await;
    let (address, monitor, told) = (strings.address.clone(), strings.address.monitor(), pen.clone());
    // Two tasks, which this runtime polls in the order in which they are woken.
    let monitoring = tokio::spawn(async move { told.write(format!("ended: {}", monitor.await.reason)) });
    let calling = tokio::spawn(async move {
        match address.call(call).await {
            Ok(answer) => pen.write(format!("answer {answer}")),
            Err(error) => pen.write(error),
        }
    });
    monitoring.await.expect("the watcher ends");
    calling.await.expect("the caller ends");
    strings.lines()
}

#[tokio::test(start_paused = true)]
async fn c127_a_stop_with_an_answer_terminates_first_then_answers_then_ends() {
    let mut strings = scripted().await;
    strings
        .have(|scripted, _| {
            scripted.last = Some(Box::new(|scripted, _| {
                Box::pin(async {
                    sleep(millis(100)).await;
                    scripted.pen.write("terminated");
                    Ok(())
                })
            }))
        })
        .await;
    let lines = answered_and_ended(&mut strings, |reply| {
        deed(|_, ctx| ctx.stop_and_reply(ExitReason::Normal, reply, 7))
    });
    assert_eq!(lines.await, ["0 terminate: normal", "100 terminated", "100 answer 7", "100 ended: normal"]);
}

#[tokio::test(start_paused = true)]
async fn c127_a_stop_with_an_answer_precedes_continuations() {
    let mut strings = scripted().await;
    let lines = answered_and_ended(&mut strings, |reply| {
        deed(|_, ctx| {
            ctx.continue_with(Msg::Note("continued"));
            ctx.stop_and_reply(ExitReason::failed("enough"), reply, 7);
        })
    });
    assert_eq!(lines.await, ["0 terminate: failed: enough", "0 answer 7", "0 ended: failed: enough"]);
}

#[tokio::test(start_paused = true)]
async fn c127_two_stops_with_answers_in_one_handler_are_both_answered_and_the_first_reason_counts() {
    let strings = scripted().await;
    let address = &strings.address;
    let kept = address.call(|reply| deed(|scripted, _| scripted.kept.push(reply)));
    let stopping = address.call(|reply| {
        deed(|scripted, ctx| {
            let before = scripted.kept.pop().expect("it was kept");
            ctx.stop_and_reply(ExitReason::shutdown_with("first"), before, 1);
            ctx.stop_and_reply(ExitReason::shutdown_with("second"), reply, 2);
        })
    });
    let (one, two, end) = tokio::join!(kept.into_future(), stopping.into_future(), strings.end());
    assert_eq!((one.expect("it answers"), two.expect("it answers")), (1, 2));
    assert_eq!(end, "shutdown: first");
}

#[tokio::test(start_paused = true)]
async fn c127_the_answer_is_lost_if_terminate_panics() {
    let mut strings = scripted().await;
    strings.have(|scripted, _| scripted.last = Some(Box::new(|_, _| panic!("in terminate")))).await;
    let lines = answered_and_ended(&mut strings, |reply| {
        deed(|_, ctx| ctx.stop_and_reply(ExitReason::Normal, reply, 7))
    });
    let lines = lines.await;
    assert_eq!((&*lines[0], &*lines[2]), ("0 terminate: normal", "0 ended: panicked: in terminate"));
    assert!(lines[1].ends_with("Msg): panicked: in terminate"), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn c127_the_answer_is_lost_if_the_actor_is_killed_in_terminate() {
    let mut strings = scripted().await;
    let kill = |_: &mut ScriptedActor, ctx: &mut Context| ctx.address().kill().expect("it lives");
    strings
        .have(move |scripted, _| {
            scripted.last = Some(Box::new(move |scripted, ctx| {
                kill(scripted, ctx);
                Box::pin(std::future::pending())
            }))
        })
        .await;
    let lines = answered_and_ended(&mut strings, |reply| {
        deed(|_, ctx| ctx.stop_and_reply(ExitReason::Normal, reply, 7))
    });
    let lines = lines.await;
    assert_eq!((&*lines[0], &*lines[2]), ("0 terminate: normal", "0 ended: killed"));
    assert!(lines[1].ends_with("Msg): killed"), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn c126_a_reply_may_be_deferred_to_a_timer() {
    let (strings, begun) = (scripted().await, Instant::now());
    let answer = strings.address.call(|reply| {
        deed(|_, ctx| {
            ctx.send_after(millis(100), deed(|_, _| reply.send(7)));
        })
    });
    assert_eq!((answer.await.expect("it answers"), begun.elapsed()), (7, millis(100)));
}

#[tokio::test(start_paused = true)]
async fn c126_a_reply_may_be_forwarded_to_another_actor() {
    let (front, back) = (scripted().await, scripted().await);
    let behind = back.address.clone();
    let answer = front.address.call(move |reply| {
        deed(move |_, _| {
            let work = deed(move |scripted, _| {
                scripted.pen.write("worked");
                reply.send(7);
            });
            behind.cast(work).expect("there is room");
        })
    });
    assert_eq!(answer.await.expect("it answers"), 7);
    assert_eq!({ back }.lines(), ["0 worked"]);
}

#[tokio::test(start_paused = true)]
async fn c126_callers_whose_replies_wait_in_self_messages_get_the_exit_reason() {
    let system = System::new();
    let mut dead_letters = system.subscribe::<DeadLetter>();
    let strings = scripted_in(&system, |spawn| spawn).await;
    let in_timer = strings.address.call::<u32, _>(|reply| {
        deed(|_, ctx| {
            ctx.send_after(millis(100), deed(|_, _| reply.send(7)));
        })
    });
    let in_continuation = strings.address.call::<u32, _>(|reply| {
        long(|_, ctx| {
            Box::pin(async {
                ctx.continue_with(deed(|_, _| reply.send(7)));
                Err(ExitReason::failed("on purpose"))
            })
        })
    });
    let (timer, continuation) = tokio::join!(in_timer.into_future(), in_continuation.into_future());
    for result in [timer, continuation] {
        let Err(CallError::Ended(reason, _)) = result else { panic!("it ended: {result:?}") };
        assert_eq!(reason.to_string(), "failed: on purpose");
    }
    let letter = dead_letters.try_next().expect("the message in flight");
    assert!(matches!(letter.reason, DeadLetterReason::InFlight(_)) && dead_letters.try_next().is_none());
}
