//! What two policies differ in, by meaning: the order of statements, lists and keys, white space, a list of one, the case
//! of actions and a statement cut in two make no difference; `Sid`s only say which statements belong together.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::operator::Test;
use crate::{Document, Effect, Operator, Statement, Version};

/// What two policies differ in; empty if they mean the same.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Difference {
    /// The language, if it differs: variables are text in the older one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<(Version, Version)>,
    /// Statements that only the first has.
    pub removed: Vec<Side>,
    /// Statements that only the second has.
    pub added: Vec<Side>,
    /// Statements that both have, otherwise.
    pub changed: Vec<Changed>,
}

/// A statement of one of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// Which, from 1.
    pub statement: usize,
    /// Its `Sid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// The statement.
    pub text: String,
}

/// A statement that both have, otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// It in the first policy, from 1.
    pub before: usize,
    /// It in the second, from 1.
    pub after: usize,
    /// Its `Sid` in the second, or else in the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// What of it.
    pub elements: Vec<Element>,
}

/// What of a statement differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Element {
    /// `Principal`, `NotAction`, `Condition` ..
    pub name: String,
    /// What only the first has.
    pub removed: Vec<String>,
    /// What only the second has.
    pub added: Vec<String>,
}

impl Difference {
    /// Whether they mean the same.
    pub fn is_empty(&self) -> bool {
        self.version.is_none() && self.removed.is_empty() && self.added.is_empty() && self.changed.is_empty()
    }
}

/// What `after` differs in from `before`.
pub fn diff(before: &Document, after: &Document) -> Difference {
    let mut difference = Difference::default();
    if before.version() != after.version() && (has_variables(before) || has_variables(after)) {
        difference.version = Some((before.version(), after.version()));
    }
    let mut old: Vec<(usize, Normal)> = normal(before);
    let mut new: Vec<(usize, Normal)> = normal(after);
    take_equal(&mut old, &mut new);
    if atoms(&old) == atoms(&new) {
        return difference;
    }
    for (index, other) in pair(&mut old, &mut new) {
        let (was, is) = (&before.statements()[index], &after.statements()[other]);
        let sid = is.sid().or(was.sid()).map(str::to_owned);
        let elements = Normal::of(was).elements(&Normal::of(is));
        difference.changed.push(Changed { before: index + 1, after: other + 1, sid, elements });
    }
    difference.changed.sort_by_key(|changed| changed.before);
    difference.removed = sides(before, &old);
    difference.added = sides(after, &new);
    difference
}

/// A statement whose lists are sets.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Normal {
    effect: Effect,
    sid: Option<String>,
    /// Principals, actions, resources and conditions.
    lists: [Listed; 4],
}

