//! A tree at one moment: as text, as a diagram. As data: see `supervision/tests/tree_data.rs`.

use std::thread;

use perennial::prelude::*;
use perennial::{ChildSpec, Tree};
use tokio::runtime::Builder;

use crate::support::{Log, crash, incarnation, scripted, start};

/// Starts `app` with a worker that was restarted once, and a group with a terminated worker.
async fn tree() -> Tree {
    let log = Log::default();
    let first = scripted("first", &log);
    let address = first.address();
    let group = Supervisor::new("a \"group\"").child(scripted("second", &log));
    let managed = group.handle();
    let (_system, app) = start(Supervisor::new("app").child(first).child(group)).await;
    address.cast(crash()).expect("the mailbox is open");
    assert_eq!(incarnation(&address).await, 2);
    managed.terminate_child("second").await.expect("the child stops");
    app.tree()
}

#[tokio::test]
async fn a_tree_is_drawn_as_text() {
    let drawn = tree().await.to_string();
    let lines: Vec<&str> = drawn.lines().map(str::trim_end).collect();
    assert!(lines[0].starts_with("app  running <"), "{drawn}");
    assert!(lines[1].starts_with("├─ first  running <") && lines[1].ends_with(".2>, 1 restart"), "{drawn}");
    assert!(lines[2].starts_with("└─ a \"group\"  running <"), "{drawn}");
    assert_eq!(lines[3], "   └─ second  stopped");
}

#[tokio::test]
async fn a_tree_is_drawn_as_a_mermaid_flowchart() {
    let expected = concat!(
        "flowchart TD\n",
        "    n0[\"app<br>running\"]\n",
        "    n0 --> n1[\"first<br>running, 1 restart\"]\n",
        "    n0 --> n2[\"a #quot;group#quot;<br>running\"]\n",
        "    n2 --> n3[\"second<br>stopped\"]\n",
    );
    assert_eq!(tree().await.mermaid().to_string(), expected);
}

/// Calls `look` with a tree of `nodes` nodes, each the only child of the previous one, on a thread
/// with a small stack.
fn on_a_chain(nodes: usize, look: fn(&Tree)) {
    let test = move || {
        let runtime = Builder::new_current_thread().enable_time().build().expect("there is a runtime");
        runtime.block_on(async {
            let mut child = ChildSpec::from(scripted("leaf", &Log::default()));
            for _ in 2..nodes {
                child = Supervisor::new("n").child(child).into();
            }
            let (_system, app) = start(Supervisor::new("app").child(child)).await;
            look(&app.tree());
        });
    };
    let thread = thread::Builder::new().stack_size(2 << 20).spawn(test);
    thread.expect("there is a thread").join().expect("the task succeeds");
}

#[test]
fn text_of_a_deep_tree_indents_no_further_than_the_hundredth_level() {
    on_a_chain(103, |tree| {
        let drawn = tree.to_string();
        let lines: Vec<&str> = drawn.lines().collect();
        let [hundredth, next, leaf] = lines[100..] else { panic!("{} lines", lines.len()) };
        let indent = "   ".repeat(99);
        assert!(hundredth.starts_with(&format!("{indent}└─ n  running <")), "{hundredth}");
        assert!(next.starts_with(&format!("{indent}└─ [101] n  running <")), "{next}");
        assert!(leaf.starts_with(&format!("{indent}└─ [102] leaf  running <")), "{leaf}");
    });
}

/// An id is a text of the user and may contain any character.
#[tokio::test]
async fn an_id_with_a_newline_draws_no_child_that_is_not_there() {
    let id = "a\n\u{251c}\u{2500} root  running <1.1>\r\u{2028}\u{202e}\u{1b}[2J\\";
    let log = Log::default();
    let (_system, app) = start(Supervisor::new("app").child(scripted(id, &log))).await;
    let (drawn, flowchart) = (app.tree().to_string(), app.tree().mermaid().to_string());
    assert_eq!(drawn.lines().count(), 2, "{drawn}");
    let line = "\u{2514}\u{2500} a\\n\u{251c}\u{2500} root  running <1.1>\\r\\u{2028}\\u{202e}\\u{1b}[2J\\\\  running <";
    assert!(drawn.contains(line), "{drawn}");
    assert_eq!(flowchart.lines().count(), 3, "{flowchart}");
    let lays_out = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{2028}' | '\u{202e}');
    assert!(!drawn.contains(lays_out) && !flowchart.contains(lays_out));
}
