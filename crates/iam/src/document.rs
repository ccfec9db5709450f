use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::raw::{Object, RawDocument, RawPrincipals, RawStatement, Text};
use crate::{Actions, Condition, PolicyError, PolicyKind, Principal, Principals, Resources};

/// The language that a document is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    /// `2008-10-17`, and what a document without a version is in: `${..}` is plain text.
    #[serde(rename = "2008-10-17")]
    V2008,
    /// `2012-10-17`: with variables.
    #[serde(rename = "2012-10-17")]
    V2012,
}

/// What a statement does with what it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// It allows, unless something denies.
    Allow,
    /// It denies, whatever allows.
    Deny,
}

/// A policy document.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub(crate) version: Option<Version>,
    pub(crate) id: Option<String>,
    pub(crate) statements: Vec<Statement>,
}

/// One statement of a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    pub(crate) sid: Option<String>,
    pub(crate) effect: Effect,
    pub(crate) principals: Option<Principals>,
    pub(crate) actions: Actions,
    pub(crate) resources: Option<Resources>,
    pub(crate) conditions: Vec<Condition>,
}

impl Document {
    /// Reads a document of any kind. Follow it with [`Document::check`].
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let Object(raw): Object<RawDocument> = serde_json::from_str(text).map_err(|error| grammar(&error))?;
        let variables = raw.version == Some(Version::V2012);
        if raw.statement.0.is_empty() {
            return Err(PolicyError::Document { reason: "the policy has no statement".to_owned() });
        }
        let compile = |(index, Object(raw)): (usize, Object<RawStatement>)| {
            let statement = statement_name(index, raw.sid.as_deref());
            Statement::compile(raw, variables).map_err(|reason| PolicyError::Statement { statement, reason })
        };
        let statements = raw.statement.0.into_iter().enumerate().map(compile).collect::<Result<_, _>>()?;
        Ok(Self { version: raw.version, id: raw.id, statements })
    }

    /// Reads a document and checks that it is fit to be one of `kind`.
    pub fn parse_as(kind: PolicyKind, text: &str) -> Result<Self, PolicyError> {
        let document = Self::parse(text)?;
        document.check(kind)?;
        Ok(document)
    }

    /// The version it is in; 2008-10-17 where it names none.
    pub fn version(&self) -> Version {
        self.version.unwrap_or(Version::V2008)
    }

    /// Its statements, at least one.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// The document with its principals replaced, as IAM replaces a role's ARN by the role's unique id when it saves a
    /// trust policy.
    pub fn map_principals<E>(&self, mut map: impl FnMut(&Principal) -> Result<Principal, E>) -> Result<Self, E> {
        let mut mapped = self.clone();
        for principals in mapped.statements.iter_mut().filter_map(|s| s.principals.as_mut()) {
            for principal in &mut principals.list {
                *principal = map(principal)?;
            }
        }
        Ok(mapped)
    }
}

impl FromStr for Document {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        Self::parse(text)
    }
}

impl Statement {
    /// Its `Sid`.
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// What it does.
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// Whom it names; identity policies name nobody.
    pub fn principals(&self) -> Option<&Principals> {
        self.principals.as_ref()
    }

    /// Which actions it speaks of.
    pub fn actions(&self) -> &Actions {
        &self.actions
    }

    /// Which resources it speaks of; trust policies name none.
    pub fn resources(&self) -> Option<&Resources> {
        self.resources.as_ref()
    }

    /// What must hold too, all of it.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    fn compile(raw: RawStatement, variables: bool) -> Result<Self, String> {
        let principals = either("Principal", raw.principal, raw.not_principal)?;
        let actions = either("Action", raw.action, raw.not_action)?.ok_or("it has neither Action nor NotAction")?;
        let resources = either("Resource", raw.resource, raw.not_resource)?;
        if actions.1.0.is_empty() || resources.as_ref().is_some_and(|(_, list)| list.0.is_empty()) {
            return Err("a list of actions or resources is empty".to_owned());
        }
        let texts = |list: Vec<Text>| list.into_iter().map(|Text(text)| text).collect();
        let condition = |(operator, key, values): (_, _, Vec<crate::raw::Scalar>)| {
            let values = values.into_iter().map(|scalar| scalar.0).collect();
            Condition::compile(operator, key, values, variables)
        };
        Ok(Self {
            sid: raw.sid,
            effect: raw.effect,
            principals: principals.map(|(except, list)| read_principals(except, &list)).transpose()?,
            actions: Actions::compile(actions.0, texts(actions.1.0))?,
            resources: resources
                .map(|(except, list)| Resources::compile(except, texts(list.0), variables))
                .transpose()?,
            conditions: raw.condition.0.into_iter().map(condition).collect::<Result<_, _>>()?,
        })
    }
}

/// Which of `Name` and `NotName` is there, and whether it is the latter.
fn either<T>(name: &str, plain: Option<T>, except: Option<T>) -> Result<Option<(bool, T)>, String> {
    match (plain, except) {
        (Some(_), Some(_)) => Err(format!("it has both {name} and Not{name}")),
        (Some(list), None) => Ok(Some((false, list))),
        (None, Some(list)) => Ok(Some((true, list))),
        (None, None) => Ok(None),
    }
}

fn read_principals(except: bool, raw: &RawPrincipals) -> Result<Principals, String> {
    let all =
        raw.kinds.iter().flat_map(|(kind, texts)| texts.iter().map(move |Text(text)| Principal::read(kind, text)));
    let list = all.collect::<Result<Vec<_>, _>>()?;
    if list.is_empty() {
        return Err("its list of principals is empty".to_owned());
    }
    Ok(Principals { except, list, is_bare: raw.is_bare })
}

pub(crate) fn statement_name(index: usize, sid: Option<&str>) -> String {
    match sid {
        Some(sid) => format!("{} ({sid})", index + 1),
        None => (index + 1).to_string(),
    }
}

fn grammar(error: &serde_json::Error) -> PolicyError {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let place = format!(" at line {line} column {column}");
    PolicyError::Grammar { line, column, reason: text.strip_suffix(&place).unwrap_or(&text).to_owned() }
}
