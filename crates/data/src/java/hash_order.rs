use std::collections::HashSet;

/// A key of a Java map.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// `String`.
    Text(String),
    /// What hashes to these bits: `Integer` and the smaller ones themselves, the others as [`Key::of_i64`] says.
    Bits(i32, u64),
}

impl Key {
    /// A `Long`.
    pub(crate) fn of_i64(value: i64) -> Self {
        Self::Bits((value ^ (value as u64 >> 32) as i64) as i32, value as u64)
    }

    /// Java's `hashCode`.
    fn hash(&self) -> i32 {
        match self {
            Self::Text(text) => {
                text.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
            }
            Self::Bits(hash, _) => *hash,
        }
    }
}

/// The order in which a `java.util.HashMap` of default size gives `keys` that were put in one after the other: places in
/// `keys`, of equal ones the first.
///
/// `None` if more than eight of them fall into one slot of a large table, which then becomes a tree whose order is not
/// reproduced here; that takes keys chosen for it.
pub(crate) fn hash_order(keys: &[Key]) -> Option<Vec<usize>> {
    let mut slots: Vec<Vec<usize>> = vec![Vec::new(); 16];
    let mut seen = HashSet::with_capacity(keys.len());
    let spread = |index: usize| {
        let hash = keys[index].hash() as u32;
        (hash ^ (hash >> 16)) as usize
    };
    let mut count = 0;
    for (index, key) in keys.iter().enumerate() {
        if !seen.insert(key) {
            continue;
        }
        let at = spread(index) & (slots.len() - 1);
        slots[at].push(index);
        count += 1;
        // A ninth key in a slot: a small table grows instead of becoming a tree.
        let crowded = slots[at].len() > 8;
        if crowded && slots.len() >= 64 {
            return None;
        }
        for grow in [crowded, count > slots.len() / 4 * 3] {
            if grow {
                let mut wider = vec![Vec::new(); slots.len() * 2];
                for index in slots.into_iter().flatten() {
                    let at = spread(index) & (wider.len() - 1);
                    wider[at].push(index);
                }
                slots = wider;
            }
        }
    }
    Some(slots.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::{Key, hash_order};

    fn order(keys: &[&str]) -> Vec<String> {
        let keys: Vec<Key> = keys.iter().map(|key| Key::Text((*key).to_owned())).collect();
        let text = |index: usize| match &keys[index] {
            Key::Text(text) => text.clone(),
            Key::Bits(..) => String::new(),
        };
        hash_order(&keys).unwrap().into_iter().map(text).collect()
    }

    #[test]
    fn keys_come_in_the_order_of_a_java_hash_map() {
        // Recorded from the real connector.
        assert_eq!(order(&["z", "b", "a", "longer-key", "k5"]), ["a", "b", "z", "k5", "longer-key"]);
        let keys: Vec<String> = (0..13).map(|n| format!("k{}", n * 7919)).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        assert_eq!(
            order(&keys[..12]),
            [
                "k31676", "k23757", "k55433", "k71271", "k79190", "k0", "k87109", "k47514", "k7919", "k15838",
                "k39595", "k63352"
            ]
        );
        assert_eq!(
            order(&keys),
            [
                "k23757", "k79190", "k0", "k47514", "k7919", "k15838", "k63352", "k31676", "k55433", "k71271",
                "k87109", "k95028", "k39595"
            ]
        );
    }
}
