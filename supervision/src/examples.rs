//! The parts that the examples of pools have in common, which their readers do not see.

/// Makes an example in which the pool `squares` runs: its jobs are numbers, and its results their squares.
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

/// Makes an example of a setting: the code sets the variable `pool` anew, and the pool does a job.
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
