//! Waiting for a name, with a binding between the first lookup and the registration of the waker.

use std::cell::Cell;
use std::time::Duration;

use perennial_actors::host::Identity;
use perennial_actors::{MailboxConfig, System};

use crate::{Name, Registry};

#[tokio::test(start_paused = true)]
async fn wait_finds_a_name_bound_right_after_the_first_lookup() {
    let (system, registry) = (System::new(), Registry::default());
    let (identity, lookups) = (Identity::<u32>::new(MailboxConfig::default()), Cell::new(0));
    identity.open(&system, || "due".into());
    let found = registry.wait_until("name", || {
        let found = registry.whereis(Name::<u32>::new("name")).ok();
        registry.bind(Name::new("name"), &identity.address()).expect("the name is free");
        lookups.set(lookups.get() + 1);
        found
    });
    let found = tokio::time::timeout(Duration::from_secs(1), found).await;
    assert_eq!((found, lookups.get()), (Ok(identity.address()), 2));
    assert!(registry.0.waiters.are_none());
}
