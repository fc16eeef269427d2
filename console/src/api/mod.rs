//! The answers of the API as plain values, and the pure functions that make them of a snapshot.
//!
//! A client deserializes the types here. `/openapi.json` describes them and the routes.

mod actors;
mod crashes;
mod events;
mod handle_times;
mod jobs;
mod keys;
mod letters;
mod names;
mod nodes;
mod overview;
mod page;
mod problem;
mod queues;
mod session;
mod shutdown;
mod tally;
mod tree;
mod tree_index;
mod view;

pub use actors::{ActorCard, ActorRow, ActorSort, SupervisorSummary};
pub use crashes::CrashRow;
pub use events::{EventPage, Missed, StreamReset};
pub use handle_times::HandleTimes;
pub use jobs::{JobDetail, JobRow, JobState, JobStep, JobStepKind, PoolRow};
pub use keys::{KeyRow, KeyTableRow};
pub use letters::DeadLetterRow;
pub use names::{GroupMember, GroupRow, NameRow, TopicRow};
pub use nodes::NodeTreeRows;
pub use overview::{MessageAccount, Overview, ProcessCounts, TreeHealth};
pub use page::Page;
pub use problem::{Problem, ProblemKind};
pub use queues::{
    DurableAttempt, DurableJob, DurableJobPage, DurableJobRow, DurableJobState, DurableProgress, QueueRow,
    StoreRow,
};
pub use session::{ActionOutcome, AuditEntry, AuditOutcome, Session};
pub use shutdown::{StoppingTree, Unstopped};
pub use tree::{TreeItem, TreeRow};

pub(crate) use actors::{card, rows as actor_rows};
pub(crate) use crashes::rows as crash_rows;
pub(crate) use events::{EventFilter, of_actor, page as event_page};
pub(crate) use handle_times::HandleSamples;
pub(crate) use jobs::pool_row;
pub(crate) use keys::keys;
pub(crate) use letters::{rows as letter_rows, with_id as letter_with_id};
pub(crate) use names::{groups, names, topics};
pub(crate) use nodes::{NodeView, nodes, placed_names};
pub(crate) use overview::overview;
pub(crate) use page::Window;
pub(crate) use shutdown::stopping;
pub(crate) use tally::Tally;
pub(crate) use tree::{Expansion, children, millis, rows as tree_rows};
pub(crate) use view::View;
