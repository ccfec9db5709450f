use crate::operator::{Order, Set, Test};
use crate::{Condition, Document, Effect, Operator, PolicyError, PolicyKind, Statement, Version};

/// A policy as plain data: to write a new one, or to change one that was read. [`Draft::build`] makes a [`Document`] of
/// it through the parser, so that nothing is written that would not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The language it is in.
    pub version: Option<Version>,
    /// Its `Id`.
    pub id: Option<String>,
    /// Its statements.
    pub statements: Vec<DraftStatement>,
}

/// One statement of a [`Draft`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftStatement {
    /// Its `Sid`.
    pub sid: Option<String>,
    /// What it does.
    pub effect: Effect,
    /// Whom it names; identity policies name nobody.
    pub principals: Option<DraftPrincipals>,
    /// Which actions it speaks of.
    pub actions: DraftList,
    /// Which resources it speaks of; trust policies name none.
    pub resources: Option<DraftList>,
    /// What must hold too.
    pub conditions: Vec<DraftCondition>,
}

/// `Principal` or `NotPrincipal`, as kind (`AWS`, `Service`, `Federated`, `CanonicalUser`) and text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DraftPrincipals {
    /// Whether it is `NotPrincipal`.
    pub except: bool,
    /// Whom it lists.
    pub list: Vec<(&'static str, String)>,
}

/// A list of actions or resources, or its complement (`NotAction`, `NotResource`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DraftList {
    /// Whether all but the listed are meant.
    pub except: bool,
    /// The patterns.
    pub list: Vec<String>,
}

/// One line of a `Condition` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftCondition {
    /// The operator.
    pub operator: Operator,
    /// The condition key.
    pub key: String,
    /// The values, any of which will do.
    pub values: Vec<String>,
}

impl Draft {
    /// An empty policy of today's version.
    pub fn new() -> Self {
        Self { version: Some(Version::V2012), id: None, statements: Vec::new() }
    }

    /// Adds a statement.
    #[must_use]
    pub fn with(mut self, statement: DraftStatement) -> Self {
        self.statements.push(statement);
        self
    }

    /// The document, if it is fit to be one of `kind`.
    pub fn build(&self, kind: PolicyKind) -> Result<Document, PolicyError> {
        let text = serde_json::to_string(self).map_err(|error| PolicyError::Document { reason: error.to_string() })?;
        Document::parse_as(kind, &text)
    }
}

impl Default for Draft {
    fn default() -> Self {
        Self::new()
    }
}

impl DraftStatement {
    /// A statement that allows `actions`.
    pub fn allow<A: Into<String>>(actions: impl IntoIterator<Item = A>) -> Self {
        Self::of(Effect::Allow, actions)
    }

    /// A statement that denies `actions`.
    pub fn deny<A: Into<String>>(actions: impl IntoIterator<Item = A>) -> Self {
        Self::of(Effect::Deny, actions)
    }

    fn of<A: Into<String>>(effect: Effect, actions: impl IntoIterator<Item = A>) -> Self {
        let actions = DraftList { except: false, list: actions.into_iter().map(Into::into).collect() };
        Self { sid: None, effect, principals: None, actions, resources: None, conditions: Vec::new() }
    }

    /// Names it.
    #[must_use]
    pub fn called(mut self, sid: &str) -> Self {
        self.sid = Some(sid.to_owned());
        self
    }

    /// On these resources.
    #[must_use]
    pub fn on<R: Into<String>>(mut self, resources: impl IntoIterator<Item = R>) -> Self {
        self.resources = Some(DraftList { except: false, list: resources.into_iter().map(Into::into).collect() });
        self
    }

    /// For a principal of `kind` (`AWS`, `Service`, `Federated`, `CanonicalUser`); one more each time.
    #[must_use]
    pub fn by(mut self, kind: &'static str, principal: impl Into<String>) -> Self {
        self.principals.get_or_insert_default().list.push((kind, principal.into()));
        self
    }

    /// Only if this holds too.
    #[must_use]
    pub fn only_if<V: Into<String>>(
        mut self,
        operator: Operator,
        key: &str,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        self.conditions.push(DraftCondition { operator, key: key.to_owned(), values });
        self
    }
}

impl DraftCondition {
    /// Whether it is about `key`; names of keys ignore case.
    pub fn is_about(&self, key: &str) -> bool {
        self.key.eq_ignore_ascii_case(key)
    }
}

impl Operator {
    /// `StringEquals`.
    pub const STRING_EQUALS: Self = Self::plain(Test::StringEquals);
    /// `StringLike`.
    pub const STRING_LIKE: Self = Self::plain(Test::StringLike);
    /// `ArnEquals`.
    pub const ARN_EQUALS: Self = Self::plain(Test::ArnEquals);
    /// `IpAddress`.
    pub const IP_ADDRESS: Self = Self::plain(Test::IpAddress);
    /// `DateGreaterThanEquals`.
    pub const DATE_FROM: Self = Self::plain(Test::Date(Order::GreaterThanEquals));
    /// `DateLessThanEquals`.
    pub const DATE_UNTIL: Self = Self::plain(Test::Date(Order::LessThanEquals));

    const fn plain(test: Test) -> Self {
        Self { set: Set::Single, test, negated: false, if_exists: false }
    }
}

impl From<&Document> for Draft {
    fn from(document: &Document) -> Self {
        let statements = document.statements().iter().map(DraftStatement::from).collect();
        Self { version: document.version, id: document.id.clone(), statements }
    }
}

impl From<&Statement> for DraftStatement {
    fn from(statement: &Statement) -> Self {
        let principals = statement.principals().map(|principals| {
            let written = |principal| {
                let (kind, text) = crate::Principal::written(principal);
                (kind, text.to_owned())
            };
            DraftPrincipals { except: principals.is_except(), list: principals.list().iter().map(written).collect() }
        });
        let actions = statement.actions();
        let resources = statement.resources().map(|resources| DraftList {
            except: resources.is_except(),
            list: resources.patterns().map(str::to_owned).collect(),
        });
        Self {
            sid: statement.sid().map(str::to_owned),
            effect: statement.effect(),
            principals,
            actions: DraftList { except: actions.is_except(), list: actions.patterns().map(str::to_owned).collect() },
            resources,
            conditions: statement.conditions().iter().map(DraftCondition::from).collect(),
        }
    }
}

impl From<&Condition> for DraftCondition {
    fn from(condition: &Condition) -> Self {
        Self {
            operator: condition.operator(),
            key: condition.key().to_owned(),
            values: condition.values().map(str::to_owned).collect(),
        }
    }
}
