//! One event in a tree is one line at info level and above, outside the spans of ractor.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use perennial_actors::{Actor, Address, Context, ExitReason, System};
use perennial_supervision::pool::Pool;
use perennial_supervision::{Child, Restart, Supervisor};
use tracing::Level;

use lines::{Line, listen, span_depth, spans_made, take};

#[path = "support/lines.rs"]
mod lines;

enum Msg {
    Crash,
    Wait,
}

/// Keeps the number of spans around its handlers.
struct Worker(Arc<AtomicUsize>);

struct Args {
    spans: Arc<AtomicUsize>,
    init_fails: bool,
}

impl Actor for Worker {
    type Msg = Msg;
    type Args = Args;

    async fn init(args: &Args, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        if args.init_fails {
            return Err("no disk".into());
        }
        args.spans.fetch_max(span_depth(), Ordering::Relaxed);
        Ok(Self(args.spans.clone()))
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        self.0.fetch_max(span_depth(), Ordering::Relaxed);
        match msg {
            Msg::Crash => Err("no disk".into()),
            Msg::Wait => std::future::pending().await,
        }
    }
}

fn child(init_fails: bool) -> (Child<Msg>, Address<Msg>, Arc<AtomicUsize>) {
    let spans = Arc::new(AtomicUsize::new(0));
    let child = Child::new::<Worker>("worker", Args { spans: spans.clone(), init_fails });
    let address = child.address();
    (child, address, spans)
}

/// The worker, under two supervisors.
fn tree(child: Child<Msg>) -> Supervisor {
    Supervisor::new("app").child(Supervisor::new("inner").intensity(1, Duration::from_secs(60)).child(child))
}

/// Lets everything come to rest, and returns the lines at info level and above.
async fn lines() -> Vec<Line> {
    tokio::time::sleep(Duration::from_millis(100)).await;
    take().into_iter().filter(|line| line.level <= Level::INFO).collect()
}

