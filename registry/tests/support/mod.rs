//! An actor that does what its test tells it, and one whose incarnations are started by its test.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::sync::Arc;

use perennial_actors::host::{Identity, IncarnationExit, Parent};
use perennial_actors::{Actor, Address, Context, ExitReason, MailboxConfig, Pid, System};
use tokio::sync::mpsc;

/// Something for a puppet to do.
pub(crate) type Deed = Box<dyn FnOnce(&mut Puppet, &mut Context<Puppet>) + Send>;

/// What every incarnation begins with.
pub(crate) type Init = Box<dyn Fn(&mut Context<Puppet>) + Send + Sync>;

pub(crate) enum Msg {
    Do(Deed),
    Heard(u32),
    Crash,
}

impl From<u32> for Msg {
    fn from(said: u32) -> Self {
        Self::Heard(said)
    }
}

/// Does what it is told, and remembers what it hears.
pub(crate) struct Puppet {
    pub(crate) heard: Vec<u32>,
}

impl Actor for Puppet {
    type Msg = Msg;
    type Args = Init;

    async fn init(init: &Init, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        init(ctx);
        Ok(Self { heard: Vec::new() })
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Do(deed) => deed(self, ctx),
            Msg::Heard(said) => self.heard.push(said),
            Msg::Crash => return Err(ExitReason::failed("on purpose")),
        }
        Ok(())
    }
}

/// A puppet that waits to be told.
pub(crate) async fn puppet(system: &System) -> Address<Msg> {
    puppet_with(system, MailboxConfig::default()).await
}

pub(crate) async fn puppet_with(system: &System, mailbox: MailboxConfig) -> Address<Msg> {
    let init: Init = Box::new(|_| ());
    system.spawn::<Puppet>(init).mailbox(mailbox).await.expect("it starts")
}

/// Has it do something and waits until it is done.
pub(crate) async fn have<T: Send + 'static>(
    puppet: &Address<Msg>,
    act: impl FnOnce(&mut Context<Puppet>) -> T + Send + 'static,
) -> T {
    let done = puppet.call(|reply| Msg::Do(Box::new(move |_, ctx| reply.send(act(ctx)))));
    done.await.expect("it does as it is told")
}

/// What it has heard.
pub(crate) async fn heard(puppet: &Address<Msg>) -> Vec<u32> {
    let heard = puppet.call(|reply| Msg::Do(Box::new(move |puppet, _| reply.send(puppet.heard.clone()))));
    heard.await.expect("it does as it is told")
}

pub(crate) fn pid(puppet: &Address<Msg>) -> Pid {
    puppet.pid().expect("it lives")
}

/// Kills it, and waits until it has ended.
pub(crate) async fn kill(puppet: &Address<Msg>) {
    let down = puppet.monitor();
    puppet.kill().expect("it lives");
    down.await;
}

/// A puppet whose incarnations are started by its test.
pub(crate) struct Hosted {
    pub(crate) identity: Arc<Identity<Msg>>,
    pub(crate) address: Address<Msg>,
    init: Arc<Init>,
    parent: Arc<Recorder>,
    told: mpsc::UnboundedReceiver<(u64, bool)>,
    run: u64,
}

pub(crate) struct Recorder(mpsc::UnboundedSender<(u64, bool)>);

impl Parent for Recorder {
    fn started(&self, run: u64) {
        // The test may have seen enough.
        let _ = self.0.send((run, true));
    }

    fn ended(&self, run: u64, _: IncarnationExit) {
        let _ = self.0.send((run, false));
    }
}

impl Hosted {
    /// Each of its incarnations begins with this.
    pub(crate) async fn start(
        system: &System,
        init: impl Fn(&mut Context<Puppet>) + Send + Sync + 'static,
    ) -> Self {
        let (tell, told) = mpsc::unbounded_channel();
        let identity = Arc::new(Identity::new(MailboxConfig::default()));
        identity.open(system, || "puppet".into());
        let (address, init): (_, Init) = (identity.address(), Box::new(init));
        let (init, parent) = (Arc::new(init), Arc::new(Recorder(tell)));
        let mut hosted = Self { identity, address, init, parent, told, run: 0 };
        hosted.start_next().await;
        hosted
    }

    pub(crate) async fn start_next(&mut self) {
        self.run += 1;
        let started = self.identity.start::<Puppet>(self.init.clone(), self.parent.clone(), self.run);
        started.expect("it is open");
        assert_eq!(self.told.recv().await, Some((self.run, true)));
    }

    /// Has it fail. The next incarnation is due then.
    pub(crate) async fn crash(&mut self) {
        self.address.cast(Msg::Crash).expect("it is open");
        assert_eq!(self.told.recv().await, Some((self.run, false)));
    }

    pub(crate) async fn restart(&mut self) {
        self.crash().await;
        self.start_next().await;
    }
}
