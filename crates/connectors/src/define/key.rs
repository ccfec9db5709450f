use crate::define::Check;

/// A configuration key: what Kafka Connect's REST API tells of one, and how its text is checked.
#[derive(Debug, Clone, Copy)]
pub struct KeyDef {
    /// Its name.
    pub name: &'static str,
    /// How its text is read.
    pub kind: Kind,
    /// The text that stands for it if it is not set.
    pub default: Option<&'static str>,
    /// Whether it must be set.
    pub required: bool,
    /// What its value must be.
    pub(crate) check: Check,
    /// The group that it is shown in.
    pub group: Option<&'static str>,
    /// Its place in the group; -1 without a group.
    pub order: i32,
    /// How much it matters.
    pub importance: Importance,
    /// How wide a form shows it.
    pub width: Width,
    /// The name that a form shows.
    pub display: &'static str,
    /// Values to choose from.
    pub recommended: &'static [&'static str],
    /// What it does.
    pub doc: &'static str,
    /// The key to use instead of this one.
    pub replaced_by: Option<&'static str>,
    /// Whether it is left out where keys are listed: upstream reads it without defining it.
    pub(crate) unlisted: bool,
}

/// How a text is read (Kafka's `ConfigDef.Type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `true` or `false`, in any case.
    Boolean,
    /// Blanks around it are cut off.
    String,
    /// 16 bits with a sign.
    Short,
    /// 32 bits with a sign.
    Int,
    /// 64 bits with a sign.
    Long,
    /// Separated by commas.
    List,
    /// A Java class that this program knows.
    Class,
    /// A text that is never shown.
    Password,
}

impl Kind {
    /// Kafka's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Short => "SHORT",
            Self::Int => "INT",
            Self::Long => "LONG",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }
}

/// How much a key matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Importance {
    /// Without it nothing works.
    High,
    /// Often set.
    Medium,
    /// Seldom set.
    Low,
}

impl Importance {
    /// Kafka's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::High => "HIGH",
            Self::Medium => "MEDIUM",
            Self::Low => "LOW",
        }
    }
}

/// How wide a form shows a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Width {
    /// Not said.
    None,
    /// A number.
    Short,
    /// A word.
    Medium,
    /// A line.
    Long,
}

impl Width {
    /// Kafka's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Short => "SHORT",
            Self::Medium => "MEDIUM",
            Self::Long => "LONG",
        }
    }
}

impl KeyDef {
    /// A key of medium importance, in no group, that may be left out.
    pub(crate) const fn new(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self {
            name,
            kind,
            default: None,
            required: false,
            check: Check::Anything,
            group: None,
            order: -1,
            importance: Importance::Medium,
            width: Width::None,
            display: name,
            recommended: &[],
            doc,
            replaced_by: None,
            unlisted: false,
        }
    }

    pub(crate) const fn default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(crate) const fn check(mut self, check: Check) -> Self {
        self.check = check;
        self
    }

    pub(crate) const fn group(mut self, group: &'static str, order: i32) -> Self {
        self.group = Some(group);
        self.order = order;
        self
    }

    pub(crate) const fn importance(mut self, importance: Importance) -> Self {
        self.importance = importance;
        self
    }

    pub(crate) const fn shown(mut self, display: &'static str, width: Width) -> Self {
        self.display = display;
        self.width = width;
        self
    }

    pub(crate) const fn width(mut self, width: Width) -> Self {
        self.width = width;
        self
    }

    pub(crate) const fn recommended(mut self, recommended: &'static [&'static str]) -> Self {
        self.recommended = recommended;
        self
    }

    pub(crate) const fn unlisted(mut self) -> Self {
        self.unlisted = true;
        self
    }

    pub(crate) const fn replaced_by(mut self, key: &'static str) -> Self {
        self.replaced_by = Some(key);
        self
    }
}
