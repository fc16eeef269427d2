//! What the compiler says about an error that does not convert to an exit reason: how to write it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::{env, fs};

/// Returns the libraries that cargo built for this test, the newest first.
fn libraries() -> (PathBuf, Vec<PathBuf>) {
    let folder =
        env::current_exe().expect("a test has a path").parent().expect("it lies in a folder").to_owned();
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("libperennial_actors-") && name.ends_with(".rlib")
    };
    let files = fs::read_dir(&folder).expect("the folder can be read").filter_map(Result::ok);
    let mut libraries: Vec<_> = files.map(|file| file.path()).filter(is_ours).collect();
    libraries.sort_by_key(|path| fs::metadata(path).and_then(|data| data.modified()).ok());
    libraries.reverse();
    (folder, libraries)
}

/// Compiles a function body that returns `Result<(), ExitReason>`. Returns what the compiler says.
fn compile(body: &str) -> String {
    let (folder, libraries) = libraries();
    let code = format!(
        "#![allow(unused)] use std::error::Error; use perennial_actors::ExitReason; \
         pub fn run() -> Result<(), ExitReason> {{ {body} }}"
    );
    for library in libraries {
        let mut compiler = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
            .args([
                "--edition",
                "2024",
                "--crate-type",
                "lib",
                "--crate-name",
                "asked",
                "--emit",
                "metadata",
                "-",
            ])
            .arg("--extern")
            .arg(format!("perennial_actors={}", library.display()))
            .arg("-L")
            .arg(format!("dependency={}", folder.display()))
            .arg("--out-dir")
            .arg(env!("CARGO_TARGET_TMPDIR"))
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the compiler can be run");
        let mut stdin = compiler.stdin.take().expect("it was asked for");
        stdin.write_all(code.as_bytes()).expect("the compiler reads");
        drop(stdin);
        let output = compiler.wait_with_output().expect("the compiler ends");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // A library left there by another compiler or feature set says nothing about this build.
        if !["E0460", "E0463", "E0514", "E0786"].iter().any(|code| said.contains(code)) {
            return said;
        }
    }
    panic!("cargo has built no library for this test");
}

const HOW: &str = "`.map_err(|error| error.to_string())`";

#[test]
fn texts_and_boxed_errors_are_accepted() {
    for body in [
        "Err(\"no disk\".into())",
        "Err(format!(\"no disk {}\", 1))?",
        "let read: Result<(), Box<dyn Error + Send + Sync>> = Ok(()); Ok(read?)",
    ] {
        assert_eq!(compile(body), "", "of {body}");
    }
}

#[test]
fn a_box_that_is_not_send_and_sync_is_refused_with_a_hint() {
    let said = compile("let read: Result<(), Box<dyn Error>> = Ok(()); read?; Ok(())");
    assert!(said.contains(HOW), "{said}");
    let written = "let read: Result<(), Box<dyn Error>> = Ok(()); \
                   read.map_err(|error| error.to_string())?; Ok(())";
    assert_eq!(compile(written), "", "what the message says compiles");
}

#[test]
fn a_value_that_is_no_error_is_refused_with_a_hint() {
    let said = compile("Err(7)?; Ok(())");
    assert!(said.contains(HOW), "{said}");
}
