//! Keeps one word for one thing: the words that are not used, and how a doc comment is written.

use std::collections::HashMap;
use std::fs;

use super::RANKS;
use super::sources::{Source, assert_none, everything, library, root};

/// The longest line of a doc comment, in columns.
const DOC_COLUMNS: usize = 100;

/// Words for people. Code objects are named: the caller, the sender, the incarnation, the worker.
const PEOPLE: [&str; 9] = [
    concat!("w", "ho"),
    concat!("w", "hom"),
    concat!("w", "hoever"),
    concat!("w", "homever"),
    concat!("no", "body"),
    concat!("some", "body"),
    concat!("any", "body"),
    concat!("every", "body"),
    concat!("fore", "man"),
];

/// Metaphors and the standard term for each. Banned in comments and in identifiers, also as a part
/// of one.
const METAPHORS: &str = "
    abode registration
    agenda self messages
    aftermath fault result
    agendas self messages
    backlog job queues
    bereaved dead letter
    errand effect
    errands effects
    estate owned table
    estates owned tables
    farewell stop reason
    landmark loom point
    meltdown intensity exceeded
    lifespan lifetime
    mourn dead letter
    mourned dead letter
    mourning dead letter
    nobodys unowned
    puppet scripted actor
    puppets scripted actors
    roster seq map
    seldom cold state
    squeeze admit with overflow
    squeezed admitted
    straggler unstopped child
    stragglers unstopped children
    watchman watchdog
    watchmen watchdogs
";

/// Old identifiers and the new name of each. Banned as whole words, in code and in comments.
const RENAMED: &str = "
    BEING_SEEN OBSERVING
    DeadReason DeadLetterReason
    DeskArgs WorkerArgs
    Displaced Evicted
    Exclusive SyncWrapper
    GivenUp CancelFlag
    Hosted Wrapper
    InLine WaiterGuard
    LastWords DeferredReply
    Leftover DetachEffects
    LookAt InspectFn
    NotStarted StartChildErrorKind
    Oneself SelfSent
    Reserving ReserveFuture
    SendingUntil SendTimeoutFuture
    StopPool PoolShutdown
    Submitting SubmitFuture
    TreeEnded TreeEndedError
    ChildFailed ChildFailedError
    NotJoined NotJoinedError
    Workplace WorkerContext
    Piped PipeHandle
    ByHand ManualStart
    GoOn ContinueShutdown
    FinishStarted FinishInFlight
    ByItself Completed
    OnRestart MailboxOnRestart
    StopReport PoolStopReport
    all_are_brought mark_all_added
    announce_monitor reserve_monitor
    at_it_for busy_for
    at_hand try_next_message
    be_certain enable_watchdog
    bear_name add_name
    bears_name has_name
    begin_end mark_ending
    begin_own begin_self_message
    belongs_to is_owned_by
    bring_back begin_restart
    bury_unsent dead_letter_unsent
    call_off cancel_leased
    carry_through run_to_completion
    catch_up process_deferred
    close_whom_nobody_will_start close_unscheduled
    closings pending_closes
    come_back retry_or_bury
    disown remove_entries
    dropped_behind evicted_unsettled
    end_with_handles close_on_last_handle
    enter_with update_or_insert_with
    exchange_hand swap_in_flight
    give_back release_permit
    give_to set_owner
    give_up forget
    gives_way yields_to_mailbox
    go_down begin_shutdown
    go_on consume_budget
    good_bye stopped_cleanly
    hand_on pass_wakeup
    handling_for busy_for
    hang_below link_to
    healthy_after reset_after
    hear_of_link on_link_exit
    hear_of_monitor on_monitor_down
    held_up rate_limited
    holds_back waiters_pending
    hooks_have_run finish_close
    in_hand in_flight
    in_line waiter_guard
    is_abandoned is_closed
    is_each_alone children_are_independent
    is_exact buffer_drained
    is_forsaken handles_dropped
    is_heard has_subscribers
    is_late record_unstopped
    is_neighbour_of same_system
    is_resting is_idle
    keep_dead max_dead_jobs
    last_words deferred_reply
    late_watchers close_watchers
    lay_down_name remove_name
    leave_place cancel_reserve
    let_go discard_lease
    let_in release_waiters
    lie_down park
    losses lost_ranges
    may_hold_back may_batch_wakeups
    message_at_hand try_next_message
    next_done next_completed
    next_in_order next_ordered
    of_order ordered
    once_bound wait_until
    only_if enabled_if
    overflow_place reserve_with_overflow
    pass_over skip_stopped
    pick_up take_state
    poll_any poll_mailbox
    poll_over poll_cancelled
    poll_sight poll_peek
    push_or_join push_or_wait
    put_down mark_stopped
    read_vacancy read_entry
    ready_later defer_ready
    rouse_for_what_waits wake_idle_worker
    say_last defer_reply
    see_to kill_orphans
    seldom_if_any cold_mut
    seldom_mut cold_or_init
    shut_door close_submissions
    shutdown_because shutdown_with
    sleep_inside park_in_handler
    stop_reason exit_reason
    swallowed discarded
    take_back cancel
    take_dead drain_dead_jobs
    take_in add_child
    take_over adopt_plan
    take_waiting try_recv
    tell_closed publish_closed
    tell_ended publish_ended
    turn_back cancel
    wants_place front_wants_permit
    work_off run_jobs
