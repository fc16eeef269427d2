//! The screens of a running system, as `--once` prints them.

use std::process::{Command, Output};
use std::time::Duration;

use perennial_actors::{Actor, Context, ExitReason, System};
use perennial_console::Console;
use perennial_supervision::{App, Child, Shutdown, Strategy, Supervisor, SupervisorHandle};

enum Msg {
    Crash,
    Wait,
}

struct Till;

impl Actor for Till {
    type Msg = Msg;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Crash => Err(ExitReason::failed("the drawer is stuck")),
            Msg::Wait => {
                std::future::pending::<()>().await;
                Ok(())
            }
        }
    }
}

/// Starts a shop with a console, in which one till has crashed once and another is busy.
async fn shop() -> (App<SupervisorHandle>, String) {
    let console = Console::at("127.0.0.1:0");
    let url = console.url();
    let crashing = Child::new::<Till>("crashing", ());
    // Its handler never ends.
    let busy = Child::new::<Till>("busy", ()).shutdown(Shutdown::BrutalKill);
    let (crashes, waits) = (crashing.address(), busy.address());
    let tills = Supervisor::new("tills").strategy(Strategy::OneForOne).child(crashing).child(busy);
    let app = Supervisor::new("shop").child(console).child(tills);
    let app = app.start(&System::new()).await.expect("it starts");
    crashes.cast(Msg::Crash).expect("it is open");
    for _ in 0..3 {
        waits.cast(Msg::Wait).expect("it is open");
    }
    let up = async {
        while crashes.pid().map(|pid| pid.incarnation()) != Some(2) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), up).await.expect("it is restarted");
    (app, url.get().expect("the console has started"))
}

async fn run(arguments: &[&str]) -> Output {
    let arguments: Vec<String> = arguments.iter().map(|one| (*one).to_owned()).collect();
    let program = || Command::new(env!("CARGO_BIN_EXE_perennial-top")).args(arguments).output();
    tokio::task::spawn_blocking(program).await.expect("it ran").expect("it starts")
}

async fn screen(url: &str, view: &str, size: &str) -> String {
    let output = run(&["--view", view, "--once", size, url]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it is text")
}

#[tokio::test(flavor = "multi_thread")]
async fn tree_shows_states_incarnations_and_queues() {
    let (app, url) = shop().await;
    for (size, lines) in [("80x24", 24), ("120x40", 40)] {
        let screen = screen(&url, "tree", size).await;
        assert_eq!(screen.lines().count(), lines);
        let line = |of: &str| screen.lines().find(|line| line.contains(of)).unwrap_or_default().to_owned();
        assert!(line("crashing").contains("+ running"), "{screen}");
        assert!(line("crashing").split_whitespace().any(|word| word == "2"), "{screen}");
        assert!(line("v tills").contains("running"), "{screen}");
        assert!(line("messages").contains("balances"), "{screen}");
        assert!(line("health").contains("shop"), "{screen}");
    }
    // The messages behind the handler that never ends are dropped.
    drop(app.shutdown().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_begin_with_what_they_are_about() {
    let (app, url) = shop().await;
    let first = |screen: String| screen.lines().nth(6).unwrap_or_default().to_owned();
    assert!(first(screen(&url, "queue", "80x24").await).contains("busy"));
    assert!(first(screen(&url, "restarts", "80x24").await).contains("crashing"));
    // The messages behind the handler that never ends are dropped.
    drop(app.shutdown().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_show_the_crash_with_its_reason() {
    let (app, url) = shop().await;
    let events = screen(&url, "events", "120x40").await;
    let crash = events.lines().find(|line| line.contains(" ended ")).unwrap_or_default();
    assert!(crash.contains("crashing") && crash.contains("the drawer is stuck"), "{events}");
    assert!(events.contains("restarting"), "{events}");
    // The messages behind the handler that never ends are dropped.
    drop(app.shutdown().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn console_that_does_not_answer_is_named() {
    let output = run(&["--once", "80x24", "http://127.0.0.1:1"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("does not answer"));
    assert_eq!(run(&["--view", "all"]).await.status.code(), Some(2));
}
