//! What the screen shows, and how keys and answers change it.

mod cursor;
mod keys;
mod wanted;

use std::collections::BTreeSet;

use perennial_console::api::{ActorRow, EventPage, Overview, Page, TreeRow};

use crate::client::{ClientError, Fetched, Rows};

pub use cursor::Cursor;
pub use keys::Verdict;
pub use wanted::{View, Wanted};

/// The screen.
#[derive(Debug)]
pub struct State {
    /// The console that is asked.
    pub url: String,
    pub view: View,
    pub connection: Connection,
    pub overview: Option<Overview>,
    pub tree: Page<TreeRow>,
    /// The list of actors, and the view whose order it has.
    pub actors: (View, Page<ActorRow>),
    pub events: EventPage,
    /// The marked row of the view.
    pub cursor: Cursor,
    /// The text that the rows have to contain.
    pub filter: String,
    /// The text is being typed.
    pub is_typing: bool,
    pub shows_help: bool,
    /// Answers are not shown.
    pub is_paused: bool,
    expanded: BTreeSet<u64>,
    collapsed: BTreeSet<u64>,
}

/// Whether the console answers.
#[derive(Debug)]
pub enum Connection {
    /// There was no answer yet.
    Connecting,
    Connected,
    Failed(ClientError),
}

impl State {
    pub fn new(url: &str, view: View) -> Self {
        Self {
            url: url.to_owned(),
            view,
            connection: Connection::Connecting,
            overview: None,
            tree: Page::default(),
            actors: (View::Queue, Page::default()),
            events: EventPage::default(),
            cursor: Cursor::default(),
            filter: String::new(),
            is_typing: false,
            shows_help: false,
            is_paused: false,
            expanded: BTreeSet::new(),
            collapsed: BTreeSet::new(),
        }
    }

    /// Returns what the console has to be asked for.
    pub fn wanted(&self) -> Wanted {
        let text = self.filter.clone();
        let window = self.cursor.window();
        match self.view {
            View::Tree => Wanted::Tree {
                expanded: self.expanded.clone(),
                collapsed: self.collapsed.clone(),
                text,
                window,
            },
            View::Events => Wanted::Events { text, limit: MOST_EVENTS },
            view => Wanted::Actors { view, text, window },
        }
    }

    /// Takes an answer. An answer to an earlier question is shown if its rows are of this view.
    pub fn update(&mut self, fetched: Result<Fetched, ClientError>) {
        let fetched = match fetched {
            Ok(fetched) => fetched,
            Err(failed) => {
                self.connection = Connection::Failed(failed);
                return;
            }
        };
        self.connection = Connection::Connected;
        if self.is_paused {
            return;
        }
        self.overview = Some(fetched.overview);
        match fetched.rows {
            Rows::Tree(page) => self.tree = page,
            Rows::Actors(view, page) => self.actors = (view, page),
            Rows::Events(page) => self.events = page,
        }
        self.cursor.limit_to(self.len());
    }

    /// Returns the number of rows of the view.
    pub fn len(&self) -> usize {
        match self.view {
            View::Tree => self.tree.total,
            View::Events => self.events.items.len(),
            View::Queue | View::Busy | View::Restarts => self.actors.1.total,
        }
    }

    /// Returns the marked row of the tree.
    pub fn marked_node(&self) -> Option<&TreeRow> {
        let index = self.cursor.at().checked_sub(self.tree.offset)?;
        self.tree.items.get(index).filter(|_| self.view == View::Tree)
    }

    /// Expands the marked node, or collapses it.
    fn set_expanded(&mut self, is_expanded: bool) {
        let Some(row) = self.marked_node().filter(|row| row.node.children > 0) else { return };
        let identity = row.node.node.identity;
        if is_expanded {
            self.collapsed.remove(&identity);
            self.expanded.insert(identity);
        } else {
            self.expanded.remove(&identity);
            self.collapsed.insert(identity);
        }
    }

    /// Marks the parent of the marked node, if it is on the screen.
    fn mark_parent(&mut self) {
        let parent = self.marked_node().and_then(|row| row.node.parent);
        let place = self.tree.items.iter().position(|row| Some(row.node.node.identity) == parent);
        if let (Some(_), Some(place)) = (parent, place) {
            self.cursor.mark(self.tree.offset + place);
        }
    }
}

/// The most events that are asked for.
const MOST_EVENTS: usize = 500;
