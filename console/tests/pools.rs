//! Pools and their jobs: what is shown, and what actions do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use perennial_actors::System;
use perennial_console::Console;
use perennial_console::api::{JobDetail, JobRow, JobState, JobStepKind, Page, PoolRow};
use perennial_supervision::pool::{Pool, PoolHandle};
use perennial_supervision::{App, Supervisor, SupervisorHandle};

use crate::support;
use crate::support::{Stage, TOKEN};

type Mails = PoolHandle<fn(String) -> Result<usize, String>>;

/// A tree with a pool of two workers, whose jobs fail until the server is online.
struct Shop {
    mails: Mails,
    is_online: Arc<AtomicBool>,
    app: App<SupervisorHandle>,
    address: std::net::SocketAddr,
}

impl Shop {
    async fn start() -> Self {
        let is_online = Arc::new(AtomicBool::new(false));
        let server = is_online.clone();
        let pool = Pool::from_fn("mails", 2, move |mail: &String| {
            let sent =
                if server.load(Ordering::Relaxed) { Ok(mail.len()) } else { Err("offline".to_owned()) };
            std::future::ready(sent)
        });
        let pool = pool
            .attempts(2)
            .retry_errors(true)
            .retry_after(perennial_supervision::Backoff::new(Duration::ZERO, Duration::ZERO));
        let mails = pool.handle();
        let console = Console::at("127.0.0.1:0").token(TOKEN).pool(&mails);
        let url = console.url();
        let app = Supervisor::new("app")
            .child(console)
            .child(pool)
            .start(&System::new())
            .await
            .expect("the tree starts");
        Self { mails, is_online, app, address: url.address().expect("the console has started") }
    }

    /// Returns the path of the pool in the API.
    fn path(&self) -> String {
        format!("/pools/{}", self.mails.supervisor().handle().identity())
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, path: &str) -> T {
        let request = format!("GET /api/v1{}{path} HTTP/1.1\r\nHost: localhost\r\n\r\n", self.path());
        let answer = support::ask(self.address, &request).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        serde_json::from_value(answer.json()).expect("the answer has its type")
    }

    async fn post(&self, path: &str, body: &str) -> support::Answer {
        let head = format!("POST /api/v1{}{path} HTTP/1.1\r\nHost: localhost\r\n", self.path());
        let headers = format!("Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n");
        let request = format!("{head}{headers}Content-Length: {}\r\n\r\n{body}", body.len());
        support::ask(self.address, &request).await
    }

