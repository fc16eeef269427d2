//! The hidden lines that the examples of this crate share.

/// Makes an example with a `registry` and two actors with text messages: `greeter` and `other`.
macro_rules! registry_example {
    ($code:literal) => {
        concat!(
            "\n# Examples\n\n```\n",
            "# use std::time::Duration;\n",
            "# use perennial_actors::{Actor, Context, ExitReason, System};\n",
            "# use perennial_registry::*;\n",
            "# struct Greeter;\n# impl Actor for Greeter {\n#     type Msg = String;\n#     type Args = ();\n",
            "#     async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Greeter) }\n",
            "#     async fn handle(&mut self, _: String, _: &mut Context<Self>) -> Result<(), ExitReason> {\n",
            "#         Ok(())\n#     }\n# }\n",
            "# const GREETER: Name<String> = Name::new(\"greeter\");\n",
            "# const GREETERS: Group<String> = Group::new(\"greeters\");\n",
            "# const NEWS: Topic<String> = Topic::new(\"news\");\n",
            "# #[tokio::main(flavor = \"current_thread\")]\n",
            "# async fn main() -> Result<(), Box<dyn std::error::Error>> {\n",
            "# let system = System::new();\n# let registry = Registry::of(&system);\n",
            "# let greeter = system.spawn::<Greeter>(()).await?;\n",
            "# let other = system.spawn::<Greeter>(()).await?;\n",
            "# let greeters = registry.group(GREETERS);\n# let news = registry.topic(NEWS);\n",
            $code,
            "\n# Ok(())\n# }\n```",
        )
    };
}

/// Makes an example with `keys` and a `session`, which runs the first part of the code in its
/// `init`.
macro_rules! keys_example {
    ($keys:literal, $init:literal, $code:literal) => {
        concat!(
            "\n# Examples\n\n```\n",
            "# use perennial_actors::{Actor, Context, ExitReason, System};\n",
            "# use perennial_registry::*;\n# type Keys = ",
            $keys,
            "<u64, (), u32>;\n",
            "# struct Session;\n# impl Actor for Session {\n#     type Msg = ();\n#     type Args = Keys;\n",
            "#     async fn init(keys: &Keys, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {\n",
            $init,
            "\n#         Ok(Session)\n#     }\n",
            "#     async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {\n",
            "#         Ok(())\n#     }\n# }\n",
            "# #[tokio::main(flavor = \"current_thread\")]\n",
            "# async fn main() -> Result<(), Box<dyn std::error::Error>> {\n",
            "# let (system, keys) = (System::new(), Keys::new());\n",
            "# let mut changes = keys.subscribe();\n",
            "# let session = system.spawn::<Session>(keys.clone()).await?;\n",
            $code,
            "\n# Ok(())\n# }\n```",
        )
    };
}
