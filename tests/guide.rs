//! The pages of the guide that show parts of an example.

/// The code of a page that needs a feature is that of an example, which is built with it and run.
#[test]
fn durable_actors_are_shown_as_the_example_has_them() {
    let read = |path: &str| {
        let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).expect("the file can be read")
    };
    let source = read("examples/durable_actor.rs");
    let page = read("docs/guide/durable-actors.md");
    let parts: Vec<&str> = page.split("```rust,ignore\n").skip(1).collect();
    assert!(!parts.is_empty());
    for part in parts {
        let code = part.split("```").next().unwrap_or_default();
        assert!(source.contains(code), "examples/durable_actor.rs has no such part:\n{code}");
    }
}
