//! Maps for reports.

use std::collections::BTreeMap;

/// Makes a map of pairs, one after the other. `collect` sorts them first, with a sort of its own for each type; that is
/// several kilobytes each time, which a Worker is sent at each start.
pub(crate) fn ordered<K: Ord, V>(pairs: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut map = BTreeMap::new();
    map.extend(pairs);
    map
}
