//! What a group of batches needs, and addresses.
