//! When a start is complete: when the init returns, or when the actor says so.

use super::traits::{Actor, Context};

/// # When the start is complete
///
/// Whoever started the actor waits for that: a supervisor before it starts the next child, a
/// [spawn](crate::System::spawn) that is awaited before it goes on.
impl<A: Actor> Context<A> {
    /// The start is not complete when this init returns, but when the actor says that it is [`ready`](Self::ready).
    ///
    /// From the return of the init on it is an actor like any other: it handles messages, its own too, and a stop comes between
    /// two of them. Only its start is not complete; if it ends before that, its start has failed. So it may wait for many things
    /// at once and stay responsive, where an init would wait for one after the other and nobody could talk to it. Called
    /// after the init, this does nothing.
    ///
    /// ```
    /// use perennial_actors::{Actor, Context, ExitReason, Reply, System};
    ///
    /// enum Msg {
    ///     Loaded(Vec<u32>),
    ///     Sum(Reply<u32>),
    /// }
    ///
    /// struct Index(Vec<u32>);
    ///
    /// async fn load() -> Vec<u32> {
    ///     vec![40, 2]
    /// }
    ///
    /// impl Actor for Index {
    ///     type Msg = Msg;
    ///     type Args = ();
    ///
    ///     async fn init(_: &(), ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
    ///         ctx.defer_ready();
    ///         ctx.pipe_to_self(load(), Msg::Loaded);
    ///         Ok(Self(Vec::new()))
    ///     }
    ///
    ///     async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
    ///         match msg {
    ///             Msg::Loaded(entries) => {
    ///                 self.0 = entries;
    ///                 ctx.ready();
    ///             }
    ///             Msg::Sum(reply) => reply.send(self.0.iter().sum()),
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let index = System::new().spawn::<Index>(()).await?;
    /// assert_eq!(index.call(Msg::Sum).await?, 42, "it has started, so it is loaded");
    /// # Ok(())
    /// # }
    /// ```
    pub fn defer_ready(&mut self) {
        self.attachment_mut().defer_ready();
    }

    /// The start is complete, if it was to be so [later](Self::defer_ready): in a handler, a signal or a continuation. Does
    /// nothing otherwise, nor the second time, nor in `terminate`: an actor that ends before it was ready has not started.
    ///
    /// In the init itself it takes `defer_ready` back.
    pub fn ready(&mut self) {
        self.attachment_mut().ready();
    }
}
