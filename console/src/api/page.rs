//! Lists of which a client reads a part.

use serde::{Deserialize, Serialize};

/// The number of items of a page unless another is asked for, and the most.
const LIMIT: usize = 100;
const MOST: usize = 500;

/// A part of a list.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Page<T> {
    /// The length of the list.
    pub total: usize,
    /// The number of items before the first one here.
    pub offset: usize,
    /// The items.
    pub items: Vec<T>,
    /// The number of the last event that the list holds.
    pub sequence: u64,
}

/// The page of an empty list.
impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { total: 0, offset: 0, items: Vec::new(), sequence: 0 }
    }
}

impl<T> Page<Option<T>> {
    /// Leaves out the items that there are not.
    pub(crate) fn flatten(self) -> Page<T> {
        let Self { total, offset, items, sequence } = self;
        Page { total, offset, items: items.into_iter().flatten().collect(), sequence }
    }
}

/// The part of a list that a client asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    offset: usize,
    limit: usize,
}

impl Window {
    pub(crate) fn new(offset: Option<usize>, limit: Option<usize>) -> Self {
        Self { offset: offset.unwrap_or(0), limit: limit.unwrap_or(LIMIT).min(MOST) }
    }

    /// Returns the number of items before the window.
    pub(crate) const fn offset(self) -> usize {
        self.offset
    }

    /// Returns the number of items that the window shows at most.
    pub(crate) const fn limit(self) -> usize {
        self.limit
    }

    /// Returns the part of a list. Only its items are made.
    pub(crate) fn of<K, T>(self, list: &[K], sequence: u64, item: impl Fn(&K) -> T) -> Page<T> {
        let items = list.iter().skip(self.offset).take(self.limit).map(item).collect();
        Page { total: list.len(), offset: self.offset, items, sequence }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_shows_a_part_and_counts_all() {
        let list: Vec<usize> = (0..1000).collect();
        let page = Window::new(Some(990), None).of(&list, 7, |item| item * 2);
        assert_eq!((page.total, page.offset, page.sequence), (1000, 990, 7));
        assert_eq!(page.items, (990..1000).map(|item| item * 2).collect::<Vec<_>>());
        assert_eq!(Window::new(None, None).of(&list, 0, |item| *item).items.len(), LIMIT);
        assert_eq!(Window::new(None, Some(9999)).of(&list, 0, |item| *item).items.len(), MOST);
        assert!(Window::new(Some(usize::MAX), Some(0)).of(&list, 0, |item| *item).items.is_empty());
    }
}
