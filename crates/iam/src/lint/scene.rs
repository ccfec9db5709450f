use std::sync::LazyLock;

use crate::lint::Options;
use crate::operator::{Set, Test};
use crate::reference::{self, Action};
use crate::{AccountId, Document, Draft, DraftCondition, DraftList, DraftStatement, Effect, PolicyKind, Principal};

/// What stands in a mended policy where only its owner knows what to write. No account has this number.
pub(super) const NO_ACCOUNT: &str = "000000000000";
/// The same for an external ID.
pub(super) const NO_EXTERNAL_ID: &str = "REPLACE-WITH-THE-EXTERNAL-ID";
/// The same for a bucket.
pub(super) const NO_BUCKET: &str = "replace-with-the-bucket";

/// A policy as the rules see it.
pub(super) struct Scene<'a> {
    pub(super) document: &'a Document,
    pub(super) draft: Draft,
    pub(super) kind: PolicyKind,
    pub(super) options: &'a Options,
}

/// Where a rule strikes.
pub(super) struct Spot {
    pub(super) statement: Option<usize>,
    pub(super) severity: super::Severity,
    pub(super) what: String,
    pub(super) mend: Option<Mend>,
}

/// Changes the policy so that the rule does not strike there any more.
pub(super) type Mend = Box<dyn Fn(&mut Slots)>;

/// A policy on its way to be mended: what has become of each of its statements, so that taking one out or making two of
/// it moves no other.
pub(super) struct Slots {
    pub(super) version: Option<crate::Version>,
    pub(super) slots: Vec<Vec<DraftStatement>>,
}

impl Slots {
    pub(super) fn each(&mut self, index: usize, change: impl Fn(&mut DraftStatement)) {
        self.slots[index].iter_mut().for_each(change);
    }

    pub(super) fn remove(&mut self, index: usize) {
        self.slots[index].clear();
    }
}

/// Whose account something is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Own,
    Foreign,
    Unknown,
}

impl Scene<'_> {
    pub(super) fn is_trust(&self) -> bool {
        self.kind == PolicyKind::Trust
    }

    /// Whether it is attached to a resource that it names itself.
    pub(super) fn is_resource(&self) -> bool {
        self.kind == PolicyKind::Resource
    }

    /// Whether what it allows is allowed by it. Boundaries, control policies and endpoints only bound what others allow,
    /// and "everything" is what they say where they do not.
    fn grants_at_all(&self) -> bool {
        match self.kind {
            PolicyKind::Identity | PolicyKind::Trust | PolicyKind::Resource | PolicyKind::Session => true,
            PolicyKind::Boundary | PolicyKind::ServiceControl | PolicyKind::ResourceControl | PolicyKind::Endpoint => {
                false
            }
        }
    }

    /// The statements that give something to somebody.
    pub(super) fn grants(&self) -> impl Iterator<Item = (usize, &DraftStatement)> {
        self.allows().filter(|_| self.grants_at_all())
    }

    /// The statements that allow, with their numbers from 0.
    pub(super) fn allows(&self) -> impl Iterator<Item = (usize, &DraftStatement)> {
        self.all().filter(|(_, statement)| statement.effect == Effect::Allow)
    }

    /// All statements, with their numbers from 0.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, &DraftStatement)> {
        self.draft.statements.iter().enumerate()
    }

    /// Whom a statement names, if it names them and not the others.
    pub(super) fn named(&self, index: usize) -> &[Principal] {
        let principals = self.document.statements()[index].principals();
        principals.filter(|principals| !principals.is_except()).map_or(&[], |principals| principals.list())
    }

    pub(super) fn whose(&self, account: AccountId) -> Whose {
        match &self.options.own_accounts[..] {
            [] => Whose::Unknown,
            own if own.contains(&account) => Whose::Own,
            _ => Whose::Foreign,
        }
    }

    /// The number to put where the owner's account belongs.
    pub(super) fn own_account(&self) -> String {
        self.options.own_accounts.first().map_or_else(|| NO_ACCOUNT.to_owned(), ToString::to_string)
    }

    /// The buckets that the policy speaks of by their full names.
    pub(super) fn buckets(&self) -> Vec<String> {
        let resources = self.all().filter_map(|(_, statement)| statement.resources.as_ref());
        let names = resources.flat_map(|resources| &resources.list).filter_map(|text| s3_name(text));
        let buckets = names.map(|name| name.split('/').next().unwrap_or_default());
        let mut buckets: Vec<String> = buckets.filter(|name| !is_wild(name)).map(str::to_owned).collect();
        buckets.sort_unstable();
        buckets.dedup();
        if buckets.is_empty() { vec![NO_BUCKET.to_owned()] } else { buckets }
    }
}

/// The account of a principal that is one of AWS's own kinds.
pub(super) fn account_of(principal: &Principal) -> Option<AccountId> {
    match principal {
        Principal::Account(account) => Some(*account),
        Principal::User(arn) | Principal::Role(arn) | Principal::Session(arn) | Principal::FederatedUser(arn) => {
            arn.account()
        }
        Principal::Anyone
        | Principal::UniqueId(_)
        | Principal::Service(_)
        | Principal::Federated(_)
        | Principal::CanonicalUser(_) => None,
    }
}

