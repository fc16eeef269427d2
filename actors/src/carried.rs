//! Errors that give a value back to the user, and how an exit reason drops that value.
//!
//! An error that says why a message was not sent carries the message, and perhaps a
//! [`Reply`](crate::Reply) in it, for which a caller waits. `?` converts any error into an
//! [`ExitReason`](crate::ExitReason), which monitors, events and dead letters may keep for any
//! time. So the conversion takes the value out and drops it: the caller is notified at once.
//!
//! # How the conversion finds the value
//!
//! The conversion sees a `dyn Error` and does not know the message type. So an error that carries a
//! value has a [`Carried`] as its [source](Error::source), which can take the value out. If such an
//! error is the source of another error, which cannot be taken apart, the reason keeps only the
//! text of that error and drops the error.

use std::any::TypeId;
use std::error::Error;
use std::fmt;
use std::iter::successors;

/// The error type that an exit reason stores.
pub(crate) type AnyError = Box<dyn Error + Send + Sync>;

/// An error that carries a value of the user, such as a message that was not sent.
///
/// Its [source](Error::source) is [`Carried::by`] whenever it carries the value.
pub trait CarriesValue: Error + Sized + 'static {
    /// The type of this error without the value.
    type Bare: Error + Send + Sync + 'static;

    /// Drops the value and returns the rest of the error.
    fn into_bare(self) -> Self::Bare;
}

/// The source of an error that carries a value of the user.
pub struct Carried {
    take_out: fn(AnyError) -> Result<AnyError, AnyError>,
}

impl Carried {
    /// Returns the source of an error of type `E` that carries a value, or `None` if `E` is its own
    /// bare type.
    #[must_use]
    pub fn by<E: CarriesValue>() -> Option<&'static (dyn Error + 'static)> {
        let carried: &'static Self = const { &Self { take_out: take_out::<E> } };
        (TypeId::of::<E>() != TypeId::of::<E::Bare>()).then_some(carried)
    }
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Carried")
    }
}

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the error carries the value that was not sent")
    }
}

impl Error for Carried {}

fn take_out<E: CarriesValue>(error: AnyError) -> Result<AnyError, AnyError> {
    error.downcast::<E>().map(|error| Box::new(error.into_bare()) as AnyError)
}

/// Returns the error without the values that it carries. An error that has such an error as a
/// source becomes its text.
pub(crate) fn without_values(error: AnyError) -> AnyError {
    let Some(take_out) = chain(&*error).find_map(|link| link.downcast_ref::<Carried>()).map(|by| by.take_out)
    else {
        return error;
    };
    take_out(error).unwrap_or_else(|error| Box::new(ErrorText::of(&*error)))
}

/// Iterates over an error and its sources. Stops after 64, because an error may be its own source.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    const LONGEST: usize = 64;
    successors(Some(error), |link| (**link).source()).take(LONGEST)
}

/// Prints an error and its sources: `a: b: c`.
///
/// Many errors repeat their source in their own text. A source is left out if the preceding text
/// already ends with it.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = self.0.to_string();
        f.write_str(&before)?;
        for source in chain(self.0).skip(1).filter(|source| !source.is::<Carried>()) {
            let text = source.to_string();
            if !before.ends_with(&text) {
                write!(f, ": {text}")?;
                before = text;
            }
        }
        Ok(())
    }
}

/// The texts of an error and of its sources.
struct ErrorText {
    display: String,
    debug: String,
    source: Option<Box<Self>>,
}

impl ErrorText {
    fn of(error: &(dyn Error + 'static)) -> Self {
        let links: Vec<_> = chain(error).filter(|link| !link.is::<Carried>()).collect();
        let text = |source, link: &&(dyn Error + 'static)| {
            Some(Box::new(Self { display: link.to_string(), debug: format!("{link:?}"), source }))
        };
        let source = links.iter().skip(1).rev().fold(None, text);
        Self { display: error.to_string(), debug: format!("{error:?}"), source }
    }
}

impl fmt::Debug for ErrorText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.debug)
    }
}

impl fmt::Display for ErrorText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.display)
    }
}

impl Error for ErrorText {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}
