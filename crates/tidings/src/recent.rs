//! [`Recent`]: a map that is kept small by forgetting what was set longest ago.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// A map that knows the order in which its entries were set.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    entries: HashMap<K, (u64, V)>,
    /// The same keys, by when they were set.
    by_age: BTreeMap<u64, K>,
    next_age: u64,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Recent<K, V> {
        Recent {
            entries: HashMap::new(),
            by_age: BTreeMap::new(),
            next_age: 0,
        }
    }
}

impl<K: Clone + Eq + Hash, V> Recent<K, V> {
    /// Sets an entry, which makes it the newest.
    pub(crate) fn set(&mut self, key: K, value: V) {
        if let Some((age, current)) = self.entries.get_mut(&key)
            && *age + 1 == self.next_age
        {
            *current = value;
            return;
        }
        let age = self.next_age;
        self.next_age += 1;
        if let Some((before, _)) = self.entries.insert(key.clone(), (age, value)) {
            self.by_age.remove(&before);
        }
        self.by_age.insert(age, key);
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    /// Leaves the entry's age as it is.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|(_, value)| value)
    }

    pub(crate) fn remove(&mut self, key: &K) {
        if let Some((age, _)) = self.entries.remove(key) {
            self.by_age.remove(&age);
        }
    }

    /// Takes out the entry that was set longest ago.
    pub(crate) fn pop_oldest(&mut self) -> Option<(K, V)> {
        let (_, key) = self.by_age.pop_first()?;
        let (_, value) = self.entries.remove(&key)?;
        Some((key, value))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.entries.keys()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_longest_ago_goes_first() {
        let mut recent = Recent::default();
        for (key, value) in [("a", 1), ("b", 2), ("c", 3), ("a", 4), ("d", 0), ("d", 5)] {
            recent.set(key, value);
        }
        recent.remove(&"c");
        *recent.get_mut(&"b").unwrap() += 10;
        assert_eq!(recent.len(), 3);
        assert_eq!(recent.get(&"a"), Some(&4));
        assert_eq!(recent.pop_oldest(), Some(("b", 12)));
        assert_eq!(recent.pop_oldest(), Some(("a", 4)));
        assert_eq!(recent.pop_oldest(), Some(("d", 5)));
        assert_eq!(recent.pop_oldest(), None);
        assert!(recent.is_empty());
    }
}