/// `bucket` or `bucket/key`, if the text is the ARN of one.
pub(super) fn s3_name(text: &str) -> Option<&str> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    match parts[..] {
        ["arn", _, "s3", "", "", name] => Some(name),
        _ => None,
    }
}

/// The service that an ARN is of; `None` for `*`.
pub(super) fn service_of(resource: &str) -> Option<&str> {
    resource.split(':').nth(2)
}

pub(super) fn is_wild(text: &str) -> bool {
    text.replace("${*}", "").replace("${?}", "").contains(['*', '?'])
}

/// Whether a statement's list of actions takes in `action`.
pub(super) fn takes_in(actions: &DraftList, action: &str) -> bool {
    actions.except != actions.list.iter().any(|pattern| glob(&lower(pattern), &lower(action)))
}

/// The known actions that a pattern takes in.
pub(super) fn known(pattern: &str) -> Vec<Action> {
    static LOWER: LazyLock<Vec<(String, Action)>> = LazyLock::new(|| {
        let name = |action: Action| (lower(&format!("{}:{}", action.service, action.name)), action);
        let mut all: Vec<_> = reference::actions().map(name).collect();
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all
    });
    let pattern = lower(pattern);
    // What begins as the pattern does stands together: as a rule one service's, or one name.
    let begin = pattern.split(['*', '?']).next().unwrap_or_default();
    let from = LOWER.partition_point(|(name, _)| name.as_str() < begin);
    let together = LOWER[from..].iter().take_while(|(name, _)| name.starts_with(begin));
    together.filter(|(name, _)| glob(&pattern, name)).map(|(_, action)| *action).collect()
}

pub(super) fn lower(text: &str) -> String {
    text.to_ascii_lowercase()
}

/// Whether everything that `narrow` matches is matched by `wide`; says no where it cannot tell.
pub(super) fn pattern_covers(wide: &str, narrow: &str) -> bool {
    wide == narrow || (glob(wide, narrow) && !(wide.contains('?') && is_wild(narrow)))
}

/// Whether a list takes in all that another one does; says no where it cannot tell.
pub(super) fn list_covers(wide: &DraftList, narrow: &DraftList, same: impl Fn(&str) -> String) -> bool {
    if wide.except || narrow.except {
        return wide == narrow;
    }
    narrow.list.iter().all(|one| wide.list.iter().any(|pattern| pattern_covers(&same(pattern), &same(one))))
}

/// Whether a statement's principals, actions and resources take in those of another.
pub(super) fn covers(wide: &DraftStatement, narrow: &DraftStatement) -> bool {
    let principals = match (&wide.principals, &narrow.principals) {
        (Some(wide), Some(narrow)) if wide.except || narrow.except => wide == narrow,
        (Some(wide), Some(narrow)) => {
            wide.list.iter().any(|(_, text)| text == "*") || narrow.list.iter().all(|one| wide.list.contains(one))
        }
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    let resources = match (&wide.resources, &narrow.resources) {
        (Some(wide), Some(narrow)) => list_covers(wide, narrow, str::to_owned),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    principals && resources && list_covers(&wide.actions, &narrow.actions, lower)
}

/// `*` is any run of characters, `?` is one.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    if !pattern.contains(['*', '?']) {
        return pattern == text;
    }
    let (mut pattern, mut text) = (pattern, text);
    // Behind the last star: the pattern, and the text if the star takes in no more than it does now.
    let mut back: Option<(&str, &str)> = None;
    loop {
        let (mut wanted, mut found) = (pattern.chars(), text.chars());
        match (wanted.next(), found.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                pattern = wanted.as_str();
                back = Some((pattern, text));
            }
            (Some(_), None) => return false,
            (Some(one), Some(other)) if one == '?' || one == other => {
                (pattern, text) = (wanted.as_str(), found.as_str());
            }
            (_, Some(_)) => {
                let Some((behind, from)) = back else { return false };
                let mut rest = from.chars();
                rest.next();
                (pattern, text) = (behind, rest.as_str());
                back = Some((pattern, text));
            }
        }
    }
}

/// Whether a condition holds only for requests that have the key with one of the values: no negation, no `IfExists`, no
/// `ForAllValues`, and not any value.
pub(super) fn demands(condition: &DraftCondition) -> bool {
    let operator = condition.operator;
    let any = |value: &String| value.chars().all(|c| c == '*') || value.ends_with("/0");
    operator.test != Test::Null
        && !operator.negated
        && !operator.if_exists
        && operator.set != Set::All
        && !condition.values.iter().any(any)
}

/// Whether some condition demands one of these keys; a key that ends in `/` stands for all that begin with it.
pub(super) fn demands_one_of(statement: &DraftStatement, keys: &[&str]) -> bool {
    let about = |condition: &DraftCondition| {
        let key = lower(&condition.key);
        keys.iter()
            .any(|wanted| if wanted.ends_with('/') { key.starts_with(&lower(wanted)) } else { key == lower(wanted) })
    };
    statement.conditions.iter().any(|condition| about(condition) && demands(condition))
}

/// A `Sid` that no other statement has, made from another one.
pub(super) fn sid_beside(sid: Option<&String>, word: &str) -> Option<String> {
    sid.map(|sid| format!("{sid}{word}"))
}
