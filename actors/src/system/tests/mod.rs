//! Tests of the inside: what a test from outside cannot bring about, or cannot see.

mod timer_wheel;
mod wheel;
