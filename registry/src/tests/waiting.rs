//! Waiting for a name, with something in between that only a look inside can put there.

use std::cell::Cell;
use std::time::Duration;

use perennial_actors::host::Identity;
use perennial_actors::{MailboxConfig, System};

use crate::{Name, Registry};

#[tokio::test(start_paused = true)]
async fn a_name_that_is_bound_as_soon_as_one_has_looked_is_seen_at_the_next_look() {
    let (system, registry) = (System::new(), Registry::default());
    let (identity, looks) = (Identity::<u32>::new(MailboxConfig::default()), Cell::new(0));
    identity.open(&system, || "due".into());
    let seen = registry.wait_until("name", || {
        let seen = registry.whereis(Name::<u32>::new("name")).ok();
        registry.bind(Name::new("name"), &identity.address()).expect("the name is free");
        looks.set(looks.get() + 1);
        seen
    });
    let seen = tokio::time::timeout(Duration::from_secs(1), seen).await;
    assert_eq!((seen, looks.get()), (Ok(identity.address()), 2));
    assert!(registry.0.waiters.are_none());
}
