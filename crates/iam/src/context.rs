/// The condition keys of one request. Their names ignore case; a key may have several values.
///
/// It holds exactly what was put in: [`crate::evaluate`] adds no key, not even `aws:PrincipalArn`.
#[derive(Debug, Clone, Default)]
pub struct Context {
    // A request has a dozen keys: a scan beats a map, and asks for no lower-cased copy of a key.
    keys: Vec<(Box<str>, Values)>,
}

/// What a key holds. A list of one is still a list: only set operators may look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Values {
    One(Box<str>),
    Many(Vec<Box<str>>),
}

impl Values {
    /// AWS counts a key with no value or an empty one as null wherever it asks for existence.
    pub(crate) fn is_null(&self) -> bool {
        self.all(str::is_empty)
    }

    pub(crate) fn all(&self, holds: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::One(value) => holds(value),
            Self::Many(values) => values.iter().all(|value| holds(value)),
        }
    }

    pub(crate) fn any(&self, holds: impl Fn(&str) -> bool) -> bool {
        !self.all(|value| !holds(value))
    }
}

impl Context {
    /// No keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key that has one value.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.put(key, Values::One(value.into().into_boxed_str()));
    }

    /// Sets a key that is a list (`aws:TagKeys`).
    pub fn set_many<V: Into<String>>(&mut self, key: &str, values: impl IntoIterator<Item = V>) {
        self.put(key, Values::Many(values.into_iter().map(|v| v.into().into_boxed_str()).collect()));
    }

    /// The value of a key that has exactly one.
    pub fn one(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            Values::One(value) => Some(value),
            Values::Many(_) => None,
        }
    }

    /// Whether the key is there, with or without a value.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Values> {
        self.keys.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, values)| values)
    }

    fn put(&mut self, key: &str, values: Values) {
        match self.keys.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case(key)) {
            Some(slot) => slot.1 = values,
            None => self.keys.push((key.into(), values)),
        }
    }
}
