//! Exit reasons: conversions by `?` and `into()`, their text, and their equality.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use perennial_actors::{Down, ExitReason, SpawnError, System};

use crate::support::scripted_host::{deed, failing, scripted_in};

type Boxed = Box<dyn Error + Send + Sync>;

fn by_question_mark<E>(error: E) -> ExitReason
where
    ExitReason: From<E>,
{
    let fail = || -> Result<(), ExitReason> { Err(error)? };
    fail().expect_err("it fails")
}

#[test]
fn texts_and_boxed_errors_become_reasons() {
    let said = ExitReason::failed("no disk");
    assert_eq!(by_question_mark("no disk"), said);
    assert_eq!(by_question_mark(String::from("no disk")), said);
    assert_eq!(by_question_mark(Cow::Borrowed("no disk")), said);
    assert_eq!(by_question_mark(Boxed::from("no disk")), said);
    assert_eq!(by_question_mark(said.clone()), said, "a reason stays what it is");
    let into = || -> Result<(), ExitReason> { Err("no disk".into()) };
    assert_eq!(into(), Err(said));
}

/// A type like `anyhow::Error`: not an `Error` itself, but convertible into a boxed one.
struct LikeAnyhow;

impl From<LikeAnyhow> for Boxed {
    fn from(_: LikeAnyhow) -> Self {
        "no disk".into()
    }
}

#[test]
fn a_type_that_converts_into_a_boxed_error_becomes_a_reason() {
    assert_eq!(by_question_mark(LikeAnyhow), ExitReason::failed("no disk"));
}

/// An error with its source, which its own text may repeat.
#[derive(Debug)]
struct Layer(&'static str, Option<Box<Self>>);

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Layer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

fn layers() -> Layer {
    Layer("no report", Some(Box::new(Layer("no disk: broken", Some(Box::new(Layer("broken", None)))))))
}

#[test]
fn the_alternate_form_has_the_whole_chain_and_repeats_nothing() {
    let reason = ExitReason::from(layers());
    assert_eq!(reason.to_string(), "failed: no report");
    assert_eq!(format!("{reason:#}"), "failed: no report: no disk: broken");
    let ExitReason::Failed(failure) = &reason else { panic!("it is a failure") };
    assert_eq!(format!("{failure:#}"), "no report: no disk: broken");
    let start = SpawnError::Failed(reason);
    assert_eq!(format!("{start:#}"), "the actor did not start: failed: no report: no disk: broken");
}

#[tokio::test(start_paused = true)]
async fn the_alternate_form_of_a_call_error_has_the_chain_of_the_end() {
    let strings = scripted_in(&System::new(), |spawn| spawn.label("clerk")).await;
    let call = strings.address.call(|reply| {
        deed(move |scripted, ctx| {
            scripted.kept.push(reply);
            ctx.stop(ExitReason::from(layers()));
        })
    });
    let error = call.await.expect_err("the clerk ends");
    let said = r#"actor "clerk" ended (message type Msg): failed: no report"#;
    assert_eq!(error.to_string(), said);
    assert_eq!(format!("{error:#}"), format!("{said}: no disk: broken"));
}

#[test]
fn reasons_are_equal_if_they_say_the_same() {
    let failed = ExitReason::from(layers());
    assert_eq!(failed, failed.clone());
    assert_eq!(failed, ExitReason::from(layers()), "another error that says the same");
    let without_source = ExitReason::from(Layer("no report", None));
    assert_ne!(failed, without_source, "the sources count");
    assert_ne!(ExitReason::Normal, ExitReason::Killed);
    assert_ne!(ExitReason::shutdown(), ExitReason::Shutdown(Some(Arc::from("why"))));
}

#[tokio::test(start_paused = true)]
async fn the_report_of_a_monitor_can_be_compared() {
    let strings = scripted_in(&System::new(), |spawn| spawn).await;
    let pid = strings.address.pid();
    let monitor = strings.address.monitor();
    strings.cast(failing());
    let down: Down = monitor.await;
    assert_eq!((down.pid, down.reason.clone()), (pid, ExitReason::failed("on purpose")));
    assert_eq!(down, down.clone());
}
