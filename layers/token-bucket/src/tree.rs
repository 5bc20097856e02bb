//! Values in the order of their numbers.
//!
//! **A value is found, comes and goes in O(log n) wherever its number is, and so is known how much all before it weigh.**

/// A binary search tree of which each part knows its weight. It is balanced as a treap is: whoever has the higher rank is
/// the parent, and ranks look as if they were random.
///
/// It serves those who come and go anywhere. The ledger's queue, which grows at its end only, is faster.
#[derive(Debug)]
pub(crate) struct Tree<V> {
    root: Link<V>,
}

type Link<V> = Option<Box<Node<V>>>;

#[derive(Debug)]
struct Node<V> {
    number: u64,
    weight: u32,
    /// Its own weight and that of all below it.
    sum: u64,
    value: V,
    lower: Link<V>,
    higher: Link<V>,
}

impl<V> Tree<V> {
    pub(crate) const fn new() -> Self {
        Self { root: None }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Returns how much all together weigh.
    pub(crate) fn weight(&self) -> u64 {
        sum(&self.root)
    }

    /// Returns how much those with lower numbers weigh.
    pub(crate) fn weight_before(&self, number: u64) -> u64 {
        let (mut at, mut weight) = (&self.root, 0);
        while let Some(node) = at {
            at = if number <= node.number {
                &node.lower
            } else {
                weight += sum(&node.lower) + u64::from(node.weight);
                &node.higher
            };
        }
        weight
    }

    /// Returns the lowest number, and its weight.
    pub(crate) fn first(&self) -> Option<(u64, u32)> {
        let mut first = self.root.as_ref()?;
        while let Some(lower) = &first.lower {
            first = lower;
        }
        Some((first.number, first.weight))
    }

    pub(crate) fn get(&self, number: u64) -> Option<&V> {
        self.find(number).map(|node| &node.value)
    }

    fn find(&self, number: u64) -> Option<&Node<V>> {
        let mut node = self.root.as_ref()?;
        while node.number != number {
            node = node.side(number).as_ref()?;
        }
        Some(node)
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut V> {
        let mut node = self.root.as_mut()?;
        while node.number != number {
            node = node.side_mut(number).as_mut()?;
        }
        Some(&mut node.value)
    }

    /// Adds a value whose number is not there.
    pub(crate) fn insert(&mut self, number: u64, weight: u32, value: V) {
        let mut new = Node::new(number, weight, value);
        let rank = new.rank();
        let mut place = &mut self.root;
        while place.as_ref().is_some_and(|node| node.rank() > rank)
            && let Some(node) = place
        {
            node.sum += u64::from(weight);
            place = node.side_mut(number);
        }
        (new.lower, new.higher) = split(place.take(), number);
        new.sum_up();
        *place = Some(new);
    }

    /// Takes a value out.
    pub(crate) fn remove(&mut self, number: u64) -> Option<V> {
        let weight = u64::from(self.find(number)?.weight);
        let mut place = &mut self.root;
        while place.as_ref().is_some_and(|node| node.number != number)
            && let Some(node) = place
        {
            node.sum -= weight;
            place = node.side_mut(number);
        }
        let removed = place.take()?;
        *place = join(removed.lower, removed.higher);
        Some(removed.value)
    }

    /// Takes out those that `goes` says, and hands them over in the order of their numbers.
    pub(crate) fn extract(
        &mut self,
        mut goes: impl FnMut(u64, &V) -> bool,
        mut take: impl FnMut(V),
    ) {
        self.root = extract(self.root.take(), &mut goes, &mut take);
    }
}

impl<V> Default for Tree<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> Node<V> {
    fn new(number: u64, weight: u32, value: V) -> Box<Self> {
        Box::new(Self {
            number,
            weight,
            sum: weight.into(),
            value,
            lower: None,
            higher: None,
        })
    }

    /// Where a number is that is not its own.
    const fn side(&self, number: u64) -> &Link<V> {
        if number < self.number {
            &self.lower
        } else {
            &self.higher
        }
    }

    const fn side_mut(&mut self, number: u64) -> &mut Link<V> {
        if number < self.number {
            &mut self.lower
        } else {
            &mut self.higher
        }
    }

    fn sum_up(&mut self) {
        self.sum = sum(&self.lower) + u64::from(self.weight) + sum(&self.higher);
    }

    /// Numbers come in a row, and ranks must not. No two numbers have the same one.
    const fn rank(&self) -> u64 {
        let mixed = (self.number ^ (self.number >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93)
    }
}

fn sum<V>(tree: &Link<V>) -> u64 {
    tree.as_ref().map_or(0, |node| node.sum)
}

/// Makes two trees of one: those with lower numbers than this one, which is not there, and those with higher ones.
fn split<V>(tree: Link<V>, number: u64) -> (Link<V>, Link<V>) {
    let Some(mut node) = tree else {
        return (None, None);
    };
    let (lower, higher) = split(node.side_mut(number).take(), number);
    if number < node.number {
        node.lower = higher;
        node.sum_up();
        (lower, Some(node))
    } else {
        node.higher = lower;
        node.sum_up();
        (Some(node), higher)
    }
}

/// Makes one tree of two, all numbers of the first being lower.
fn join<V>(lower: Link<V>, higher: Link<V>) -> Link<V> {
    let (mut lower, mut higher) = match (lower, higher) {
        (Some(lower), Some(higher)) => (lower, higher),
        (lower, higher) => return lower.or(higher),
    };
    Some(if lower.rank() > higher.rank() {
        lower.higher = join(lower.higher.take(), Some(higher));
        lower.sum_up();
        lower
    } else {
        higher.lower = join(Some(lower), higher.lower.take());
        higher.sum_up();
        higher
    })
}

fn extract<V>(
    tree: Link<V>,
    goes: &mut impl FnMut(u64, &V) -> bool,
    take: &mut impl FnMut(V),
) -> Link<V> {
    let mut node = tree?;
    node.lower = extract(node.lower.take(), goes, take);
    if goes(node.number, &node.value) {
        let node = *node;
        take(node.value);
        return join(node.lower, extract(node.higher, goes, take));
    }
    node.higher = extract(node.higher.take(), goes, take);
    node.sum_up();
    Some(node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn depth<V>(tree: &Link<V>) -> u32 {
        tree.as_ref()
            .map_or(0, |node| 1 + depth(&node.lower).max(depth(&node.higher)))
    }

    #[test]
    fn it_is_balanced_in_whatever_order_numbers_come() {
        for step in [1, 3, 64, 65, 1 << 20, 1 << 32] {
            let mut tree = Tree::new();
            for number in 0..10_000 {
                tree.insert(number * step, 1, ());
            }
            assert!(depth(&tree.root) < 45, "{step}: {}", depth(&tree.root));
            for number in 0..9_000 {
                tree.remove(number * step);
            }
            assert!(depth(&tree.root) < 45, "{step}: {}", depth(&tree.root));
        }
    }

    #[test]
    fn it_is_a_map_that_knows_its_weight() {
        let mut tree = Tree::new();
        let mut map = BTreeMap::new();
        let mut random = 1_u64;
        for turn in 0..20_000_u32 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let number = (random >> 33) % 300;
            let weight = turn % 7;
            match turn % 5 {
                0 | 1 => {
                    map.entry(number).or_insert_with(|| {
                        tree.insert(number, weight, turn);
                        (weight, turn)
                    });
                }
                2 => {
                    let removed = map.remove(&number).map(|(_, turn)| turn);
                    assert_eq!(tree.remove(number), removed);
                }
                3 if turn % 100 == 3 => {
                    let goes = |number: u64| number.is_multiple_of(3);
                    let mut taken = Vec::new();
                    tree.extract(|number, _| goes(number), |turn| taken.push(turn));
                    let expected = map.extract_if(.., |number, _| goes(*number));
                    let expected: Vec<_> = expected.map(|(_, (_, turn))| turn).collect();
                    assert_eq!(taken, expected);
                }
                _ => {
                    let found = map.get(&number).map(|(_, turn)| turn);
                    assert_eq!(tree.get(number), found);
                    assert_eq!(tree.get_mut(number).as_deref(), found);
                }
            }
            let before = map
                .range(..number)
                .map(|(_, (weight, _))| u64::from(*weight));
            assert_eq!(tree.weight_before(number), before.sum::<u64>());
            let all = map.values().map(|(weight, _)| u64::from(*weight));
            assert_eq!(tree.weight(), all.sum::<u64>());
            let first = map.first_key_value();
            assert_eq!(
                tree.first(),
                first.map(|(number, (weight, _))| (*number, *weight))
            );
            assert_eq!(tree.is_empty(), map.is_empty());
        }
    }
}
