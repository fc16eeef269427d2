//! `openapi.json` has the routes of the router, and the answers have the form that it says.

use std::collections::BTreeSet;
use std::sync::Arc;

use perennial_actors::System;
use perennial_console::Console;
use perennial_durable::MemoryStore;
use perennial_supervision::pool::Pool;
use perennial_supervision::{Child, Supervisor};
use serde_json::{Map, Value};

use crate::keys::show_devices;
use crate::stores::enqueue_dead;
use crate::support;
use crate::support::cluster::Cluster;
use crate::support::{Counter, Msg, Stage};

const ROUTES: &str = include_str!("../src/http/routes.rs");

fn document() -> Value {
    serde_json::from_str(include_str!("../openapi.json")).expect("it is JSON")
}

/// Returns the methods and paths of the router, as its source has them.
fn routes_of_the_source() -> BTreeSet<String> {
    let (api, rest) = ROUTES.split_once("Router::new()\n        .route(\"/\"").expect("the API comes first");
    let rest = format!(".route(\"/\"{rest}");
    [(api, "/api/v1"), (&rest, "")].iter().flat_map(|(routes, prefix)| routes_in(routes, prefix)).collect()
}

fn routes_in(source: &str, prefix: &str) -> Vec<String> {
    let mut routes = Vec::new();
    for route in source.split(".route(\"").skip(1) {
        let (path, rest) = route.split_once('"').expect("a path ends");
        let handlers = rest.split(";").next().unwrap_or(rest);
        for method in ["get", "post"] {
            if handlers.contains(&format!("{method}(")) {
                routes.push(format!("{method} {prefix}{}", path.replace("{*", "{")));
            }
        }
    }
    routes
}

#[test]
fn document_has_the_routes_of_the_router_and_no_others() {
    let document = document();
    let paths = document["paths"].as_object().expect("it has paths");
    let named: BTreeSet<String> = paths
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("a path has methods").keys();
            methods.map(move |method| format!("{method} {path}"))
        })
        .collect();
    assert_eq!(named, routes_of_the_source());
    assert!(named.contains("post /api/v1/tree/rows") && named.len() > 25, "{named:?}");
}

/// Checks values against schemas, as far as the document uses them. An object may have no field
/// that its schema does not name.
struct Checker {
    schemas: Map<String, Value>,
}

impl Checker {
    fn new() -> Self {
        let document = document();
        Self { schemas: document["components"]["schemas"].as_object().expect("it has schemas").clone() }
    }

    fn check(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.rsplit('/').next().unwrap_or_default();
            let schema = self.schemas.get(name).ok_or_else(|| format!("{at}: no schema {name}"))?;
            return self.check(schema, value, at);
        }
        if let Some(options) = schema["oneOf"].as_array() {
            let errors: Vec<String> =
                options.iter().filter_map(|option| self.check(option, value, at).err()).collect();
            let fits = errors.len() < options.len();
            return if fits { Ok(()) } else { Err(errors.join("; or ")) };
        }
        if !is_of_type(&schema["type"], value) {
            return Err(format!("{at}: {value} is not of the type {}", schema["type"]));
        }
        if let Some(values) = schema["enum"].as_array() {
            if !values.contains(value) {
                return Err(format!("{at}: {value} is not one of {values:?}"));
            }
        }
        if let (Some(items), Some(list)) = (schema.get("items"), value.as_array()) {
            list.iter().try_for_each(|item| self.check(items, item, &format!("{at}[]")))?;
        }
        match (schema["properties"].as_object(), value.as_object()) {
            (Some(properties), Some(fields)) => self.check_fields(schema, properties, fields, at),
            _ => Ok(()),
        }
    }

    fn check_fields(
        &self,
        schema: &Value,
        properties: &Map<String, Value>,
        fields: &Map<String, Value>,
        at: &str,
    ) -> Result<(), String> {
        for (name, field) in fields {
            let property = properties.get(name).ok_or_else(|| format!("{at}.{name}: it is not described"))?;
            self.check(property, field, &format!("{at}.{name}"))?;
        }
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        match required.into_iter().find(|name| !fields.contains_key(*name)) {
            Some(name) => Err(format!("{at}.{name}: it is missing")),
            None => Ok(()),
        }
    }
}

