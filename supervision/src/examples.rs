//! Macros for the hidden parts that documentation examples have in common.

/// Expands to an example in which the pool `squares` runs. Its jobs are numbers, and its results
/// their squares.
macro_rules! pool_example {
    ($code:literal) => {
        concat!(
            "# Examples\n\n```\n",
            "# use std::convert::Infallible;\n# use std::future::ready;\n# use std::time::Duration;\n",
            "# use perennial_actors::System;\n# use perennial_supervision::Backoff;\n",
            "# use perennial_supervision::pool::*;\n",
            "# #[tokio::main(flavor = \"current_thread\")]\n",
            "# async fn main() -> Result<(), Box<dyn std::error::Error>> {\n",
            "# let square = |n: &u64| ready(Ok::<u64, Infallible>(n * n));\n",
            "# let pool = Pool::from_fn(\"squares\", 2, square);\n# let squares = pool.handle();\n",
            "# let app = pool.start(&System::new()).await?;\n",
            $code,
            "\n# assert!(app.shutdown().await.is_clean());\n# Ok(())\n# }\n```",
        )
    };
}

/// Expands to an example of a setting: the code redefines the variable `pool`, and the pool runs a
/// job.
macro_rules! setting_example {
    ($code:literal) => {
        concat!(
            "# Examples\n\n```\n",
            "# use std::convert::Infallible;\n# use std::future::ready;\n# use std::time::Duration;\n",
            "# use perennial_actors::System;\n# use perennial_supervision::pool::*;\n",
            "# use perennial_supervision::{Backoff, Restart, Shutdown};\n",
            "# #[tokio::main(flavor = \"current_thread\")]\n",
            "# async fn main() -> Result<(), Box<dyn std::error::Error>> {\n",
            "# let square = |n: &u64| ready(Ok::<u64, Infallible>(n * n));\n",
            "# let pool = Pool::from_fn(\"squares\", 2, square);\n",
            $code,
            "\n# let squares = pool.handle();\n# let app = pool.start(&System::new()).await?;\n",
            "# assert_eq!(squares.submit(3).await?.await?, 9);\n",
            "# assert!(app.shutdown().await.is_clean());\n# Ok(())\n# }\n```",
        )
    };
}

/// Expands to an example of a tree. The function `clock(id)` returns a task that never ends.
macro_rules! supervision_example {
    ($code:literal) => {
        concat!(
            "# Examples\n\n```\n",
            "# use std::convert::Infallible;\n# use std::num::NonZeroUsize;\n# use std::time::Duration;\n",
            "# use perennial_actors::{ExitReason, System};\n# use perennial_supervision::*;\n",
            "# fn clock(id: &'static str) -> Child<Infallible> {\n",
            "#     Child::task(id, |_| std::future::pending())\n# }\n",
            "# #[tokio::main(flavor = \"current_thread\")]\n",
            "# async fn main() -> Result<(), Box<dyn std::error::Error>> {\n",
            $code,
            "\n# Ok(())\n# }\n```",
        )
    };
}