/// The name of an element, and what it lists.
type Listed = (&'static str, BTreeSet<String>);

impl Normal {
    fn of(statement: &Statement) -> Self {
        let principals = statement.principals();
        let principal = match principals {
            Some(principals) if principals.is_except() => "NotPrincipal",
            _ => "Principal",
        };
        let named = principals.iter().flat_map(|principals| principals.list()).map(|principal| {
            let (kind, text) = principal.written();
            if text == "*" { "*".to_owned() } else { format!("{kind} {text}") }
        });
        let actions = statement.actions();
        let action = if actions.is_except() { "NotAction" } else { "Action" };
        let resources = statement.resources();
        let resource = if resources.is_some_and(crate::Resources::is_except) { "NotResource" } else { "Resource" };
        let on = resources.iter().flat_map(|resources| resources.patterns()).map(str::to_owned);
        let conditions = statement.conditions().iter().map(|condition| {
            let operator = condition.operator();
            let mut values: Vec<String> = condition.values().map(|value| same_value(operator, value)).collect();
            values.sort_unstable();
            values.dedup();
            format!("{} {} [{}]", same_operator(operator), condition.key().to_ascii_lowercase(), values.join(", "))
        });
        Self {
            effect: statement.effect(),
            sid: statement.sid().map(str::to_owned),
            lists: [
                (principal, named.collect()),
                (action, actions.patterns().map(same_action).collect()),
                (resource, on.collect()),
                ("Condition", conditions.collect()),
            ],
        }
    }

    fn means(&self, other: &Self) -> bool {
        self.effect == other.effect && self.lists == other.lists
    }

    /// How alike two statements are: the share of what they say that both say; `None` if they are not the same one.
    fn likeness(&self, other: &Self) -> Option<usize> {
        let same_sid = self.sid.is_some() && self.sid == other.sid;
        if self.effect != other.effect || !self.lists.iter().zip(&other.lists).all(|(a, b)| a.0 == b.0) {
            return None;
        }
        let (mut both, mut all) = (0, 0);
        for ((_, a), (_, b)) in self.lists.iter().zip(&other.lists) {
            both += a.intersection(b).count();
            all += a.union(b).count();
        }
        let share = 1000 * both / all.max(1);
        if same_sid { Some(share + 1000) } else { (share >= 300).then_some(share) }
    }

    fn elements(&self, other: &Self) -> Vec<Element> {
        let changed = |(a, b): (&Listed, &Listed)| {
            let only = |x: &BTreeSet<String>, y| x.difference(y).cloned().collect::<Vec<_>>();
            let (removed, added) = (only(&a.1, &b.1), only(&b.1, &a.1));
            (!removed.is_empty() || !added.is_empty()).then(|| Element { name: b.0.to_owned(), removed, added })
        };
        self.lists.iter().zip(&other.lists).filter_map(changed).collect()
    }
}

/// Actions ignore case: a known one is written as AWS writes it, any other in lower case.
fn same_action(action: &str) -> String {
    let known = crate::reference::actions().map(|known| format!("{}:{}", known.service, known.name));
    known.into_iter().find(|known| known.eq_ignore_ascii_case(action)).unwrap_or_else(|| action.to_ascii_lowercase())
}

/// `ArnEquals` and `ArnLike` are one test.
fn same_operator(operator: Operator) -> Operator {
    if operator.test == Test::ArnEquals { Operator { test: Test::ArnLike, ..operator } } else { operator }
}

fn same_value(operator: Operator, value: &str) -> String {
    if matches!(operator.test, Test::Bool | Test::Null) { value.to_ascii_lowercase() } else { value.to_owned() }
}

fn has_variables(document: &Document) -> bool {
    let of = |statement: &Statement| {
        let resources = statement.resources().into_iter().flat_map(crate::Resources::patterns);
        let values = statement.conditions().iter().flat_map(crate::Condition::values);
        resources.chain(values).any(|text| text.contains("${"))
    };
    document.statements().iter().any(of)
}

fn normal(document: &Document) -> Vec<(usize, Normal)> {
    document.statements().iter().map(Normal::of).enumerate().collect()
}

fn take_equal(old: &mut Vec<(usize, Normal)>, new: &mut Vec<(usize, Normal)>) {
    // A statement said twice says no more than once.
    let of_both = |one: &Normal, others: &[(usize, Normal)]| others.iter().any(|(_, other)| one.means(other));
    let (all_old, all_new) = (old.clone(), new.clone());
    old.retain(|(_, one)| !of_both(one, &all_new));
    new.retain(|(_, one)| !of_both(one, &all_old));
}

/// Every combination of one principal, one action and one resource under the same conditions: statements that are cut or
/// joined otherwise have the same.
fn atoms(statements: &[(usize, Normal)]) -> BTreeSet<Vec<String>> {
    let mut atoms = BTreeSet::new();
    for (_, Normal { effect, lists: [principals, actions, resources, conditions], .. }) in statements {
        // A complement is one thing; its parts are not.
        let parts = |(name, list): &(&str, BTreeSet<String>)| -> Vec<String> {
            if name.starts_with("Not") || list.is_empty() {
                vec![format!("{name} {list:?}")]
            } else {
                list.iter().cloned().collect()
            }
        };
        for principal in parts(principals) {
            for action in parts(actions) {
                for resource in parts(resources) {
                    let condition = format!("{:?}", conditions.1);
                    atoms.insert(vec![format!("{effect:?}"), principal.clone(), action.clone(), resource, condition]);
                }
            }
        }
    }
    atoms
}

/// The pairs of statements that are one and the same, the most alike first; they are taken out of the lists.
fn pair(old: &mut Vec<(usize, Normal)>, new: &mut Vec<(usize, Normal)>) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    loop {
        let mut best: Option<(usize, usize, usize)> = None;
        for (i, (_, a)) in old.iter().enumerate() {
            for (j, (_, b)) in new.iter().enumerate() {
                if let Some(likeness) = a.likeness(b)
                    && best.is_none_or(|(most, ..)| likeness > most)
                {
                    best = Some((likeness, i, j));
                }
            }
        }
        let Some((_, i, j)) = best else { return pairs };
        pairs.push((old.remove(i).0, new.remove(j).0));
    }
}