";

/// Old names that are ordinary words elsewhere. Banned as the name of an item.
const REDEFINED: &str = "
    Agenda Announce Attempt Backlog Bell Birth Board Book Books Bound Brought Charge Condition Conduct Content
    Desk Die Displaced Draft Effect Errands Estate Exclusive Farewell Fate Foreman Granted Held Home Hook House Hosted
    InLine Intake Kept Known Landmark Lane Lanes Last Leftover Line Living Look Looked Loss Made Make Members News
    Notes Numbers Numbered Office Order Outage Over Post Progress Promise Puppet Refusal  Resident Rest Roster
    Round Run Seat Seen Seldom  Share Sight Sign Sink Sound Squeezed Stand Taker  Template Terms Text Ticket
    Told Totals Trash Turn Vacant Verdict Visit Watch Watched Watcher Watchman What Which Word Workplace
    attend attribute awake bury condemn conclude deal dissolve fetch forgive gather give glance grant hear judge 
    mourn obey orphan passing patience pressing react retire rouse settle spend squeeze stamps stir survive swallow
    swallowed twin unname usual withdraw
";

fn table(text: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    text.lines().filter_map(|line| line.trim().split_once(' '))
}

/// Every text of the project in which a word counts: sources, scripts, pages, manifests.
fn texts() -> Vec<Source> {
    let mut texts = everything();
    let mut folders = vec![root().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder can be read") {
            let path = entry.expect("the folder can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && !["target", ".git", "node_modules"].contains(&&*name) {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md" || extension == "toml") {
                let text = fs::read_to_string(&path).expect("the file can be read");
                texts.push(Source { path, text });
            }
        }
    }
    texts.retain(|source| !source.path.ends_with("tests/architecture/words.rs"));
    texts
}

/// The words of a line: runs of letters, digits and underscores.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The parts of an identifier: `DeadReason` and `dead_reason` have the parts `dead` and `reason`.
fn parts(word: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for c in word.chars() {
        if c == '_'
            || (c.is_uppercase() && parts.last().is_some_and(|part| part.ends_with(char::is_lowercase)))
        {
            parts.push(String::new());
        }
        if c != '_' {
            parts.last_mut().expect("there is a part").extend(c.to_lowercase());
        }
    }
    parts
}

fn findings(texts: &[Source], wrong: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let of = |source: &Source| {
        let path = source.path.strip_prefix(root()).unwrap_or(&source.path).display().to_string();
        let lines = source.text.lines().enumerate();
        lines
            .filter_map(|(number, line)| Some(format!("{path}:{}: {}", number + 1, wrong(line)?)))
            .collect::<Vec<_>>()
    };
    texts.iter().flat_map(of).collect()
}