    /// Submits jobs that fail. Returns their numbers.
    async fn fail(&self, mails: &[&str]) -> Vec<u64> {
        let mut ids = Vec::new();
        for mail in mails {
            let job = self.mails.submit((*mail).to_owned()).await.expect("the job is accepted");
            ids.push(job.id().as_u64());
            job.await.expect_err("the server is offline");
        }
        ids
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_job_has_a_timeline_with_all_attempts_and_is_retried() {
    let shop = Shop::start().await;
    let [id] = shop.fail(&["hello"]).await[..] else { panic!("one job") };
    let detail: JobDetail = shop.read(&format!("/jobs/{id}")).await;
    assert_eq!((detail.job.state, detail.job.text.as_deref()), (JobState::Dead, Some("\"hello\"")));
    assert_eq!(detail.failures.len(), 2);
    assert!(detail.failures[0].contains("offline"), "{:?}", detail.failures);
    let starts = detail.timeline.iter().filter(|step| matches!(step.kind, JobStepKind::Started { .. }));
    assert_eq!(starts.count(), 2);
    assert_eq!(detail.timeline.first().map(|step| step.kind), Some(JobStepKind::Submitted));
    let ended = JobStepKind::Ended { state: JobState::Dead };
    assert_eq!(detail.timeline.last().map(|step| step.kind), Some(ended));

    let row: PoolRow = shop.read("").await;
    assert_eq!((row.path.as_str(), row.is_known, row.dead), ("app/mails", true, Some(1)));
    shop.is_online.store(true, Ordering::Relaxed);
    assert_eq!(shop.post(&format!("/jobs/{id}/retry"), "").await.status, 200);
    shop.mails.drain().await;
    assert_eq!((shop.mails.stats().completed, shop.mails.count_dead_jobs()), (1, 0));
    assert_eq!(shop.post(&format!("/jobs/{id}/retry"), "").await.error(), "not_found");
    let done: Page<JobRow> = shop.read("/jobs?state=done").await;
    assert_eq!(done.total, 1);
    assert!(shop.app.shutdown().await.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_jobs_are_retried_and_dropped_by_their_ids_or_errors() {
    let shop = Shop::start().await;
    let ids = shop.fail(&["a", "b", "c"]).await;
    let dropped = shop.post("/dead-jobs/drop", &format!("{{\"ids\":[{},999]}}", ids[0])).await;
    assert_eq!(dropped.json()["count"], 1);
    let none = shop.post("/dead-jobs/retry", r#"{"filter":{"contains":"nothing"}}"#).await;
    assert_eq!(none.json()["count"], 0);
    shop.is_online.store(true, Ordering::Relaxed);
    let retried = shop.post("/dead-jobs/retry", r#"{"filter":{"contains":"offline"}}"#).await;
    assert_eq!(retried.json()["count"], 2);
    shop.mails.drain().await;
    assert_eq!(shop.mails.stats().completed, 2);
    for wrong in ["{}", r#"{"ids":[1],"filter":{"contains":"x"}}"#] {
        assert_eq!(shop.post("/dead-jobs/drop", wrong).await.error(), "invalid");
    }
    assert!(shop.app.shutdown().await.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_jobs_are_dropped_by_the_same_filter_that_lists_them() {
    let shop = Shop::start().await;
    shop.fail(&["a", "b", "Zed"]).await;
    let listed: Page<JobRow> = shop.read("/jobs?state=dead&q=zed").await;
    assert_eq!(listed.total, 1, "by its own text");
    let dropped = shop.post("/dead-jobs/drop", r#"{"filter":{"contains":"zED"}}"#).await;
    assert_eq!((&dropped.json()["count"], shop.mails.count_dead_jobs()), (&1.into(), 2));
    for text in ["OFFLINE", "Offline", "offline"] {
        let listed: Page<JobRow> = shop.read(&format!("/jobs?state=dead&q={text}")).await;
        assert_eq!(listed.total, 2, "{text}");
    }
    let dropped = shop.post("/dead-jobs/drop", r#"{"filter":{"contains":"OffLine"}}"#).await;
    assert_eq!((&dropped.json()["count"], shop.mails.count_dead_jobs()), (&2.into(), 0));
    assert!(shop.app.shutdown().await.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_pool_keeps_its_jobs_of_which_one_is_cancelled() {
    let shop = Shop::start().await;
    shop.is_online.store(true, Ordering::Relaxed);
    assert_eq!(shop.post("/pause", "").await.status, 200);
    assert_eq!(shop.read::<PoolRow>("").await.paused, Some(true));
    let job = shop.mails.submit("first".to_owned()).await.unwrap();
    let other = shop.mails.submit("second".to_owned()).await.unwrap();
    let queued: Page<JobRow> = shop.read("/jobs?state=queued").await;
    assert_eq!(queued.total, 2);
    let found: Page<JobRow> = shop.read("/jobs?q=SECOND").await;
    assert_eq!(found.items.iter().map(|row| row.id).collect::<Vec<_>>(), [other.id().as_u64()]);
    assert_eq!(shop.post(&format!("/jobs/{}/cancel", job.id().as_u64()), "").await.status, 200);
    job.await.unwrap_err();
    assert_eq!(shop.post("/resume", "").await.status, 200);
    assert_eq!(other.await.unwrap(), 6);
    assert!(shop.app.shutdown().await.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn pool_is_resized_restarted_and_drained() {
    let shop = Shop::start().await;
    assert_eq!(shop.post("/resize", "{}").await.error(), "invalid");
    assert_eq!(shop.post("/resize", r#"{"size":3}"#).await.status, 200);
    assert_eq!(shop.mails.stats().workers.wanted, 3);
    assert_eq!(shop.post("/rolling-restart", "").await.status, 200);
    assert_eq!(shop.post("/drain", "").await.status, 200);
    let row: PoolRow = shop.read("").await;
    let ids: Vec<&str> = row.workers.iter().map(|worker| &*worker.node.id).collect();
    assert_eq!(ids, ["0", "1", "2"]);
    assert!(row.workers.iter().take(2).all(|worker| worker.incarnation == 2), "{:?}", row.workers);
    assert!(shop.app.shutdown().await.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn pool_that_was_not_given_to_the_console_shows_numbers_only() {
    let stage = Stage::start().await;
    let pool = Pool::from_fn("other", 1, |_: &u64| async { Ok::<_, String>(()) });
    let other = pool.handle();
    stage.app.supervisor().start_child(pool).await.unwrap();
    let identity = other.supervisor().handle().identity();
    let row: PoolRow = serde_json::from_value(stage.read(&format!("/pools/{identity}")).await).unwrap();
    assert_eq!((row.is_known, row.dead), (false, None));
    assert_eq!(stage.read("/pools").await["total"], 1);
    assert_eq!(stage.get(&format!("/api/v1/pools/{identity}/jobs")).await.error(), "not_found");
    assert_eq!(stage.post(&format!("/pools/{identity}/pause"), "").await.error(), "not_found");
    stage.end().await;
}
