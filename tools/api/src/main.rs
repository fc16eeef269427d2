//! Lists the public API of a library, one item a line: `perennial-api FILE`, the JSON that rustdoc wrote.
//!
//! Blanket and auto trait impls are left out: they follow from the types. Of a derived impl only its head is listed.

use std::process::ExitCode;
use std::{env, error, io, io::Write};

/// The methods that derived impls have; they say nothing that the head of the impl does not.
const DERIVED: [&str; 7] = ["clone", "cmp", "default", "eq", "fmt", "hash", "partial_cmp"];

fn main() -> ExitCode {
    match list() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "perennial-api: {error}");
            ExitCode::FAILURE
        }
    }
}

fn list() -> Result<(), Box<dyn error::Error>> {
    let file = env::args_os().nth(1).ok_or("usage: perennial-api FILE")?;
    let api = public_api::Builder::from_rustdoc_json(file)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .build()?;
    let mut out = io::stdout().lock();
    for item in api.items() {
        let line = item.to_string();
        if !is_derived_method(&line) {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

/// Returns `true` for a line such as `pub fn krate::Type::clone(&self) -> krate::Type`.
fn is_derived_method(line: &str) -> bool {
    let Some((path, _)) = line.split_once("(&self") else { return false };
    let name = path.rsplit("::").next().unwrap_or_default();
    path.starts_with("pub fn ") && DERIVED.contains(&name)
}
