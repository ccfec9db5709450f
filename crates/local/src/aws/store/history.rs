use std::collections::BTreeMap;
use std::sync::Arc;

use super::index::Bucket;
use super::record::Object;

/// Versions of objects that are not visible: those that were replaced, and the markers that say that there is nothing
/// any more. Newest first, by key.
#[derive(Debug, Default)]
pub(in crate::aws) struct History(BTreeMap<String, Vec<Arc<Object>>>);

impl History {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each key's versions from the oldest on.
    pub(in crate::aws) fn oldest_first(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.0.values().flat_map(|versions| versions.iter().rev())
    }
}

impl Bucket {
    /// The marker that hides a key, if one does.
    pub(in crate::aws) fn marker(&self, key: &str) -> Option<&Arc<Object>> {
        let newest = self.history.0.get(key)?.first();
        newest.filter(|object| object.is_marker && !self.objects.contains_key(key))
    }

    /// A version of an object, visible or not; `None` is the one without a version.
    pub(in crate::aws) fn version(&self, key: &str, version: Option<&str>) -> Option<&Arc<Object>> {
        self.versions(key).find(|object| object.version.as_deref() == version)
    }

    /// All versions of a key, newest first.
    pub(in crate::aws) fn versions(&self, key: &str) -> impl Iterator<Item = &Arc<Object>> {
        self.objects.get(key).into_iter().chain(self.history.0.get(key).into_iter().flatten())
    }

    /// Every key that there is or was, from `from` on, in order.
    pub(in crate::aws) fn keys_from<'b>(&'b self, from: &str) -> impl Iterator<Item = &'b String> {
        use std::ops::Bound::{Included, Unbounded};
        let visible = self.objects.range::<str, _>((Included(from), Unbounded)).map(|(key, _)| key);
        let older = self.history.0.range::<str, _>((Included(from), Unbounded)).map(|(key, _)| key);
        let mut keys: Vec<&String> = visible.chain(older).collect();
        keys.sort_unstable();
        keys.dedup();
        keys.into_iter()
    }

    pub(super) fn version_mut(&mut self, key: &str, version: Option<&str>) -> Option<&mut Arc<Object>> {
        let wanted = |object: &&mut Arc<Object>| object.version.as_deref() == version;
        let visible = self.objects.get_mut(key).filter(wanted);
        visible.or_else(|| self.history.0.get_mut(key)?.iter_mut().find(wanted))
    }

    /// Makes a version the newest of its key, and gives what is gone by that: there is one version without an id.
    pub(super) fn put(&mut self, object: Object) -> Vec<Arc<Object>> {
        let (key, object) = (object.key.clone(), Arc::new(object));
        let plain = object.version.is_none() && !object.is_marker && !self.history.0.contains_key(&key);
        if plain && self.objects.get(&key).is_none_or(|current| current.version.is_none()) {
            return self.objects.insert(key, object).into_iter().collect();
        }
        let older = self.history.0.entry(key.clone()).or_default();
        older.splice(0..0, self.objects.remove(&key));
        let gone = if object.version.is_none() {
            older.extract_if(.., |older| older.version.is_none()).collect()
        } else {
            Vec::new()
        };
        if object.is_marker {
            older.insert(0, object);
        } else {
            self.objects.insert(key.clone(), object);
        }
        self.tidy(&key);
        gone
    }

    /// Removes a version for good. If it was the newest, the one before it takes its place.
    pub(super) fn remove(&mut self, key: &str, version: Option<&str>) -> Option<Arc<Object>> {
        let is_wanted = |object: &Arc<Object>| object.version.as_deref() == version;
        let gone = if self.objects.get(key).is_some_and(is_wanted) {
            self.objects.remove(key)
        } else {
            let older = self.history.0.get_mut(key)?;
            let at = older.iter().position(is_wanted)?;
            Some(older.remove(at))
        };
        if !self.objects.contains_key(key)
            && let Some(older) = self.history.0.get_mut(key)
            && older.first().is_some_and(|newest| !newest.is_marker)
        {
            self.objects.insert(key.to_owned(), older.remove(0));
        }
        self.tidy(key);
        gone
    }

    fn tidy(&mut self, key: &str) {
        if self.history.0.get(key).is_some_and(Vec::is_empty) {
            self.history.0.remove(key);
        }
    }
}
