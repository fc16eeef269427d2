//! Decisions of the supervisors' surroundings by themselves: no process, no signal.

mod repeats;