fn is_of_type(types: &Value, value: &Value) -> bool {
    let is_it = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    match types {
        Value::String(name) => is_it(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is_it),
        _ => true,
    }
}

#[test]
fn checker_finds_what_is_wrong() {
    let checker = Checker::new();
    let schema = &checker.schemas["Pid"];
    let check = |value: Value| checker.check(schema, &value, "pid");
    assert_eq!(check(serde_json::json!({ "identity": 1, "incarnation": 2 })), Ok(()));
    for wrong in [
        serde_json::json!({ "identity": 1 }),
        serde_json::json!({ "identity": "1", "incarnation": 2 }),
        serde_json::json!({ "identity": 1, "incarnation": 2, "more": 3 }),
        serde_json::json!([]),
    ] {
        check(wrong.clone()).expect_err(&wrong.to_string());
    }
}

/// Starts a tree in which something of everything happened: crashes, dead letters, dead jobs.
async fn eventful(store: Arc<MemoryStore>) -> (Stage, u64, u64) {
    let pool = Pool::from_fn("mails", 1, |_: &u64| async { Err::<(), _>("offline".to_owned()) });
    let mails = pool.handle();
    let system = System::new();
    let console = Console::at("127.0.0.1:0")
        .token(support::TOKEN)
        .pool(&mails)
        .store("orders", store)
        .nodes(Cluster::of(&system))
        .metrics(String::new);
    let url = console.url();
    let counter = Child::new::<Counter>("counter", ());
    let address = counter.address();
    let tree = Supervisor::new("app").intensity(9, std::time::Duration::from_secs(9));
    let app = tree.child(console).child(counter).child(pool).start(&system).await.expect("the tree starts");
    let stage = Stage { system, app, counter: address, url };
    stage.counter.cast(Msg::Crash).expect("the counter is there");
    let job = mails.submit(7).await.expect("the job is accepted");
    let number = job.id().as_u64();
    job.await.expect_err("the server is offline");
    let identity = stage.counter.handle().identity();
    stage.post(&format!("/processes/{identity}/suspend"), "{}").await;
    stage.post_with(&format!("/processes/{identity}/kill"), "{}", "").await;
    stage.post(&format!("/processes/{identity}/resume"), "{}").await;
    (stage, mails.supervisor().handle().identity(), number)
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_have_the_form_that_the_document_says() {
    let store = Arc::new(MemoryStore::new());
    let durable = enqueue_dead(&store, "mails").await;
    let (stage, pool, job) = eventful(store).await;
    let _devices = show_devices(&stage, &[("ann", "phone")]).await;
    stage.read_until("/keys", |keys| keys["total"] == 1).await;
    let checker = Checker::new();
    let document = document();
    let crashes = stage.read_until("/crashes", |crashes| crashes["total"] == 1).await;
    let counter = stage.counter.handle().identity();
    let mut checked = 0;
    for (path, methods) in document["paths"].as_object().expect("it has paths") {
        let Some(schema) = methods["get"]["responses"]["200"]["content"].get("application/json") else {
            continue;
        };
        let identity = if path.contains("/pools/") { pool } else { counter };
        let asked = path.replace("{identity}", &identity.to_string());
        let job = if path.contains("/stores/") { durable.0 } else { job };
        let asked = asked.replace("{store}", "orders").replace("{queue}", "mails").replace("{node}", "b");
        let asked = asked.replace("{job}", &job.to_string());
        let asked = asked.replace("{sequence}", &crashes["items"][0]["sequence"].to_string());
        let answer = stage.get(&asked).await;
        assert_eq!(answer.status, 200, "{asked}: {}", answer.body);
        checker.check(&schema["schema"], &answer.json(), &asked).unwrap();
        checked += 1;
    }
    assert!(checked > 24, "{checked}");
    let problem = stage.get("/api/v1/processes/999").await.json();
    checker.check(&checker.schemas["Problem"], &problem, "problem").unwrap();
    let done = stage.post(&format!("/pools/{pool}/dead-jobs/drop"), &format!("{{\"ids\":[{job}]}}")).await;
    checker.check(&checker.schemas["ActionOutcome"], &done.json(), "action").unwrap();
    stage.end().await;
}
