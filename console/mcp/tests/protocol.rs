//! The tools as a client of the protocol sees them: over the standard input and output.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child as Process, ChildStdin, ChildStdout, Command, Stdio};

use perennial_actors::{Actor, Context, ExitReason, System};
use perennial_console::Console;
use perennial_supervision::{App, Child, Supervisor, SupervisorHandle};
use serde_json::{Value, json};

struct Clerk;

impl Actor for Clerk {
    type Msg = ();
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

/// Starts a shop with a console, and returns its URL and the identity of its clerk.
async fn shop() -> (App<SupervisorHandle>, String, u64) {
    let console = Console::at("127.0.0.1:0").token("secret-of-the-test");
    let url = console.url();
    let clerk = Child::new::<Clerk>("clerk", ());
    let address = clerk.address();
    let app = Supervisor::new("shop").child(console).child(clerk).start(&System::new()).await;
    let identity = address.pid().expect("it runs").identity();
    (app.expect("it starts"), url.get().expect("the console has started"), identity)
}

/// A client of the program.
struct Client {
    process: Process,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    last: u64,
}

impl Client {
    fn start(url: &str, token: Option<&str>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_perennial-mcp"));
        command.arg(url).env_remove("PERENNIAL_TOKEN").stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(token) = token {
            command.env("PERENNIAL_TOKEN", token);
        }
        let mut process = command.spawn().expect("it starts");
        let input = process.stdin.take().expect("it is piped");
        let output = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut client = Self { process, input, output, last: 0 };
        client.ask(
            "initialize",
            &json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } }),
        );
        client.write(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        client
    }

    fn write(&mut self, message: &Value) {
        writeln!(self.input, "{message}").expect("it reads");
    }

    /// Sends a request and returns its result, or its error.
    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.last += 1;
        let id = self.last;
        self.write(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).expect("it is text") > 0, "it has ended");
            let answer: Value = serde_json::from_str(&line).expect("it is JSON");
            if answer["id"] == id {
                return answer.get("result").or(answer.get("error")).cloned().expect("there is one");
            }
        }
    }

    fn tools(&mut self) -> Vec<Value> {
        let tools = self.ask("tools/list", &json!({}));
        tools["tools"].as_array().cloned().expect("it is a list")
    }

    /// Calls a tool. Returns its text and whether it failed.
    fn call(&mut self, tool: &str, arguments: &Value) -> (String, bool) {
        let result = self.ask("tools/call", &json!({ "name": tool, "arguments": arguments }));
        let text = result["content"][0]["text"].as_str().map(str::to_owned);
        (text.unwrap_or_else(|| result.to_string()), result["isError"] == true)
    }

    /// Closes the input, which ends the program.
    fn end(mut self) {
        drop(self.input);
        assert!(self.process.wait().expect("it ends").success());
    }
}

fn named<'a>(tools: &'a [Value], name: &str) -> Option<&'a Value> {
    tools.iter().find(|tool| tool["name"] == name)
}

/// Runs a client on a thread for blocking work, beside the shop.
async fn with_client(
    url: &str,
    token: Option<&'static str>,
    talk: impl FnOnce(&mut Client) + Send + 'static,
) {
    let url = url.to_owned();
    let talking = tokio::task::spawn_blocking(move || {
        let mut client = Client::start(&url, token);
        talk(&mut client);
        client.end();
    });
    talking.await.expect("it went well");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_every_tool_only_reads() {
    let (app, url, identity) = shop().await;
    with_client(&url, None, move |client| {
        let tools = client.tools();
        assert!(tools.len() >= 15, "{tools:?}");
        assert!(tools.iter().all(|tool| tool["annotations"]["readOnlyHint"] == true));
        let overview = named(&tools, "overview").expect("there is an overview");
        assert!(overview["description"].as_str().is_some_and(|text| !text.is_empty()));
        let (text, failed) = client.call("overview", &json!({}));
        assert!(!failed && text.contains("\"supervisors\""), "{text}");
        let (text, failed) = client.call("actor", &json!({ "identity": identity }));
        assert!(!failed && text.contains("shop/clerk"), "{text}");
        let (text, failed) = client.call("actor", &json!({ "identity": 999_999 }));
        assert!(failed && text.contains("not_found"), "{text}");
        let (text, _) = client.call("actor", &json!({}));
        assert!(text.contains("identity"), "{text}");
        let (text, _) = client.call("act_on_actor", &json!({ "identity": identity, "action": "kill" }));
        assert!(text.contains("no tool"), "{text}");
    })
    .await;
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_token_an_actor_is_killed_and_comes_back() {
    let (app, url, identity) = shop().await;
    with_client(&url, Some("secret-of-the-test"), move |client| {
        let tools = client.tools();
        let act = named(&tools, "act_on_actor").expect("there are actions");
        assert_eq!(act["annotations"]["readOnlyHint"], false);
        let (text, failed) = client.call("act_on_actor", &json!({ "identity": identity, "action": "kill" }));
        assert!(!failed && text.contains("done"), "{text}");
        let came_back = |client: &mut Client| {
            let (text, _) = client.call("actor", &json!({ "identity": identity }));
            text.contains("\"incarnation\":2")
        };
        assert!((0..1_000).any(|_| came_back(client)));
    })
    .await;
    with_client(&url, Some("another"), move |client| {
        let (text, failed) = client.call("act_on_actor", &json!({ "identity": identity, "action": "kill" }));
        assert!(failed && text.contains("unauthorized"), "{text}");
    })
    .await;
    assert!(app.shutdown().await.is_clean());
}
