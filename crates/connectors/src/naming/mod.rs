//! Which object a record goes to, and what the object is called.

mod by_key;
mod by_partition;
mod by_partition_key;
mod calendar;
mod grouping;
mod head;
mod name;
mod name_pattern;
mod object_naming;
mod template;
mod zone;

pub use calendar::{CalendarTime, Unit};
pub use grouping::{Grouping, GroupingError};
pub use name::{NameTemplate, NamingError};
pub use name_pattern::NamePattern;
pub use object_naming::{FirstRecordName, NamingSpec, ObjectNaming, ObjectRouter, TimestampSource};
pub use template::{Template, TemplateError, TemplatePart, Variable};
pub use zone::{Zone, ZoneError};
