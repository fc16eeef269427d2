//! The pages of `docs/guide/`, compiled and run as doc tests.

macro_rules! pages {
    ($($page:ident: $file:literal;)+) => {$(
        #[doc = include_str!(concat!("../docs/guide/", $file))]
        struct $page;
    )+};
}

pages! {
    ChatServer: "chat-server.md";
    ComingFromOthers: "coming-from-others.md";
    Draining: "draining.md";
    ErrorsAndLogs: "errors-and-logs.md";
    FirstTree: "first-tree.md";
    Names: "names.md";
    Pools: "pools.md";
    RestartTypesAndIntensity: "restart-types-and-intensity.md";
    Testing: "testing.md";
}
