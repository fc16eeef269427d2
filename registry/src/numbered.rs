//! Things in the order of their numbers, each found by its number.
//!
//! Whoever has a number can take its thing out at little cost, however many there are: when a hundred thousand members of one group
//! end at once, each of them is taken out alone. So what is taken out leaves a gap, and gaps are closed when they are as many as the
//! things.

use std::collections::VecDeque;

/// Things in the order of their numbers.
#[derive(Clone)]
pub(crate) struct Numbered<T> {
    /// The first and the last are no gaps.
    places: VecDeque<(u64, Option<T>)>,
    things: usize,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { places: VecDeque::new(), things: 0 }
    }
}

impl<T> Numbered<T> {
    /// Puts a thing where its number belongs, which nothing else has had: at the end, for who counts upwards.
    pub(crate) fn insert(&mut self, number: u64, thing: T) {
        if self.places.is_empty() {
            // Most have one thing in all their life.
            self.places.reserve_exact(1);
        }
        self.things += 1;
        match self.places.back() {
            Some((last, _)) if *last > number => {
                let place = self.places.partition_point(|(other, _)| *other < number);
                self.places.insert(place, (number, Some(thing)));
            }
            _ => self.places.push_back((number, Some(thing))),
        }
    }

    /// Takes the thing with this number out.
    pub(crate) fn remove(&mut self, number: u64) -> Option<T> {
        let place = self.place(number)?;
        let thing = self.places.get_mut(place)?.1.take()?;
        self.things -= 1;
        while self.places.front().is_some_and(is_gap) {
            self.places.pop_front();
        }
        while self.places.back().is_some_and(is_gap) {
            self.places.pop_back();
        }
        if self.places.len() > 2 * self.things {
            self.places.retain(|place| !is_gap(place));
        }
        Some(thing)
    }

    /// The thing with this number.
    pub(crate) fn get(&self, number: u64) -> Option<&T> {
        self.places.get(self.place(number)?)?.1.as_ref()
    }

    /// The thing with this number, to be changed.
    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let place = self.place(number)?;
        self.places.get_mut(place)?.1.as_mut()
    }

    /// The first thing with a higher number, and its number.
    pub(crate) fn after(&self, number: u64) -> Option<(u64, &T)> {
        let first = self.places.partition_point(|(other, _)| *other <= number);
        self.places.range(first..).find_map(|(number, thing)| Some((*number, thing.as_ref()?)))
    }

    /// The one with the lowest number, and that.
    pub(crate) fn first(&self) -> Option<(u64, &T)> {
        self.places.front().and_then(|(number, thing)| Some((*number, thing.as_ref()?)))
    }

    /// The one with the highest number.
    pub(crate) fn last(&self) -> Option<&T> {
        self.places.back()?.1.as_ref()
    }

    /// All of them, with their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.places.iter().filter_map(|(number, thing)| Some((*number, thing.as_ref()?)))
    }

    /// All of them, to be changed.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.places.iter_mut().filter_map(|(_, thing)| thing.as_mut())
    }

    /// All of them, out of it.
    pub(crate) fn into_things(self) -> impl Iterator<Item = (u64, T)> {
        self.places.into_iter().filter_map(|(number, thing)| Some((number, thing?)))
    }

    pub(crate) const fn len(&self) -> usize {
        self.things
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.things == 0
    }

    fn place(&self, number: u64) -> Option<usize> {
        self.places.binary_search_by_key(&number, |(other, _)| *other).ok()
    }
}

fn is_gap<T>((_, thing): &(u64, Option<T>)) -> bool {
    thing.is_none()
}

#[cfg(all(test, not(model)))]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn all(things: &Numbered<u64>) -> Vec<u64> {
        things.iter().map(|(number, thing)| number * 1000 + thing).collect()
    }

    #[test]
    fn what_is_taken_out_is_gone_and_the_others_keep_their_order() {
        let mut things = Numbered::default();
        [3, 1, 7, 5].into_iter().for_each(|number| things.insert(number, number));
        assert_eq!(all(&things), [1001, 3003, 5005, 7007]);
        assert_eq!((things.remove(3), things.remove(3), things.remove(4)), (Some(3), None, None));
        assert_eq!((all(&things), things.len()), (vec![1001, 5005, 7007], 3));
        assert_eq!((things.get(5), things.get(3)), (Some(&5), None));
        assert_eq!((things.after(1), things.after(7)), (Some((5, &5)), None));
        things.iter_mut().for_each(|thing| *thing += 1);
        assert_eq!(things.into_things().collect::<Vec<_>>(), [(1, 2), (5, 6), (7, 8)]);
    }

    #[test]
    fn it_is_a_sorted_map_that_never_keeps_more_gaps_than_things() {
        let (mut things, mut map, mut dice) = (Numbered::default(), BTreeMap::new(), 1_u64);
        for step in 0..20_000_u64 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // It grows for a while, then shrinks for a while.
            let grows = (dice >> 60 < 10) == (step / 2_000 % 2 == 0);
            if grows {
                // Every number once, and nearly in order.
                let number = (step & !7) | ((step * 3 + 1) & 7);
                things.insert(number, step);
                map.insert(number, step);
            } else {
                let any = map.range((dice >> 33) % (step + 1)..).next().map_or(0, |(number, _)| *number);
                assert_eq!(things.remove(any), map.remove(&any));
                assert_eq!(
                    things.after(any),
                    map.range(any + 1..).next().map(|(number, thing)| (*number, thing))
                );
            }
            assert_eq!((things.len(), things.is_empty()), (map.len(), map.is_empty()));
            assert!(things.places.len() <= 2 * things.things);
            assert!(!things.places.front().is_some_and(is_gap) && !things.places.back().is_some_and(is_gap));
        }
        assert!(things.iter().eq(map.iter().map(|(number, thing)| (*number, thing))));
    }
}
