//! The protocol of links: what two incarnations do to their two ends at once, step by step, in every order that the dice find.

mod crossing;
mod turns;
