//! Tests of the inside: what a test from outside cannot bring about, or cannot see.

mod broadcast;
mod throttle;
mod timer_wheel;
mod wheel;
