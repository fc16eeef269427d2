//! The labels of actors in deep trees.

use std::thread;

use perennial_actors::host::{Identity, Label};
use perennial_actors::{MailboxConfig, System};

#[test]
fn label_of_a_hundred_thousand_levels_is_read_and_dropped_on_a_small_stack() {
    let test = || {
        let above = (1..100_000).fold(Label::root("n".into()), |label, _| label.child("n".into()));
        let identity = Identity::<()>::new(MailboxConfig::unbounded());
        identity.open(&System::new(), || above.child("leaf".into()));
        let label = identity.address().handle().label().expect("it was opened");
        assert!(label.ends_with("n/n/leaf"));
        assert_eq!(label.len(), 2 * 100_000 + "leaf".len());
    };
    let thread = thread::Builder::new().stack_size(128 << 10).spawn(test);
    thread.expect("there is a thread").join().expect("it ends well");
}
