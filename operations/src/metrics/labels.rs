//! The label of an actor: its path in the tree, in which an id that was chosen at run time is `*`.

use std::collections::HashSet;

/// The most paths of supervisors that are kept.
const MAX_PATHS: usize = 10_000;

/// The children of a dynamic supervisor and the workers of a pool.
const ANY: &str = "*";

/// Converts paths to labels.
#[derive(Debug, Default)]
pub(super) struct Labels {
    /// The labels of the supervisors whose children share one label.
    dynamic: HashSet<String>,
}

impl Labels {
    /// Notes a supervisor whose children share one label: a dynamic one or a pool.
    pub(super) fn set_dynamic(&mut self, path: &str) {
        let label = self.of(path);
        if self.dynamic.len() < MAX_PATHS {
            self.dynamic.insert(label);
        }
    }

    /// Returns the label of an actor with this path or type.
    pub(super) fn of(&self, path: &str) -> String {
        let mut label = String::with_capacity(path.len());
        for (at, id) in path.split('/').enumerate() {
            let is_any = at > 0 && self.dynamic.contains(&label);
            if at > 0 {
                label.push('/');
            }
            label.push_str(if is_any { ANY } else { id });
        }
        label
    }

    /// Returns the labels of a child and of its supervisor: a path and an id.
    pub(super) fn of_child(&self, path: &str) -> (String, String) {
        let label = self.of(path);
        match label.rsplit_once('/') {
            Some((supervisor, child)) => (supervisor.to_owned(), child.to_owned()),
            None => (String::new(), label),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_of_a_dynamic_supervisor_share_a_label_at_any_depth() {
        let mut labels = Labels::default();
        labels.set_dynamic("app/users");
        labels.set_dynamic("app/users/ann/devices");
        assert_eq!(labels.of("app/users"), "app/users");
        assert_eq!(labels.of("app/users/bob"), "app/users/*");
        assert_eq!(labels.of("app/users/bob/devices/7"), "app/users/*/devices/*");
        assert_eq!(labels.of("app/other/7"), "app/other/7");
        assert_eq!(labels.of("module::Type"), "module::Type");
    }

    #[test]
    fn child_is_told_from_its_supervisor() {
        let mut labels = Labels::default();
        labels.set_dynamic("app/users");
        assert_eq!(labels.of_child("app/users/ann"), ("app/users".to_owned(), "*".to_owned()));
        assert_eq!(labels.of_child("app"), (String::new(), "app".to_owned()));
    }
}
