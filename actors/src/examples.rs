//! The hidden setup that the examples of this crate share.

/// Makes an example with a `system`, and a `counter` whose messages are `Msg::Add` and `Msg::Get`.
macro_rules! actor_example {
    ($code:literal) => {
        concat!(
            "\n# Examples\n\n```\n",
            "# use std::{any::Any, time::Duration};\n",
            "# use perennial_actors::*;\n",
            "# struct Counter(u64);\n",
            "# enum Msg { Add(u64), Get(Reply<u64>) }\n",
            "# impl From<u64> for Msg { fn from(n: u64) -> Self { Self::Add(n) } }\n",
            "# impl Actor for Counter {\n#     type Msg = Msg;\n#     type Args = u64;\n",
            "#     async fn init(n: &u64, _: &mut Context<Self>) -> Result<Self, ExitReason> {\n",
            "#         Ok(Self(*n))\n#     }\n",
            "#     async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {\n",
            "#         match msg {\n#             Msg::Add(n) => self.0 += n,\n",
            "#             Msg::Get(reply) => reply.send(self.0),\n#         }\n#         Ok(())\n#     }\n",
            "#     fn debug_state(&mut self) -> Option<&mut (dyn Any + Send)> { Some(&mut self.0) }\n# }\n",
            "# #[tokio::main(flavor = \"current_thread\")]\n",
            "# async fn main() -> Result<(), Box<dyn std::error::Error>> {\n",
            "# let system = System::new();\n",
            "# let counter = system.spawn::<Counter>(0).await?;\n",
            $code,
            "\n# Ok(())\n# }\n```",
        )
    };
}

/// Makes an example that a handler runs. It has `ctx` and a handle `other`, and must cause the end
/// of the actor: by `Msg::Tick`, `Msg::Done(42)`, a signal or a stop.
macro_rules! context_example {
    ($code:literal) => {
        concat!(
            "\n# Examples\n\n```\n",
            "# use std::time::Duration;\n",
            "# use perennial_actors::*;\n",
            "# struct Worker(Option<ActorHandle>);\n",
            "# enum Msg { Start, Tick, Done(u64), Get(Reply<u64>) }\n",
            "# impl Actor for Worker {\n#     type Msg = Msg;\n#     type Args = Option<ActorHandle>;\n",
            "#     async fn init(other: &Self::Args, _: &mut Context<Self>) -> Result<Self, ExitReason> {\n",
            "#         Ok(Self(other.clone()))\n#     }\n",
            "#     async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {\n",
            "#         let other = self.0.clone().unwrap_or_else(|| ctx.address().handle());\n",
            "#         match msg {\n#             Msg::Start => {\n",
            $code,
            "\n#             }\n#             Msg::Tick => ctx.stop(ExitReason::Normal),\n",
            "#             Msg::Done(n) => {\n#                 assert_eq!(n, 42);\n",
            "#                 ctx.stop(ExitReason::Normal);\n#             }\n",
            "#             Msg::Get(reply) => ctx.stop_and_reply(ExitReason::Normal, reply, 42),\n",
            "#         }\n#         Ok(())\n#     }\n",
            "#     async fn signal(&mut self, _: Signal, ctx: &mut Context<Self>) -> Result<(), ExitReason> {\n",
            "#         ctx.stop(ExitReason::Normal);\n#         Ok(())\n#     }\n# }\n",
            "# #[tokio::main(flavor = \"current_thread\")]\n",
            "# async fn main() -> Result<(), Box<dyn std::error::Error>> {\n",
            "# tokio::time::pause();\n# let system = System::new();\n",
            "# let other = system.spawn::<Worker>(None).await?;\n",
            "# let worker = system.spawn::<Worker>(Some(other.handle())).await?;\n",
            "# let exit = worker.monitor();\n# worker.cast(Msg::Start)?;\n",
            "# assert_eq!(exit.await.reason, ExitReason::Normal);\n# Ok(())\n# }\n```",
        )
    };
}
