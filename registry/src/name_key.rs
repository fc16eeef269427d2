//! The text of a name as a key of the table.
//!
//! With many names, a lookup mostly waits for memory, and a text on the heap is one more place to
//! wait for. A short text is therefore stored in the entry itself.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};

/// The longest text that does not make the key larger than a `String`.
const SHORT: usize = 22;

/// The text of a name, looked up by its bytes.
pub(crate) enum NameKey {
    Short(u8, [u8; SHORT]),
    Long(Box<str>),
}

impl NameKey {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Short(length, bytes) => bytes.get(..usize::from(*length)).unwrap_or(bytes),
            Self::Long(text) => text.as_bytes(),
        }
    }
}

impl From<&str> for NameKey {
    fn from(text: &str) -> Self {
        let mut bytes = [0; SHORT];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(text.as_bytes());
                Self::Short(length, bytes)
            }
            _ => Self::Long(text.into()),
        }
    }
}

impl From<&NameKey> for String {
    fn from(text: &NameKey) -> Self {
        Self::from_utf8_lossy(text.bytes()).into_owned()
    }
}

impl Borrow<[u8]> for NameKey {
    fn borrow(&self) -> &[u8] {
        self.bytes()
    }
}

impl Hash for NameKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes().hash(state);
    }
}

impl PartialEq for NameKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for NameKey {}

#[cfg(all(test, not(model)))]
mod tests {
    use super::*;
    use crate::binding::Binding;

    #[test]
    fn a_name_and_its_binding_are_as_large_as_a_cache_line() {
        assert!(size_of::<(NameKey, Binding)>() <= 64, "{}", size_of::<(NameKey, Binding)>());
    }
}
