//! The files of the page, which are in the program.

/// The description of the API.
pub(crate) const OPENAPI: &str = include_str!("../openapi.json");

/// Names files of the folder `assets`, with their contents.
macro_rules! files {
    ($($name:literal)*) => { [$(($name, include_str!(concat!("../assets/", $name))),)*] };
}

/// The files and their contents.
const FILES: &[(&str, &str)] = &files! {
    "actions.js"
    "answers.js"
    "api.js"
    "css/charts.css"
    "css/controls.css"
    "css/events.css"
    "css/frame.css"
    "css/header.css"
    "css/lists.css"
    "css/nav.css"
    "css/notices.css"
    "css/pools.css"
    "css/stops.css"
    "css/timeline.css"
    "css/tokens.css"
    "css/tree.css"
    "dom.js"
    "format.js"
    "header.js"
    "history.js"
    "icon.svg"
    "index.html"
    "main.js"
    "nav.js"
    "parts/account.js"
    "parts/attempts.js"
    "parts/chart.js"
    "parts/dialog.js"
    "parts/durable.js"
    "parts/event.js"
    "parts/graph.js"
    "parts/job.js"
    "parts/keyboard.js"
    "parts/lists.js"
    "parts/mark.js"
    "parts/rows.js"
    "parts/small.js"
    "parts/table.js"
    "parts/toast.js"
    "parts/window.js"
    "rail.js"
    "refresh.js"
    "router.js"
    "search.js"
    "sse.js"
    "store.js"
    "stream.js"
    "theme.js"
    "views.js"
    "views/actor.js"
    "views/actor_card.js"
    "views/audit.js"
    "views/crash_report.js"
    "views/crashes.js"
    "views/dead_letters.js"
    "views/durable_job.js"
    "views/job.js"
    "views/nodes.js"
    "views/pool.js"
    "views/pools.js"
    "views/processes.js"
    "views/queue.js"
    "views/queues.js"
    "views/registry.js"
    "views/shutdown.js"
    "views/timeline.js"
    "views/tree.js"
    "views/waits.js"
};

/// Returns the content type and the content of a file.
pub(crate) fn find(name: &str) -> Option<(&'static str, &'static str)> {
    let (name, content) = FILES.iter().find(|(known, _)| *known == name)?;
    let content_type = match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        _ => "text/plain; charset=utf-8",
    };
    Some((content_type, content))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_of_the_page_is_in_the_program() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
        let (mut open, mut found) = (vec![root.clone()], BTreeSet::new());
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    found.insert(path.strip_prefix(&root).unwrap().display().to_string());
                }
            }
        }
        let named: BTreeSet<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(found, named);
        assert!(find("../Cargo.toml").is_none() && find("").is_none());
    }
}
