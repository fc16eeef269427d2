//! Finds circles in a graph: a pure function.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Returns circles of a graph whose edges lead from a waiting actor to the one that it waits for.
///
/// Each node that is on a circle is on at least one of those returned. A circle begins with its
/// smallest node, and each of its nodes waits for the next one, the last for the first.
pub(crate) fn cycles(edges: &[(u64, u64)]) -> Vec<Vec<u64>> {
    let mut graph: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for (from, to) in edges {
        graph.entry(*from).or_default().insert(*to);
    }
    let mut found: BTreeSet<Vec<u64>> = BTreeSet::new();
    let mut covered = BTreeSet::new();
    for start in graph.keys() {
        if covered.contains(start) {
            continue;
        }
        if let Some(mut cycle) = shortest_back(&graph, *start) {
            covered.extend(cycle.iter().copied());
            let smallest = (0..cycle.len()).min_by_key(|at| cycle.get(*at)).unwrap_or_default();
            cycle.rotate_left(smallest);
            found.insert(cycle);
        }
    }
    found.into_iter().collect()
}

/// Returns the shortest way from a node back to it, without the node at the end.
fn shortest_back(graph: &BTreeMap<u64, BTreeSet<u64>>, start: u64) -> Option<Vec<u64>> {
    let mut reached_from: BTreeMap<u64, u64> = BTreeMap::new();
    let mut due = VecDeque::from([start]);
    while let Some(node) = due.pop_front() {
        for next in graph.get(&node).into_iter().flatten() {
            if *next == start {
                let mut way = vec![node];
                let mut at = node;
                while let Some(before) = reached_from.get(&at) {
                    way.push(*before);
                    at = *before;
                }
                way.reverse();
                return Some(way);
            }
            if !reached_from.contains_key(next) {
                reached_from.insert(*next, node);
                due.push_back(*next);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn circle_begins_with_its_smallest_node_in_the_order_of_waiting() {
        assert_eq!(cycles(&[(3, 1), (1, 2), (2, 3)]), [[1, 2, 3]]);
        assert_eq!(cycles(&[(9, 4), (4, 9), (9, 1)]), [[4, 9]]);
        assert_eq!(cycles(&[(5, 5)]), [[5]]);
    }

    #[test]
    fn chain_and_nodes_that_wait_for_a_circle_are_no_circle() {
        assert!(cycles(&[(1, 2), (2, 3), (3, 4)]).is_empty());
        assert_eq!(cycles(&[(1, 2), (2, 3), (3, 2)]), [[2, 3]]);
    }

    proptest! {
        /// Compares with the transitive closure.
        #[test]
        fn each_node_that_reaches_itself_is_on_a_returned_circle(
            edges in prop::collection::vec((0_u64..8, 0_u64..8), 0..20),
        ) {
            let mut reaches: BTreeSet<(u64, u64)> = edges.iter().copied().collect();
            for via in 0..8 {
                for from in 0..8 {
                    for to in 0..8 {
                        if reaches.contains(&(from, via)) && reaches.contains(&(via, to)) {
                            reaches.insert((from, to));
                        }
                    }
                }
            }
            let found = cycles(&edges);
            for cycle in &found {
                let next = cycle.iter().cycle().skip(1);
                for (from, to) in cycle.iter().zip(next) {
                    prop_assert!(edges.contains(&(*from, *to)), "{from} does not wait for {to}");
                }
            }
            let on_one: BTreeSet<u64> = found.into_iter().flatten().collect();
            let circular: BTreeSet<u64> = (0..8).filter(|node| reaches.contains(&(*node, *node))).collect();
            prop_assert_eq!(on_one, circular);
        }
    }
}
