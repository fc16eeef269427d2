//! When a start is complete: when `init` returns, or later, when the actor says so.

use super::traits::{Actor, Context};

/// # When the start is complete
///
/// A supervisor waits for it before it starts the next child. An awaited
/// [spawn](crate::System::spawn) resolves when the start is complete.
impl<A: Actor> Context<A> {
    /// Defers the end of the start from the return of `init` to the call of [`ready`](Self::ready).
    ///
    /// After `init` returns, the actor handles messages and its own timers and futures, and a stop
    /// takes effect between two of them. Only its start is not complete: if it ends before that,
    /// its start has failed. So it can wait for several things at once and stay responsive, where
    /// `init` would wait for one after the other without handling messages. Outside `init` this
    /// does nothing.
    ///
    /// # Examples
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
    ///     async fn handle(
    ///         &mut self,
    ///         msg: Msg,
    ///         ctx: &mut Context<Self>,
    ///     ) -> Result<(), ExitReason> {
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

    /// Completes a [deferred](Self::defer_ready) start, from a handler, a signal or a continuation.
    ///
    /// Called within `init`, it cancels the deferral. It does nothing if the start is complete, and
    /// nothing in `terminate`: an actor that ends before it was ready has not started.
    ///
    /// # Examples
    ///
    /// ```
    /// use perennial_actors::{Actor, Context, ExitReason, System};
    ///
    /// struct Cache(Vec<u32>);
    ///
    /// impl Actor for Cache {
    ///     type Msg = Vec<u32>;
    ///     type Args = ();
    ///     async fn init(_: &(), ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
    ///         ctx.defer_ready();
    ///         ctx.pipe_to_self(async { vec![1, 2, 3] }, |loaded| loaded);
    ///         Ok(Self(Vec::new()))
    ///     }
    ///     async fn handle(
    ///         &mut self,
    ///         loaded: Vec<u32>,
    ///         ctx: &mut Context<Self>,
    ///     ) -> Result<(), ExitReason> {
    ///         self.0 = loaded;
    ///         ctx.ready();
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // Resolves once the cache is loaded.
    /// let cache = System::new().spawn::<Cache>(()).await?;
    /// cache.cast(vec![4])?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn ready(&mut self) {
        self.attachment_mut().ready();
    }
}
