//! Who shall read what: the two assignors that Kafka has for KIP-848 groups.

use std::collections::BTreeMap;

use super::Partitions;

/// A way to share partitions out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Assignor {
    /// Even numbers, and as few moves as possible.
    Uniform,
    /// Neighbouring partitions together, the same ranges in every topic.
    Range,
}

/// A member, the partitions it subscribes to, and what it was to have so far.
type Wish = (String, Partitions, Partitions);

impl Assignor {
    /// The assignor of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "uniform" => Some(Self::Uniform),
            "range" => Some(Self::Range),
            _ => None,
        }
    }

    /// A target for each member.
    pub(crate) fn assign(self, wishes: Vec<Wish>) -> BTreeMap<String, Partitions> {
        match self {
            Self::Uniform => uniform(wishes),
            Self::Range => range(&wishes),
        }
    }
}

fn uniform(wishes: Vec<Wish>) -> BTreeMap<String, Partitions> {
    let wanted: BTreeMap<String, Partitions> =
        wishes.iter().map(|(id, wanted, _)| (id.clone(), wanted.clone())).collect();
    let mut open: Partitions = wanted.values().flatten().copied().collect();
    let mut targets: BTreeMap<String, Partitions> = BTreeMap::new();
    for (id, wanted, former) in wishes {
        let kept: Partitions =
            former.into_iter().filter(|p| wanted.contains(p) && open.remove(p)).collect();
        targets.insert(id, kept);
    }
    for partition in open {
        let takers = targets.iter_mut().filter(|(id, _)| wants(&wanted, id, partition));
        if let Some((_, target)) = takers.min_by_key(|(_, target)| target.len()) {
            target.insert(partition);
        }
    }
    while let Some((from, to, partition)) = improvement(&wanted, &targets) {
        targets.entry(from).or_default().remove(&partition);
        targets.entry(to).or_default().insert(partition);
    }
    targets
}

/// A move that makes the fullest member that can give and the emptiest that can take more equal.
fn improvement(
    wanted: &BTreeMap<String, Partitions>,
    targets: &BTreeMap<String, Partitions>,
) -> Option<(String, String, (uuid::Uuid, i32))> {
    let mut by_size: Vec<_> = targets.iter().collect();
    by_size.sort_by_key(|(_, target)| target.len());
    for (giver, full) in by_size.iter().rev() {
        for (taker, few) in by_size.iter().take_while(|(_, few)| few.len() + 1 < full.len()) {
            debug_assert!(few.len() < full.len());
            if let Some(partition) = full.iter().rev().find(|p| wants(wanted, taker, **p)) {
                return Some(((*giver).clone(), (*taker).clone(), *partition));
            }
        }
    }
    None
}

fn wants(wanted: &BTreeMap<String, Partitions>, id: &str, partition: (uuid::Uuid, i32)) -> bool {
    wanted.get(id).is_some_and(|wanted| wanted.contains(&partition))
}

fn range(wishes: &[Wish]) -> BTreeMap<String, Partitions> {
    let mut targets: BTreeMap<String, Partitions> =
        wishes.iter().map(|(id, _, _)| (id.clone(), Partitions::new())).collect();
    let mut topics: BTreeMap<uuid::Uuid, usize> = BTreeMap::new();
    for (topic, _) in
        wishes.iter().flat_map(|(_, wanted, _)| wanted).collect::<std::collections::BTreeSet<_>>()
    {
        *topics.entry(*topic).or_default() += 1;
    }
    for (topic, partitions) in topics {
        let readers: Vec<&String> = wishes
            .iter()
            .filter(|(_, wanted, _)| wanted.contains(&(topic, 0)))
            .map(|(id, _, _)| id)
            .collect();
        let mut next = 0;
        for (index, reader) in readers.iter().enumerate() {
            // The first readers take one more when it does not come out even.
            let share =
                partitions / readers.len() + usize::from(index < partitions % readers.len());
            let numbers = (next..next + share).filter_map(|number| i32::try_from(number).ok());
            targets
                .entry((*reader).clone())
                .or_default()
                .extend(numbers.map(|number| (topic, number)));
            next += share;
        }
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn partitions(topic: Uuid, count: i32) -> Partitions {
        (0..count).map(|partition| (topic, partition)).collect()
    }

    fn sizes(targets: &BTreeMap<String, Partitions>) -> Vec<usize> {
        targets.values().map(Partitions::len).collect()
    }

    #[test]
    fn uniform_moves_no_more_than_it_must() {
        let all = partitions(Uuid::from_u128(1), 6);
        let first = uniform(vec![("a".into(), all.clone(), Partitions::new())]);
        assert_eq!(first["a"], all);
        let wish = |id: &str, former: &Partitions| (id.to_owned(), all.clone(), former.clone());
        let second = uniform(vec![wish("a", &first["a"]), wish("b", &Partitions::new())]);
        assert_eq!(sizes(&second), [3, 3]);
        assert!(second["a"].is_subset(&first["a"]));
        let third = uniform(vec![wish("b", &second["b"])]);
        assert_eq!(third["b"], all);
    }

    #[test]
    fn range_gives_neighbours_and_the_rest_to_the_first() {
        let topic = Uuid::from_u128(1);
        let all = partitions(topic, 5);
        let wish = |id: &str| (id.to_owned(), all.clone(), Partitions::new());
        let targets = range(&[wish("a"), wish("b")]);
        assert_eq!(targets["a"], partitions(topic, 3));
        assert_eq!(targets["b"].len(), 2);
    }
}
