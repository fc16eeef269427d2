//! Gives agents the API of a console of perennial, as tools of the Model Context Protocol.
//!
//! ```text
//! perennial-mcp [URL]                    # http://127.0.0.1:9911 unless another console is named
//! PERENNIAL_TOKEN=.. perennial-mcp URL   # with actions
//! ```
//!
//! A client of the protocol starts this program and speaks to it through its standard input and
//! output. Each operation of the console's `/openapi.json` that answers with JSON is a tool, so the
//! tools are those of the console that answers. Without a token, only operations that need none are
//! there.
//!
//! The exit code is 0 when the client closes the input, 1 if the console does not answer at the
//! start, and 2 for wrong arguments.

#![expect(unreachable_pub, reason = "in a program, pub says what the other modules may use")]

mod client;
mod openapi;
mod request;
mod server;
mod tools;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use lexopt::prelude::*;
use rmcp::ServiceExt as _;
use rmcp::transport::stdio;

use client::Client;
use openapi::Document;
use server::Server;

const USAGE: &str = "\
Gives agents the API of a console of perennial, as tools of the Model Context Protocol.

Usage: perennial-mcp [URL]

Arguments:
  URL               The console [default: http://127.0.0.1:9911]

Environment:
  PERENNIAL_TOKEN   The token of the console. Without it there are no actions";

/// What the arguments ask for.
enum Mode {
    Help,
    Serve { url: String },
}

fn main() -> ExitCode {
    let failed = |code: u8, why: &dyn std::fmt::Display| {
        let _ = writeln!(io::stderr(), "perennial-mcp: {why}");
        ExitCode::from(code)
    };
    match parse(std::env::args_os().skip(1)) {
        Ok(Mode::Help) => {
            let _ = writeln!(io::stdout(), "{USAGE}");
            ExitCode::SUCCESS
        }
        Ok(Mode::Serve { url }) => match serve(&url) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => failed(1, &why),
        },
        Err(wrong) => failed(2, &wrong),
    }
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Mode, lexopt::Error> {
    let mut url = "http://127.0.0.1:9911".to_owned();
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Mode::Help),
            Value(value) => url = value.string()?.trim_end_matches('/').to_owned(),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Mode::Serve { url })
}

fn serve(url: &str) -> Result<(), Box<dyn std::error::Error>> {
    let token = std::env::var("PERENNIAL_TOKEN").ok().filter(|token| !token.is_empty());
    let client = Client::new(url, token);
    let document = Document::parse(&client.document()?)?;
    let server = Server::new(client, document);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        server.serve(stdio()).await?.waiting().await?;
        Ok(())
    })
}
