//! The engine against a simulated world.
