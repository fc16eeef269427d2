//! zenoh, which perennial sends by: what is put under one key is put back under another.

use anyhow::{Context, Result, anyhow};
use tokio::sync::mpsc;
use zenoh::bytes::ZBytes;
use zenoh::pubsub::Publisher;
use zenoh::qos::CongestionControl;
use zenoh::{Config, Session, Wait};

use crate::place::{CLIENT, Link, Place, SERVER};
use crate::work::Remote;

/// What is put back.
const ECHO: &str = "race/echo";
/// What is counted.
const CAST: &str = "race/cast";
/// What is answered with the number of what was counted.
const COUNT: &str = "race/count";
const ANSWER: &str = "answer";

pub struct Zenoh {
    echo: Publisher<'static>,
    cast: Publisher<'static>,
    count: Publisher<'static>,
    answers: mpsc::UnboundedReceiver<ZBytes>,
    _session: Session,
}

impl Remote for Zenoh {
    type Server = Session;

    async fn serve(place: &Place) -> Result<Session> {
        let session = open("listen", SERVER, place).await?;
        let answer = publisher(&session, ANSWER).await?;
        let mut handled = 0_u64;
        // One callback sees all in their order. What it does with an error shows: nothing comes.
        let serve = move |sample: zenoh::sample::Sample| match sample.key_expr().as_str() {
            ECHO => drop(answer.put(sample.payload().clone()).wait()),
            CAST => handled += 1,
            _ => drop(answer.put(handled.to_le_bytes().to_vec()).wait()),
        };
        let serve = std::sync::Mutex::new(serve);
        let serve = move |sample| {
            if let Ok(mut serve) = serve.lock() {
                serve(sample);
            }
        };
        session.declare_subscriber("race/*").callback(serve).background().await.map_err(failed)?;
        Ok(session)
    }

    async fn connect(place: &Place) -> Result<Self> {
        let session = open("connect", CLIENT, place).await?;
        let (sender, mut answers) = mpsc::unbounded_channel();
        let answered = move |sample: zenoh::sample::Sample| drop(sender.send(sample.payload().clone()));
        session.declare_subscriber(ANSWER).callback(answered).background().await.map_err(failed)?;
        let echo = publisher(&session, ECHO).await?;
        let (cast, count) = (publisher(&session, CAST).await?, publisher(&session, COUNT).await?);
        // It may not be connected yet.
        loop {
            echo.put([0_u8]).await.map_err(failed)?;
            let wait = std::time::Duration::from_millis(200);
            if tokio::time::timeout(wait, answers.recv()).await.is_ok() {
                break;
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        while answers.try_recv().is_ok() {}
        Ok(Self { echo, cast, count, answers, _session: session })
    }

    async fn call(&mut self, bytes: Vec<u8>) -> Result<usize> {
        self.echo.put(bytes).await.map_err(failed)?;
        Ok(self.answers.recv().await.context("the session is closed")?.len())
    }

    async fn cast(&mut self, bytes: Vec<u8>) -> Result<()> {
        self.cast.put(bytes).await.map_err(failed)
    }

    async fn handled(&mut self) -> Result<u64> {
        self.count.put([0_u8]).await.map_err(failed)?;
        let answer = self.answers.recv().await.context("the session is closed")?;
        Ok(u64::from_le_bytes(answer.to_bytes()[..].try_into()?))
    }
}

async fn publisher(session: &Session, key: &'static str) -> Result<Publisher<'static>> {
    let publisher = session.declare_publisher(key).congestion_control(CongestionControl::Block);
    publisher.await.map_err(failed)
}

async fn open(role: &str, name: &str, place: &Place) -> Result<Session> {
    let mut config = Config::default();
    let mut set = |key: &str, value: &str| config.insert_json5(key, value).map_err(failed);
    let scheme = if place.link == Link::Tcp { "tcp" } else { "quic" };
    set(&format!("{role}/endpoints"), &format!(r#"["{scheme}/{}"]"#, place.address))?;
    if role == "connect" {
        set("listen/endpoints", "[]")?;
    }
    set("mode", r#""peer""#)?;
    set("scouting/multicast/enabled", "false")?;
    if let Link::Quic(dir) = &place.link {
        let file = |name: &str| format!("{:?}", dir.join(name));
        let own = [file(&format!("{name}.pem")), file(&format!("{name}.key"))];
        set("transport/link/tls/root_ca_certificate", &file("ca.pem"))?;
        for side in ["listen", "connect"] {
            set(&format!("transport/link/tls/{side}_certificate"), &own[0])?;
            set(&format!("transport/link/tls/{side}_private_key"), &own[1])?;
        }
        set("transport/link/tls/enable_mtls", "true")?;
        set("transport/link/tls/verify_name_on_connect", "false")?;
    }
    zenoh::open(config).await.map_err(failed)
}

fn failed(error: zenoh::Error) -> anyhow::Error {
    anyhow!("zenoh: {error}")
}