fn texts(lines: &[Line]) -> Vec<&str> {
    lines.iter().map(|line| line.text.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_crash_of_a_supervised_child_is_one_line() {
    listen();
    let (child, address, _) = child(false);
    let app = tree(child).start(&System::new()).await.expect("it starts");
    let pid = address.pid().expect("it runs");
    assert!(address.cast(Msg::Crash).is_ok());
    let lines = lines().await;
    let of = format!("actor=app/inner/worker pid={pid} incarnation=1");
    let line = format!("actor crashed {of} reason=failed: no disk message_type=log_lines::Msg");
    assert_eq!(texts(&lines), [line]);
    assert_eq!((lines[0].level, lines[0].target), (Level::WARN, "perennial::actors"));
    let _ = app.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_escalation_is_one_line_for_each_crash_and_one_for_each_supervisor_that_gave_up() {
    listen();
    let (child, address, _) = child(false);
    let app = tree(child).start(&System::new()).await.expect("it starts");
    for _ in 0..2 {
        assert!(address.cast(Msg::Crash).is_ok());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let lines = lines().await;
    let texts = texts(&lines);
    let (crashes, others): (Vec<_>, Vec<_>) =
        texts.into_iter().partition(|line| line.starts_with("actor crashed"));
    assert_eq!(crashes.len(), 2, "{crashes:#?}");
    let [gave_up, ended] = &others[..] else { panic!("two more lines, not {others:#?}") };
    assert!(gave_up.starts_with("supervisor gave up: restart intensity exceeded actor=app/inner pid="));
    assert!(gave_up.ends_with("child=worker"), "{gave_up}");
    // The supervisor that gave up is restarted by its own, though it ended with a clean reason.
    assert!(ended.starts_with("child ended supervisor="), "{ended}");
    assert!(ended.contains("actor=app/inner "), "{ended}");
    let _ = app.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_tree_that_does_not_start_is_one_line() {
    listen();
    let (child, _, _) = child(true);
    let error = tree(child).start(&System::new()).await.expect_err("it does not start");
    let lines = lines().await;
    let texts = texts(&lines);
    let [line] = &texts[..] else { panic!("one line, not {texts:#?}") };
    assert!(line.starts_with("actor did not start actor=app/inner/worker pid="), "{line}");
    assert!(line.ends_with("reason=failed: no disk"), "{line}");
    let said = "the tree did not start: failed: child \"inner\" did not start: failed: \
                child \"worker\" did not start: failed: no disk";
    assert_eq!(error.to_string(), said);
    assert_eq!(format!("{error:#}"), said, "the chain repeats nothing");
}

#[test]
fn a_runtime_that_goes_away_with_a_tree_is_one_line() {
    listen();
    let system = System::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let app = runtime.block_on(async {
        let mut top = Supervisor::new("app");
        for number in 0..20 {
            let (child, address, _) = child(false);
            let inner = Supervisor::new(format!("inner {number}")).child(child);
            top = top.child(inner);
            for _ in 0..5 {
                // Refused before the start.
                let _ = address.cast(Msg::Wait);
            }
        }
        let app = top.start(&system).await.expect("it starts");
        for node in app.tree().walk() {
            if let Some(worker) = node.handle.address::<Msg>() {
                for _ in 0..5 {
                    assert!(worker.cast(Msg::Wait).is_ok());
                }
            }
        }
        tokio::task::yield_now().await;
        app
    });
    take();
    drop(runtime);
    drop(app);
    drop(system);
    let lines: Vec<Line> = take().into_iter().filter(|line| line.level <= Level::INFO).collect();
    assert_eq!(texts(&lines), ["the runtime was shut down while actors were running"]);
}

#[tokio::test(start_paused = true)]
async fn spans_of_ractor_are_neither_around_handlers_of_children_nor_around_lines() {
    listen();
    let (child, address, spans) = child(false);
    let task_spans = Arc::new(AtomicUsize::new(0));
    let seen = task_spans.clone();
    let task = Child::task("task", move |_| {
        seen.fetch_max(span_depth(), Ordering::Relaxed);
        async { Ok::<(), ExitReason>(()) }
    });
    let tree = tree(child.restart(Restart::Permanent)).child(task.restart(Restart::Temporary));
    let app = tree.start(&System::new()).await.expect("it starts");
    for _ in 0..3 {
        assert!(address.cast(Msg::Crash).is_ok());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let _ = app.shutdown().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let lines = take();
    assert!(!lines.is_empty() && lines.iter().all(|line| line.is_root), "{lines:#?}");
    assert!(spans_made() > 0, "ractor makes spans, and they are listened to");
    assert_eq!((spans.load(Ordering::Relaxed), task_spans.load(Ordering::Relaxed)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn condition_that_panics_is_one_line_with_the_child_and_the_panic() {
    listen();
    let (child, address, _) = child(false);
    let child = child.restart_if(|_| panic!("a bug of the condition"));
    let app = tree(child).start(&System::new()).await.expect("it starts");
    assert!(address.cast(Msg::Crash).is_ok());
    let lines = lines().await;
    let about = |line: &&Line| line.text.starts_with("the restart condition of a child panicked");
    let about: Vec<Line> = lines.iter().filter(about).cloned().collect();
    assert_eq!(about.len(), 1, "{lines:#?}");
    assert_eq!(about[0].level, Level::WARN);
    for part in ["actor=app/inner/worker", "panicked: a bug of the condition"] {
        assert!(about[0].text.contains(part), "{about:#?}");
    }
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn child_that_hits_its_start_limit_is_one_line_more_than_its_crash() {
    listen();
    let (child, address, _) = child(false);
    let app =
        tree(child.start_limit(1, Duration::from_secs(10))).start(&System::new()).await.expect("it starts");
    assert!(address.cast(Msg::Crash).is_ok());
    let lines = lines().await;
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert_eq!(lines[1].level, Level::WARN);
    assert!(lines[1].text.starts_with("child hit its start limit: failed"), "{lines:#?}");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_closure_of_a_pool_that_panics_as_it_decides_on_a_retry_is_one_line() {
    listen();
    let pool = Pool::from_fn("pool", 1, |(): &()| ready(Err::<(), _>("no luck")));
    let pool = pool.retry_if(|error| -> bool { panic!("what is {error}?") });
    let (jobs, system) = (pool.handle(), System::new());
    let app = pool.start(&system).await.expect("it starts");
    assert!(jobs.submit(()).await.expect("it is open").await.is_err());
    tokio::time::sleep(Duration::from_millis(1)).await;
    let lines: Vec<Line> = take().into_iter().filter(|line| line.level <= Level::INFO).collect();
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!((line.level, line.target, line.is_root), (Level::ERROR, "perennial::pool", true));
    assert!(line.text.contains("reason=panicked: what is no luck?"), "{}", line.text);
    assert!(app.shutdown().await.is_clean());
}
