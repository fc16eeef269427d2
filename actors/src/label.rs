//! Labels: the path of an actor in its tree, or its type.

use std::fmt;
use std::sync::Arc;

use crate::sync::OnceLock;

/// The longest path whose text is cached by [`Label::to_shared`], in bytes.
const KEPT: usize = 1024;

/// The path of an actor in its tree, or else its type. A clone costs no more than the clone of an
/// `Arc`.
///
/// The label of a child holds the label of its parent and the id of the child. The text is made
/// when it is read. So the labels of a deep tree take memory linear in its depth, although each
/// text is the whole path.
///
/// # Examples
///
/// ```
/// use perennial_actors::host::Label;
///
/// let app = Label::root("app".into());
/// let worker = app.child("group".into()).child("worker".into());
/// assert_eq!(&*worker.to_shared(), "app/group/worker");
/// ```
#[derive(Clone)]
pub struct Label(Kind);

#[derive(Clone)]
enum Kind {
    /// The name is computed when it is read, because most actors outside trees are never
    /// logged.
    Type(fn() -> &'static str),
    Path(Arc<Segment>),
}

/// The last id of a path, and the path before it.
struct Segment {
    parent: Option<Arc<Self>>,
    id: Arc<str>,
    /// The length of the whole path with its slashes, in bytes.
    len: usize,
    /// The whole path, once it was read.
    text: OnceLock<Arc<str>>,
}

impl Label {
    pub(crate) const fn of_type(name: fn() -> &'static str) -> Self {
        Self(Kind::Type(name))
    }

    /// Returns the label of the root of a tree.
    #[must_use]
    pub fn root(id: Arc<str>) -> Self {
        Self(Kind::Path(Arc::new(Segment::new(None, id))))
    }

    /// Returns the label of a child with this id.
    #[must_use]
    pub fn child(&self, id: Arc<str>) -> Self {
        let parent = match &self.0 {
            Kind::Path(segment) => segment.clone(),
            Kind::Type(_) => Arc::new(Segment::new(None, self.to_shared())),
        };
        Self(Kind::Path(Arc::new(Segment::new(Some(parent), id))))
    }

    /// Returns the text. The label caches it, however long it is.
    pub(crate) fn as_str(&self) -> &str {
        match &self.0 {
            Kind::Type(name) => name(),
            Kind::Path(segment) => segment.text.get_or_init(|| segment.render()),
        }
    }

    /// Returns the text. The label caches it if it is short.
    #[must_use]
    pub fn to_shared(&self) -> Arc<str> {
        match &self.0 {
            Kind::Type(name) => name().into(),
            Kind::Path(segment) if segment.len <= KEPT => {
                segment.text.get_or_init(|| segment.render()).clone()
            }
            Kind::Path(segment) => segment.text.get().cloned().unwrap_or_else(|| segment.render()),
        }
    }
}

impl Segment {
    fn new(parent: Option<Arc<Self>>, id: Arc<str>) -> Self {
        let before = parent.as_ref().map_or(0, |parent| parent.len + 1);
        Self { len: before + id.len(), parent, id, text: OnceLock::new() }
    }

    fn render(&self) -> Arc<str> {
        if self.parent.is_none() {
            return self.id.clone();
        }
        let mut ids: Vec<&str> = Vec::new();
        let mut next = Some(self);
        while let Some(segment) = next {
            ids.push(&segment.id);
            next = segment.parent.as_deref();
        }
        ids.reverse();
        ids.join("/").into()
    }
}

impl Drop for Segment {
    /// Drops the preceding segments in a loop: a long path needs no deep stack.
    fn drop(&mut self) {
        let mut next = self.parent.take();
        while let Some(mut segment) = next.and_then(Arc::into_inner) {
            next = segment.parent.take();
        }
    }
}

impl From<Arc<str>> for Label {
    fn from(label: Arc<str>) -> Self {
        Self::root(label)
    }
}

impl From<&str> for Label {
    fn from(label: &str) -> Self {
        Self::root(label.into())
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.to_shared(), f)
    }
}

#[cfg(all(test, not(model)))]
mod tests {
    use super::*;

    /// Returns a path of `levels` actors, each the child of the one before.
    fn path(levels: usize) -> Label {
        (1..levels).fold(Label::root("n".into()), |label, _| label.child("n".into()))
    }

    #[test]
    fn text_of_a_child_is_the_text_of_its_parent_and_its_id() {
        let label = Label::of_type(|| "app").child("group".into()).child("worker".into());
        assert_eq!((label.as_str(), &*label.to_shared()), ("app/group/worker", "app/group/worker"));
        assert_eq!(format!("{label:?}"), "\"app/group/worker\"");
    }

    #[test]
    fn short_text_is_made_once_and_long_text_each_time() {
        let (short, long) = (path(10), path(KEPT));
        assert!(Arc::ptr_eq(&short.to_shared(), &short.to_shared()));
        assert!(!Arc::ptr_eq(&long.to_shared(), &long.to_shared()));
        assert_eq!((short.to_shared().len(), long.to_shared().len()), (19, 2 * KEPT - 1));
        assert_eq!(long.as_str().len(), 2 * KEPT - 1);
    }
}
