//! The protocol of links: what two incarnations do to their two ends at once, step by step, in
//! random orders.

mod concurrent_links;
mod turns;
