//! The nodes of a cluster: their connections, the places of names, and the trees of each.

use std::time::Duration;

use perennial_actors::System;
use perennial_cluster::{MemoryNetwork, Node};
use perennial_console::api::{NodeTreeRows, Page};
use perennial_operations::{NodeInfo, PlacedName};
use perennial_supervision::{App, Child, Supervisor, SupervisorHandle};
use serde_json::json;

use crate::support::Stage;
use crate::support::cluster::Cluster;

/// Starts a console that shows a cluster. Another node of it has a tree with three stands.
async fn start() -> (Stage, App<SupervisorHandle>) {
    let system = System::new();
    let stand = |name: &str| Child::task(name.to_owned(), async |_| std::future::pending().await);
    let stands = ["east", "north", "west"].map(stand).into_iter();
    let market = stands.fold(Supervisor::new("market"), Supervisor::child);
    let market = market.start(&system).await.expect("the tree starts");
    (Stage::with(|console, _| console.nodes(Cluster::of(&system))).await, market)
}

async fn rows(stage: &Stage, node: &str, parameters: &str) -> NodeTreeRows {
    let rows = stage.read(&format!("/nodes/{node}/tree/rows{parameters}")).await;
    serde_json::from_value(rows).expect("they are rows")
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_shown_with_their_links_and_names_with_their_places() {
    let (stage, _market) = start().await;
    let nodes: Page<NodeInfo> = serde_json::from_value(stage.read("/nodes").await).unwrap();
    assert_eq!((nodes.total, &*nodes.items[0].name, nodes.items[0].link), (6, "a", None));
    let link = nodes.items[1].link.expect("it is another node");
    assert_eq!((link.round_trip, link.window_used, link.lost), (Some(Duration::from_micros(70)), 250, 3));
    assert!(nodes.items[1].is_up && !nodes.items[3].is_up);
    let found = stage.read("/nodes?q=C&offset=0&limit=1").await;
    assert_eq!((&found["total"], &found["items"][0]["name"]), (&json!(1), &json!("c")));

    let names: Page<PlacedName> = serde_json::from_value(stage.read("/nodes/names").await).unwrap();
    assert_eq!(names.items.iter().map(|name| &*name.name).collect::<Vec<_>>(), ["cart", "till"]);
    assert_eq!(names.items[0].nodes, ["b", "a"]);
    let part = stage.read("/nodes/names?q=T&offset=1").await;
    assert_eq!(
        (&part["total"], &part["offset"], &part["items"][0]["name"]),
        (&json!(2), &json!(1), &json!("till"))
    );
    assert_eq!(stage.read("/nodes/names?q=nothing").await["total"], 0);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tree_of_another_node_is_expanded_and_filtered_as_the_own_one() {
    let (stage, market) = start().await;
    let all = rows(&stage, "b", "").await;
    assert_eq!((all.rows.total, all.omitted), (4, 1));
    let pid = market.supervisor().tree().at(["west"]).and_then(|west| west.pid).expect("it runs");
    let west = &all.rows.items[3];
    assert_eq!((&*west.node.path, west.level, west.node.node.pid), ("market/west", 1, Some(pid)));
    assert_eq!(west.node.incarnation, 1, "its pid tells it");
    assert_eq!(rows(&stage, "b", "?expanded=").await.rows.total, 1);
    let found = rows(&stage, "b", "?q=NORTH").await;
    assert_eq!(
        found.rows.items.iter().map(|row| &*row.node.path).collect::<Vec<_>>(),
        ["market", "market/north"]
    );

    let answer = stage.post_with("/nodes/b/tree/rows", r#"{"base":"auto","limit":2}"#, "").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.json()["items"].as_array().map(Vec::len), Some(2));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_shows_nothing_or_fails_is_a_problem_of_its_own_routes_only() {
    let (stage, _market) = start().await;
    let ask = async |node: &str| stage.get(&format!("/api/v1/nodes/{node}/tree/rows")).await;
    let refused = ask("c").await;
    assert_eq!((refused.status, refused.error()), (404, "not_found".to_owned()));
    for unknown in ["nowhere", "no%20node"] {
        let missing = ask(unknown).await;
        assert_eq!((missing.status, missing.error()), (404, "not_found".to_owned()));
        assert!(missing.body.contains("there is no such node"), "{}", missing.body);
    }
    let failed = ask("f").await;
    assert_eq!((failed.status, failed.error()), (503, "unavailable".to_owned()));
    assert!(failed.body.contains("there is no connection"), "{}", failed.body);
    assert!(ask("e").await.body.contains("the code of the node panicked"));
    let (late, nodes, others) = tokio::join!(ask("d"), stage.read("/nodes"), rows(&stage, "b", ""));
    assert!(late.body.contains("not answered within 3 seconds"), "{}", late.body);
    assert_eq!((&nodes["total"], others.rows.total), (&json!(6), 4));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn console_without_a_cluster_has_no_nodes() {
    let stage = Stage::start().await;
    for list in ["/nodes", "/nodes/names"] {
        assert_eq!(stage.read(list).await["total"], 0);
    }
    assert_eq!(stage.get("/api/v1/nodes/a/tree/rows").await.error(), "not_found");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn console_of_a_node_shows_the_tree_of_another_that_exposes_it() {
    let network = MemoryNetwork::new(1);
    let node = |name| Node::builder(name).engine(network.engine()).build().expect("it is built");
    let (office, shop) = (node("office"), node("shop"));
    shop.expose_trees().expect("there is room");
    let stage = Stage::with(|console, _| console.nodes(office.clone())).await;
    let _office = office.start(&stage.system).await.expect("the node starts");
    let _shop = shop.start(&System::new()).await.expect("the node starts");
    let nodes = stage.read_until("/nodes", |nodes| nodes["items"][1]["is_up"] == true).await;
    assert_eq!((&nodes["items"][0]["name"], &nodes["items"][1]["name"]), (&json!("office"), &json!("shop")));
    let paths = |rows: NodeTreeRows| rows.rows.items.into_iter().map(|row| row.node.path).collect::<Vec<_>>();
    assert_eq!(paths(rows(&stage, "shop", "").await), ["cluster", "cluster/node shop"]);
    let own = paths(rows(&stage, "office", "").await);
    assert!(own.contains(&"app/counter".to_owned()), "{own:?}");
    stage.end().await;
}