#[test]
fn code_objects_are_not_called_people() {
    let wrong = |line: &str| {
        let found = words(line).flat_map(parts).find(|part| PEOPLE.contains(&part.as_str()))?;
        Some(format!("`{found}`: name the thing"))
    };
    assert_none("code objects are named", &findings(&texts(), wrong));
}

#[test]
fn renamed_words_do_not_come_back() {
    let banned = table(METAPHORS).count() + table(RENAMED).count() + REDEFINED.split_whitespace().count();
    assert!(banned >= 150, "only {banned} words are banned");
    // Each word of every source is looked up.
    let renamed: HashMap<&str, &str> = table(RENAMED).collect();
    let metaphors: HashMap<&str, &str> = table(METAPHORS).collect();
    let wrong = |line: &str| {
        let whole = |word: &str| renamed.get_key_value(word);
        let part = |word: &str| parts(word).iter().find_map(|part| metaphors.get_key_value(&**part));
        let (old, new) = words(line).find_map(|word| whole(word).or_else(|| part(word)))?;
        Some(format!("`{old}` is called `{new}`"))
    };
    assert_none("one word for one thing", &findings(&texts(), wrong));
}

#[test]
fn old_names_name_nothing_new() {
    let old: Vec<&str> = REDEFINED.split_whitespace().collect();
    let kinds = ["struct", "enum", "union", "trait", "type", "fn", "mod"];
    let wrong = |line: &str| {
        if line.trim_start().starts_with("//") {
            return None;
        }
        let words: Vec<&str> = words(line).collect();
        let named = words.windows(2).find(|pair| kinds.contains(&pair[0]) && old.contains(&pair[1]))?;
        Some(format!("`{} {}`: see the history of this list for the term", named[0], named[1]))
    };
    let files: Vec<Source> = RANKS.iter().flat_map(|name| library(name)).collect();
    assert_none("one word for one thing", &findings(&files, wrong));
}

#[test]
fn doc_lines_are_at_most_a_hundred_columns_wide() {
    let wrong = |line: &str| {
        let is_doc = line.trim_start().starts_with("//");
        let width = line.chars().count();
        (is_doc && width > DOC_COLUMNS && !line.contains("http")).then(|| format!("{width} columns"))
    };
    assert_none("a doc line fits a hundred columns", &findings(&everything(), wrong));
}

/// The first line of the docs of a public function, if it is not a verb in the third person.
fn unverbal(source: &Source) -> (usize, Vec<String>) {
    let lines: Vec<&str> = source.text.lines().map(str::trim_start).collect();
    let mut wrong = Vec::new();
    let mut all = 0;
    for (number, line) in lines.iter().enumerate() {
        let is_function =
            ["pub fn ", "pub const fn ", "pub async fn "].iter().any(|kind| line.starts_with(kind));
        if !is_function {
            continue;
        }
        let above = lines[..number].iter().rev();
        let docs: Vec<&&str> = above
            .skip_while(|line| line.starts_with("#["))
            .take_while(|line| line.starts_with("///"))
            .collect();
        let Some(first) = docs.last() else { continue };
        all += 1;
        let verb = first.trim_start_matches('/').trim_start().split(' ').next().unwrap_or_default();
        if !verb.ends_with('s') || verb.ends_with("ss") {
            wrong.push(format!("{}:{}: {first}", source.path.display(), number + 1));
        }
    }
    (all, wrong)
}

#[test]
fn docs_of_public_functions_begin_with_a_verb_in_the_third_person() {
    let files: Vec<Source> = RANKS.iter().flat_map(|name| library(name)).collect();
    let counted: Vec<(usize, Vec<String>)> = files.iter().map(unverbal).collect();
    let all: usize = counted.iter().map(|(all, _)| all).sum();
    let wrong: Vec<String> = counted.into_iter().flat_map(|(_, wrong)| wrong).collect();
    assert!(wrong.len() * 10 <= all, "{} of {all} do not:\n  {}", wrong.len(), wrong.join("\n  "));
}
