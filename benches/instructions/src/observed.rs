//! The system of a work. With the feature `metrics`, a child publishes its metrics.

use perennial::System;

/// What observes a system as long as it is there.
#[cfg(not(feature = "metrics"))]
pub(crate) type Observer = ();
#[cfg(feature = "metrics")]
pub(crate) type Observer = perennial::App<perennial::SupervisorHandle>;

/// Waits until the start of an actor is counted, which belongs to no item.
pub(crate) async fn settle() {
    #[cfg(feature = "metrics")]
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
}

/// Returns a system, and what observes it.
#[cfg(not(feature = "metrics"))]
pub(crate) async fn system() -> (System, Observer) {
    (System::new(), ())
}

/// Returns a system, and what observes it.
#[cfg(feature = "metrics")]
pub(crate) async fn system() -> (System, Observer) {
    let system = System::new();
    let metrics = perennial::operations::Metrics::of(&system);
    let observer = perennial::Supervisor::new("observer").child(metrics.child("metrics"));
    let observer = observer.start(&system).await.expect("it starts");
    (system, observer)
}
