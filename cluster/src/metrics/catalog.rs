//! All metrics of this crate: their names, kinds, units and labels.

use ::metrics::Unit;

/// A metric: its name and what it means.
#[derive(Debug)]
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) is_counter: bool,
    pub(super) unit: Unit,
    pub(super) label: &'static str,
    pub(super) description: &'static str,
}

macro_rules! metrics {
    ($($id:ident $is_counter:literal $unit:ident $name:literal $label:literal $text:literal;)*) => {
        $(pub(super) const $id: &Metric = &Metric {
            name: concat!("perennial_cluster_", $name),
            is_counter: $is_counter,
            unit: Unit::$unit,
            label: $label,
            description: $text,
        };)*

        /// All metrics.
        pub(super) const ALL: &[&Metric] = &[$($id),*];
    };
}

metrics! {
    PEERS false Count "peers" "state" "Nodes that are seen.";
    ROUND_TRIP false Seconds "round_trip_seconds" "peer" "Time that the latest ping took.";
    WINDOW false Bytes "window_used_bytes" "peer" "Bytes that are on the way to the node, or wait there.";
    PENDING false Count "pending" "peer" "Messages, monitors and links that something is waited for.";
    NAMES false Count "names" "peer" "Names, members of groups and topics that are known of the node.";
    SENT true Count "packets_sent_total" "peer" "Packets of the stream that were sent to the node.";
    RECEIVED true Count "packets_received_total" "peer" "Packets of the stream that were received from the node.";
    LOST true Count "packets_lost_total" "peer" "Packets that were sent to the node and are known to be lost.";
}
