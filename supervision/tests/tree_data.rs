//! A tree as data, with the feature `serde`.

use std::thread;

use perennial_actors::{Actor, Context, ExitReason, Reply, System};
use perennial_supervision::{Child, ChildSpec, Supervisor, Tree};
use serde_json::{Value, json};
use tokio::runtime::Builder;

struct Worker;

enum Msg {
    Crash,
    Ping(Reply<()>),
}

impl Actor for Worker {
    type Msg = Msg;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Crash => return Err(ExitReason::failed("on purpose")),
            Msg::Ping(reply) => reply.send(()),
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_tree_is_written_as_data() {
    let (first, second) = (Child::new::<Worker>("first", ()), Child::new::<Worker>("second", ()));
    let address = first.address();
    let group = Supervisor::new("group").child(second);
    let managed = group.handle();
    let tree = Supervisor::new("app").child(first).child(group);
    let app = tree.start(&System::new()).await.expect("it starts");
    address.cast(Msg::Crash).expect("the child is running");
    address.call(Msg::Ping).await.expect("the second incarnation answers");
    managed.terminate_child("second").await.expect("the child is stopped");

    let data = serde_json::to_value(app.tree()).expect("a tree is plain data");
    assert_eq!(data["id"], "app");
    assert_eq!(data["kind"], "supervisor");
    let first = &data["children"][0];
    assert_eq!((&first["id"], &first["kind"]), (&"first".into(), &"worker".into()));
    assert_eq!((&first["state"], &first["restarts"]), (&"running".into(), &1.into()));
    assert_eq!(first["pid"]["incarnation"], 2);
    let second = &data["children"][1]["children"][0];
    assert_eq!((&second["state"], &second["pid"]), (&"stopped".into(), &Value::Null));
}

/// Returns the tree of `nodes` nodes, each the only child of the one before.
async fn chain(nodes: usize) -> Tree {
    let mut child = ChildSpec::from(Child::new::<Worker>("leaf", ()));
    for _ in 2..nodes {
        child = Supervisor::new("n").child(child).into();
    }
    let app = Supervisor::new("app").child(child).start(&System::new()).await.expect("it starts");
    app.tree()
}

#[test]
fn data_of_a_deep_tree_is_written_and_read_on_a_small_stack() {
    let test = || {
        let runtime = Builder::new_current_thread().enable_time().build().expect("there is a runtime");
        let tree = runtime.block_on(chain(10_000));
        let text = serde_json::to_string(&tree).expect("a tree is plain data");
        let mut data: Value = serde_json::from_str(&text).expect("it is not nested too deeply");
        for _ in 0..50 {
            assert_eq!(data["descendants"], Value::Null);
            data = data["children"][0].take();
        }
        assert_eq!((&data["id"], &data["children"]), (&"n".into(), &json!([])));
        let below = data["descendants"].as_array().expect("there are more");
        assert_eq!((below.len(), &below[0]["level"], &below[0]["id"]), (9_949, &51.into(), &"n".into()));
        let leaf = below.last().expect("there are more");
        assert_eq!(
            (&leaf["level"], &leaf["id"], &leaf["kind"]),
            (&9_999.into(), &"leaf".into(), &"worker".into())
        );
    };
    let thread = thread::Builder::new().stack_size(2 << 20).spawn(test);
    thread.expect("there is a thread").join().expect("the test passes");
}
