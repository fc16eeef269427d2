//! The lock protocol of the mailbox under the model checker.
