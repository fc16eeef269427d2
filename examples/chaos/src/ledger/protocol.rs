//! The lines in the pipes of the worker process.

use std::fmt;
use std::str::{FromStr, Split};

use super::super::durable::process::Line;
use super::account::{Sent, Transfer};

/// A transfer that the client asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Request(pub Transfer);

/// What the worker process says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// The accounts are there.
    Up,
    /// What the account of a sender has answered to the transfer with a number.
    Sent { from: u32, number: u64, sent: Sent },
    /// An incarnation of an account was killed.
    Killed,
    /// An incarnation that blocked its thread was killed and abandoned, and the next one was there
    /// when it woke up.
    Abandoned,
    /// The store has refused a write of an earlier incarnation.
    Fenced,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Transfer { from, number, to, amount } = self.0;
        write!(f, "send {from} {number} {to} {amount}")
    }
}

impl Line for Request {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("send ")?.split(' ');
        let (from, number) = (next(&mut words)?, next(&mut words)?);
        let (to, amount) = (next(&mut words)?, next(&mut words)?);
        words.next().is_none().then_some(Self(Transfer { from, number, to, amount }))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up => f.write_str("up"),
            Self::Sent { from, number, sent: Sent::Stored } => write!(f, "stored {from} {number}"),
            Self::Sent { from, number, sent: Sent::Refused } => write!(f, "refused {from} {number}"),
            Self::Sent { from, number, sent: Sent::Gap } => write!(f, "gap {from} {number}"),
            Self::Killed => f.write_str("killed"),
            Self::Abandoned => f.write_str("abandoned"),
            Self::Fenced => f.write_str("fenced"),
        }
    }
}

impl Line for Answer {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let verb = words.next()?;
        let mut sent = |sent| Some(Self::Sent { from: next(&mut words)?, number: next(&mut words)?, sent });
        let answer = match verb {
            "up" => Self::Up,
            "killed" => Self::Killed,
            "abandoned" => Self::Abandoned,
            "fenced" => Self::Fenced,
            "stored" => sent(Sent::Stored)?,
            "refused" => sent(Sent::Refused)?,
            "gap" => sent(Sent::Gap)?,
            _ => return None,
        };
        words.next().is_none().then_some(answer)
    }
}

fn next<T: FromStr>(words: &mut Split<'_, char>) -> Option<T> {
    words.next()?.parse().ok()
}
