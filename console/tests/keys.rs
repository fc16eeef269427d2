//! Tables of keys: what is shown of them, and how one is found.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use perennial_actors::{Actor, Context, ExitReason};
use perennial_console::api::{KeyTableRow, Page};
use perennial_registry::{DuplicateKeys, Registry, UniqueKeys};
use perennial_supervision::Child;
use tokio::sync::{Mutex, Notify};

use crate::support::Stage;

/// A key whose `Debug` notifies, and then waits until the lock is free.
#[derive(Clone)]
struct Held(Arc<Mutex<()>>, Arc<Notify>);

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.1.notify_one();
        drop(self.0.blocking_lock());
        f.write_str("held")
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Held {}

impl Hash for Held {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// An actor with a key.
struct Holder;

impl Actor for Holder {
    type Msg = ();
    type Args = (Held, UniqueKeys<Held, ()>);

    async fn init((key, table): &Self::Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        table.register(ctx, key.clone(), ())?;
        Ok(Self)
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

/// The devices of users, by the names of the users.
type Devices = DuplicateKeys<&'static str, (), ()>;

/// An actor that registers a name of a user.
struct Device;

impl Actor for Device {
    type Msg = ();
    type Args = (&'static str, Devices);

    async fn init((user, devices): &Self::Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        devices.register(ctx, *user, ())?;
        Ok(Self)
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

/// Starts devices of users, and shows a table with them. It is shown until it is dropped.
pub(crate) async fn show_devices(stage: &Stage, devices: &[(&'static str, &str)]) -> Devices {
    let table = Devices::new();
    for (user, id) in devices {
        let device = Child::new::<Device>(*id, (*user, table.clone()));
        stage.app.supervisor().start_child(device).await.expect("the device starts");
    }
    Registry::of(&stage.system).show_keys("devices", &table);
    table
}

#[tokio::test(flavor = "multi_thread")]
async fn table_is_shown_with_the_actors_of_its_keys() {
    let stage = Stage::start().await;
    assert_eq!(stage.read("/keys").await["total"], 0);
    let devices = show_devices(&stage, &[("ann", "phone"), ("bob", "desk"), ("ann", "watch")]).await;
    let pid = |user, nth: usize| serde_json::to_value(devices.lookup(&user)[nth].pid).unwrap();
    let page = stage.read_until("/keys", |page| page["total"] == 1).await;
    let expected = serde_json::json!([{
        "table": "devices",
        "keys": 2,
        "entries": [
            { "key": "\"ann\"", "pid": pid("ann", 0), "label": "app/phone" },
            { "key": "\"ann\"", "pid": pid("ann", 1), "label": "app/watch" },
            { "key": "\"bob\"", "pid": pid("bob", 0), "label": "app/desk" },
        ],
    }]);
    assert_eq!(page["items"], expected);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entry_beyond_the_first_hundred_is_found_and_the_overview_counts_tables() {
    let stage = Stage::start().await;
    assert_eq!(stage.read("/overview").await["key_tables"], 0);
    let users: Vec<String> = (0..300).map(|number| format!("user-{number:03}")).collect();
    let devices: Vec<(&'static str, &str)> = users.iter().map(|id| ("guest", &**id)).collect();
    let _devices = show_devices(&stage, &devices).await;
    let page = stage.read_until("/keys", |page| page["total"] == 1).await;
    assert_eq!(page["items"][0]["entries"].as_array().unwrap().len(), 100);
    for wanted in ["user-000", "user-150", "user-299"] {
        let found = stage.read(&format!("/keys?q={wanted}")).await;
        let entries = found["items"][0]["entries"].as_array().unwrap();
        assert_eq!(entries.len(), 1, "{wanted}");
        assert_eq!(entries[0]["label"], format!("app/{wanted}"));
    }
    let many = stage.read("/keys?q=user-").await;
    assert_eq!(many["items"][0]["entries"].as_array().unwrap().len(), 100);
    assert_eq!(stage.read("/overview").await["key_tables"], 1);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entry_is_found_by_its_table_key_or_actor_in_any_case() {
    let stage = Stage::start().await;
    let _devices = show_devices(&stage, &[("ann", "phone"), ("bob", "desk"), ("ann", "watch")]).await;
    for (text, labels) in [
        ("", ["app/phone", "app/watch", "app/desk"].as_slice()),
        ("DEVICES", &["app/phone", "app/watch", "app/desk"]),
        ("Ann", &["app/phone", "app/watch"]),
        ("DESK", &["app/desk"]),
    ] {
        let page = stage.read_until(&format!("/keys?q={text}"), |page| page["total"] == 1).await;
        let page: Page<KeyTableRow> = serde_json::from_value(page).unwrap();
        let found = page.items[0].entries.iter().map(|entry| entry.label.as_deref().unwrap_or_default());
        assert_eq!((page.items[0].keys, found.collect::<Vec<_>>()), (2, labels.to_vec()), "{text}");
    }
    assert_eq!(stage.read("/keys?q=nothing").await["total"], 0);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_of_many_clients_leave_a_thread_for_other_answers() {
    let stage = Arc::new(Stage::start().await);
    let (key, table) = (Held(Arc::default(), Arc::default()), UniqueKeys::new());
    let holder = Child::new::<Holder>("holder", (key.clone(), table.clone()));
    stage.app.supervisor().start_child(holder).await.expect("it starts");
    Registry::of(&stage.system).show_keys("held", &table);
    stage.read_until("/keys", |page| page["total"] == 1).await;
    key.1.notified().await;
    let gate = key.0.clone().lock_owned().await;
    let searches: Vec<_> = (0..4)
        .map(|_| {
            let stage = stage.clone();
            tokio::spawn(async move { stage.read("/keys?q=eld").await })
        })
        .collect();
    key.1.notified().await;
    for _ in 0..50 {
        assert_eq!(stage.read("/audit").await["total"], 0);
    }
    drop(gate);
    for search in searches {
        assert_eq!(search.await.expect("it is answered")["total"], 1);
    }
    Arc::into_inner(stage).expect("no task has it").end().await;
}
