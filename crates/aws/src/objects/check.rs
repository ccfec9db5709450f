use identity::Within;

use crate::objects::bucket::Bucket;
use crate::objects::error::Error;
use crate::objects::key::Key;

impl Bucket {
    /// Refuses a key that the connection's fence keeps out.
    pub(super) fn admit(&self, key: &Key) -> Result<(), Error> {
        // A whole name is inside or it is not: that it could go on to be inside does not count.
        match self.options().fence.holds(self.name(), key.as_str()) {
            Within::Yes => Ok(()),
            Within::No | Within::Unknown => Err(self.outside(key.as_str())),
        }
    }

    /// Refuses a listing that would show keys that the fence keeps out.
    pub(super) fn admit_prefix(&self, prefix: &str) -> Result<(), Error> {
        match self.options().fence.holds(self.name(), prefix) {
            Within::Yes => Ok(()),
            Within::No | Within::Unknown => Err(self.outside(prefix)),
        }
    }

    /// Refuses what concerns the bucket as such, if no part of it is inside.
    pub(super) fn admit_bucket(&self) -> Result<(), Error> {
        if self.options().fence.has_bucket(self.name()) { Ok(()) } else { Err(self.outside("")) }
    }

    fn outside(&self, name: &str) -> Error {
        let places: Vec<_> = self.options().fence.places.iter().map(ToString::to_string).collect();
        Error::Outside { bucket: self.name().to_owned(), name: name.to_owned(), fence: places.join(", ") }
    }
}