fn sides(document: &Document, left: &[(usize, Normal)]) -> Vec<Side> {
    let side = |(index, _): &(usize, Normal)| {
        let statement = &document.statements()[*index];
        let text = serde_json::to_string(statement).expect("a statement is JSON");
        Side { statement: index + 1, sid: statement.sid().map(str::to_owned), text }
    };
    left.iter().map(side).collect()
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |sid: &Option<String>| sid.as_ref().map(|sid| format!(" ({sid})")).unwrap_or_default();
        if let Some((from, to)) = self.version {
            let year = |version| if version == Version::V2012 { "2012-10-17" } else { "2008-10-17" };
            writeln!(f, "~ Version: {} -> {}", year(from), year(to))?;
        }
        for changed in &self.changed {
            let moved =
                if changed.before == changed.after { String::new() } else { format!(", now {}", changed.after) };
            writeln!(f, "~ statement {}{moved}{}", changed.before, name(&changed.sid))?;
            for element in &changed.elements {
                for text in &element.removed {
                    writeln!(f, "    - {} {text}", element.name)?;
                }
                for text in &element.added {
                    writeln!(f, "    + {} {text}", element.name)?;
                }
            }
        }
        for side in &self.removed {
            writeln!(f, "- statement {}{}: {}", side.statement, name(&side.sid), side.text)?;
        }
        for side in &self.added {
            writeln!(f, "+ statement {}{}: {}", side.statement, name(&side.sid), side.text)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(statements: &str) -> Document {
        Document::parse(&format!(r#"{{"Version":"2012-10-17","Statement":{statements}}}"#)).unwrap()
    }

    #[test]
    fn what_means_the_same_is_no_difference() {
        let one = r#"{"Sid":"A","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":["s3:GetObject","s3:PutObject"],
            "Resource":["arn:aws:s3:::b/*"],"Condition":{"ArnEquals":{"aws:SourceArn":"arn:aws:s3:::x"},"Bool":{"aws:SecureTransport":true}}}"#;
        let same = r#"[{"Condition":{"Bool":{"AWS:securetransport":"TRUE"},"ArnLike":{"aws:SourceArn":["arn:aws:s3:::x"]}},"Resource":"arn:aws:s3:::b/*",
            "Action":["S3:putobject","s3:GetObject","s3:GetObject"],"Principal":{"AWS":["111111111111"]},"Effect":"Allow"}]"#;
        assert!(diff(&read(one), &read(same)).is_empty());
        let cut = r#"[{"Effect":"Allow","Action":"s3:GetObject","Resource":["arn:aws:s3:::b/*","arn:aws:s3:::c/*"]},
            {"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"},{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::c/*"}]"#;
        let whole = r#"{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":["arn:aws:s3:::c/*","arn:aws:s3:::b/*"]}"#;
        assert!(diff(&read(cut), &read(whole)).is_empty());
    }

    #[test]
    fn what_differs_is_told_by_statement_and_element() {
        let before = r#"[{"Sid":"A","Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::b/*"},
            {"Effect":"Deny","Action":"s3:DeleteObject","Resource":"*"}]"#;
        let after = r#"[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"},
            {"Sid":"A","Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":"arn:aws:s3:::b/*",
             "Condition":{"StringEquals":{"s3:prefix":["x","a"]}}}]"#;
        let expected = "~ statement 1, now 2 (A)
    - Action s3:PutObject
    + Action s3:ListBucket
    + Condition StringEquals s3:prefix [a, x]
- statement 2: {\"Effect\":\"Deny\",\"Action\":\"s3:DeleteObject\",\"Resource\":\"*\"}
+ statement 1: {\"Effect\":\"Allow\",\"Action\":\"sts:AssumeRole\",\"Resource\":\"*\"}
";
        assert_eq!(diff(&read(before), &read(after)).to_string(), expected);
        let allow = r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}"#;
        let deny = r#"{"Effect":"Deny","Action":"s3:GetObject","Resource":"*"}"#;
        let turned = diff(&read(allow), &read(deny));
        assert_eq!((turned.removed.len(), turned.added.len(), turned.changed.len()), (1, 1, 0));
        let not = r#"{"Effect":"Allow","NotAction":"s3:GetObject","Resource":"*"}"#;
        assert!(!diff(&read(allow), &read(not)).is_empty());
    }

    #[test]
    fn the_version_matters_where_there_are_variables() {
        let with =
            r#"{"Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:username}"}}"#;
        let old = Document::parse(with).unwrap();
        let new = read(r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:username}"}"#);
        assert_eq!(diff(&old, &new).to_string(), "~ Version: 2008-10-17 -> 2012-10-17\n");
        let plain = Document::parse(&with.replace("${aws:username}", "x")).unwrap();
        let read_plain = read(r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/x"}"#);
        assert!(diff(&plain, &read_plain).is_empty());
    }

    fn any_statements() -> impl Strategy<Value = Vec<String>> {
        let list = |of: &'static [&'static str]| {
            proptest::sample::subsequence(of, 1..=of.len()).prop_map(|list| format!("{list:?}"))
        };
        let actions = list(&["s3:GetObject", "s3:PutObject", "s3:List*"]);
        let resources = list(&["arn:aws:s3:::b", "arn:aws:s3:::b/*", "*"]);
        let effect = prop_oneof![Just("Allow"), Just("Deny")];
        let one = (effect, actions, resources).prop_map(|(effect, actions, resources)| {
            format!(r#"{{"Effect":"{effect}","Action":{actions},"Resource":{resources}}}"#)
        });
        proptest::collection::vec(one, 1..4)
    }

    proptest! {
        #[test]
        fn an_order_is_no_difference_and_a_difference_is_one_both_ways(
            (one, shuffled) in any_statements().prop_flat_map(|one| (Just(one.clone()), Just(one).prop_shuffle())),
            other in any_statements(),
        ) {
            let [one, shuffled, other] = [one, shuffled, other].map(|list| read(&format!("[{}]", list.join(","))));
            prop_assert!(diff(&one, &shuffled).is_empty());
            let (there, back) = (diff(&one, &other), diff(&other, &one));
            prop_assert_eq!(there.is_empty(), back.is_empty());
            prop_assert_eq!((there.added.len(), there.changed.len()), (back.removed.len(), back.changed.len()));
        }
    }
}
