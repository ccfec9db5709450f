use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::arn_pattern::{ArnParts, ArnPattern};
use crate::context::{Context, Values};
use crate::date;
use crate::network::Network;
use crate::operator::{Operator, Order, Set, Test};
use crate::pattern::{Pattern, Syntax};

/// One line of a `Condition` block: an operator, a key, and the values any of which will do.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    operator: Operator,
    key: Box<str>,
    values: Vec<Box<str>>,
    wanted: Vec<Wanted>,
}

/// A value, read as its operator reads it.
#[derive(Debug, Clone, PartialEq)]
enum Wanted {
    Text(Pattern),
    Number(f64),
    /// Nanoseconds since 1970.
    Date(i128),
    Bool(bool),
    Bytes(Vec<u8>),
    Network(Network),
    Arn(Box<ArnPattern>),
}

impl Condition {
    pub(crate) fn compile(
        operator: Operator,
        key: String,
        values: Vec<String>,
        variables: bool,
    ) -> Result<Self, String> {
        if !key.split_once(':').is_some_and(|(service, name)| !service.is_empty() && !name.is_empty()) {
            return Err(format!("condition key {key:?} is not of the form service:name"));
        }
        let read = |value: &String| {
            Wanted::read(operator.test, value, variables).map_err(|reason| format!("{operator} on {key}: {reason}"))
        };
        let wanted = values.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self { operator, wanted, key: key.into(), values: values.into_iter().map(Into::into).collect() })
    }

    /// The operator.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// The condition key, as written.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The values, as written.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &str> {
        self.values.iter().map(|value| &**value)
    }

    pub(crate) fn holds(&self, context: &Context) -> bool {
        let actual = context.get(&self.key);
        let Operator { set, test, negated, if_exists } = self.operator;
        if test == Test::Null {
            return self.wanted.contains(&Wanted::Bool(actual.is_none_or(Values::is_null)));
        }
        let one = |value: &str| self.one(value, context);
        match (set, actual) {
            (_, None) if if_exists => true,
            (Set::Single, None) => negated,
            (Set::Single, Some(Values::One(value))) => one(value),
            // AWS: a key with several values matches no operator that asks for one.
            (Set::Single, Some(Values::Many(_))) | (Set::Any, None) => false,
            (Set::All, None) => true,
            (Set::All, Some(values)) => values.is_null() || values.all(one),
            (Set::Any, Some(values)) => !values.is_null() && values.any(one),
        }
    }

    /// Whether one value of the request satisfies the operator. One that is not of the operator's type satisfies neither
    /// it nor its negation.
    fn one(&self, value: &str, context: &Context) -> bool {
        let Operator { test, negated, .. } = self.operator;
        Actual::read(test, value)
            .is_some_and(|actual| negated != self.wanted.iter().any(|wanted| wanted.is_met(test, &actual, context)))
    }
}

/// A value of the request, read as the operator reads it, once for all values of the policy.
enum Actual<'a> {
    Text(&'a str),
    Number(f64),
    Date(i128),
    Bool(bool),
    Bytes(Vec<u8>),
    Address(IpAddr),
    /// What is no ARN is unlike every ARN.
    Arn(Option<ArnParts<'a>>),
}

impl<'a> Actual<'a> {
    fn read(test: Test, value: &'a str) -> Option<Self> {
        match test {
            Test::StringEquals | Test::StringEqualsIgnoreCase | Test::StringLike => Some(Self::Text(value)),
            Test::Numeric(_) => number(value).map(Self::Number),
            Test::Date(_) => date::read(value).map(Self::Date),
            Test::Bool | Test::Null => boolean(value).map(Self::Bool),
            Test::Binary => STANDARD.decode(value).ok().map(Self::Bytes),
            Test::IpAddress => value.parse().ok().map(Self::Address),
            Test::ArnEquals | Test::ArnLike => Some(Self::Arn(ArnParts::cut(value))),
        }
    }
}

impl Wanted {
    fn read(test: Test, value: &str, variables: bool) -> Result<Self, String> {
        let no = |what| format!("{value:?} is not {what}");
        Ok(match test {
            // `*` is a character here, except that `${*}` may still be written.
            Test::StringEquals | Test::StringEqualsIgnoreCase => {
                Self::Text(Pattern::compile(value, Syntax { wildcards: false, variables })?)
            }
            Test::StringLike => Self::Text(Pattern::compile(value, Syntax { wildcards: true, variables })?),
            Test::Numeric(_) => Self::Number(number(value).ok_or_else(|| no("a number"))?),
            Test::Date(_) => Self::Date(date::read(value).ok_or_else(|| no("a date"))?),
            Test::Bool | Test::Null => Self::Bool(boolean(value).ok_or_else(|| no("true or false"))?),
            Test::Binary => Self::Bytes(STANDARD.decode(value).map_err(|_| no("base64"))?),
            Test::IpAddress => Self::Network(Network::read(value).ok_or_else(|| no("an address or CIDR block"))?),
            Test::ArnEquals | Test::ArnLike => {
                let pattern = ArnPattern::read(value, variables, false)?;
                Self::Arn(Box::new(pattern.ok_or_else(|| no("an ARN of six parts"))?))
            }
        })
    }

    /// Whether the request's value is as this one says. It is not where a variable has no value.
    fn is_met(&self, test: Test, actual: &Actual<'_>, context: &Context) -> bool {
        match (self, actual) {
            (Self::Text(pattern), Actual::Text(value)) if test == Test::StringEqualsIgnoreCase => {
                match pattern.literal() {
                    Some(wanted) => is_same_ignoring_case(wanted, value),
                    None => pattern.text(context).is_some_and(|wanted| is_same_ignoring_case(&wanted, value)),
                }
            }
            (Self::Text(pattern), Actual::Text(value)) => pattern.matches(value, context) == Some(true),
            (Self::Number(wanted), Actual::Number(value)) => test.orders(value, wanted),
            (Self::Date(wanted), Actual::Date(value)) => test.orders(value, wanted),
            (Self::Bool(wanted), Actual::Bool(value)) => value == wanted,
            (Self::Bytes(wanted), Actual::Bytes(value)) => value == wanted,
            (Self::Network(network), Actual::Address(value)) => network.contains(*value),
            (Self::Arn(pattern), Actual::Arn(Some(arn))) => pattern.matches(arn, context) == Some(true),
            // Both are read by the same operator, so that no other pair can be.
            (
                Self::Text(_)
                | Self::Number(_)
                | Self::Date(_)
                | Self::Bool(_)
                | Self::Bytes(_)
                | Self::Network(_)
                | Self::Arn(_),
                _,
            ) => false,
        }
    }
}

impl Test {
    fn orders<T: PartialOrd>(self, actual: &T, wanted: &T) -> bool {
        match self {
            Self::Numeric(order) | Self::Date(order) => match order {
                Order::Equals => actual == wanted,
                Order::LessThan => actual < wanted,
                Order::LessThanEquals => actual <= wanted,
                Order::GreaterThan => actual > wanted,
                Order::GreaterThanEquals => actual >= wanted,
            },
            Self::StringEquals
            | Self::StringEqualsIgnoreCase
            | Self::StringLike
            | Self::Bool
            | Self::Binary
            | Self::IpAddress
            | Self::ArnEquals
            | Self::ArnLike
            | Self::Null => false,
        }
    }
}

fn is_same_ignoring_case(a: &str, b: &str) -> bool {
    let lower = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<String>();
    if a.is_ascii() && b.is_ascii() { a.eq_ignore_ascii_case(b) } else { lower(a) == lower(b) }
}

fn number(text: &str) -> Option<f64> {
    // Rust also reads "inf" and "NaN", which are no numbers to a policy.
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    text.parse().ok().filter(|number: &f64| plain && number.is_finite())
}

fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") { Some(true) } else { text.eq_ignore_ascii_case("false").then_some(false) }
}

#[cfg(test)]
mod tests {
    use super::Condition;
    use crate::Context;

    fn holds(operator: &str, values: &[&str], actual: Option<&str>) -> bool {
        let mut context = Context::new();
        if let Some(actual) = actual {
            context.set("k:x", actual);
        }
        condition(operator, values).unwrap().holds(&context)
    }

    fn condition(operator: &str, values: &[&str]) -> Result<Condition, String> {
        let values = values.iter().map(|&v| v.to_owned()).collect();
        Condition::compile(operator.parse()?, "K:X".to_owned(), values, true)
    }

    #[test]
    fn each_operator_compares_as_aws_says() {
        for (operator, values, actual, expected) in [
            ("StringEquals", &["a", "b"][..], Some("b"), true),
            ("StringEquals", &["a*"], Some("ab"), false),
            ("StringEquals", &["A"], Some("a"), false),
            ("StringEqualsIgnoreCase", &["STRASSE É"], Some("strasse é"), true),
            ("StringNotEqualsIgnoreCase", &["A"], Some("a"), false),
            ("StringLike", &["c-*"], Some("c-7f3"), true),
            ("StringNotLike", &["c-*", "d-*"], Some("d-1"), false),
            ("NumericLessThanEquals", &["900"], Some("900.0"), true),
            ("NumericEquals", &["1"], Some("one"), false),
            ("NumericNotEquals", &["1"], Some("one"), false),
            ("DateGreaterThan", &["2026-01-01"], Some("2026-01-01T00:00:01Z"), true),
            ("DateLessThan", &["1767225601"], Some("2026-01-01T00:00:00Z"), true),
            ("DateEquals", &["2026"], Some("2026-01-01T01:00:00+01:00"), true),
            ("Bool", &["TRUE"], Some("true"), true),
            ("Bool", &["false"], Some("true"), false),
            ("BinaryEquals", &["AQI="], Some("AQI="), true),
            ("IpAddress", &["10.0.0.0/8"], Some("10.200.3.4"), true),
            ("IpAddress", &["0.0.0.0/0"], Some("1.2.3.4"), true),
            ("IpAddress", &["0.0.0.0/0"], Some("::1"), false),
            ("NotIpAddress", &["0.0.0.0/0"], Some("::1"), true),
            ("IpAddress", &["2001:db8::/32"], Some("2001:db8:ffff::1"), true),
            ("IpAddress", &["::/0"], Some("2001:db8::1"), true),
            ("IpAddress", &["10.0.0.1"], Some("10.0.0.2"), false),
            ("IpAddress", &["10.0.0.9/24"], Some("10.0.0.2"), true),
            ("IpAddress", &["2001:db8::1"], Some("2001:DB8:0::1"), true),
            ("NotIpAddress", &["10.0.0.0/8"], Some("not an address"), false),
            ("ArnLike", &["arn:aws:iam::*:role/a*"], Some("arn:aws:iam::111122223333:role/a/b"), true),
            ("ArnEquals", &["arn:aws:iam::*:role"], Some("arn:aws:iam::1:2:role"), false),
            ("ArnLike", &["arn:aws:s3:::*"], Some("no arn"), false),
            ("ArnNotLike", &["arn:aws:s3:::*"], Some("no arn"), true),
            ("Null", &["true"], None, true),
            ("Null", &["true"], Some("a"), false),
            ("Null", &["false"], Some("a"), true),
            // AWS: an empty string is a null data set to Null and to the set operators, and to these alone.
            ("Null", &["true"], Some(""), true),
            ("ForAllValues:StringEquals", &["a"], Some(""), true),
            ("ForAnyValue:StringEquals", &[""], Some(""), false),
            ("ForAnyValue:StringNotEquals", &["a"], Some(""), false),
            ("StringEquals", &["", "home/"], Some(""), true),
            ("StringEqualsIfExists", &["a"], Some(""), false),
        ] {
            assert_eq!(holds(operator, values, actual), expected, "{operator} {values:?} on {actual:?}");
        }
    }

    #[test]
    fn a_missing_key_fails_what_is_positive_and_satisfies_what_is_negated() {
        for (operator, expected) in [
            ("StringEquals", false),
            ("StringLike", false),
            ("StringNotEquals", true),
            ("StringNotLike", true),
            ("StringEqualsIfExists", true),
            ("StringNotEqualsIfExists", true),
            ("ForAllValues:StringEquals", true),
            ("ForAnyValue:StringEquals", false),
            ("ForAnyValue:StringNotEquals", false),
        ] {
            assert_eq!(holds(operator, &["a"], None), expected, "{operator}");
        }
    }

    #[test]
    fn several_values_ask_for_a_set_operator() {
        let mut context = Context::new();
        context.set_many("k:x", ["a", "b"]);
        for (operator, values, expected) in [
            ("StringEquals", &["a"][..], false),
            ("StringNotEquals", &["z"], false),
            ("ForAnyValue:StringEquals", &["b"], true),
            ("ForAllValues:StringEquals", &["a"], false),
            ("ForAllValues:StringLike", &["a", "?"], true),
            ("ForAnyValue:StringNotEquals", &["a"], true),
            ("ForAllValues:StringNotEquals", &["a"], false),
        ] {
            assert_eq!(condition(operator, values).unwrap().holds(&context), expected, "{operator} {values:?}");
        }
    }

    #[test]
    fn a_value_that_its_operator_cannot_read_is_refused() {
        for (operator, value) in [
            ("NumericEquals", "ten"),
            ("NumericEquals", "NaN"),
            ("DateEquals", "tomorrow"),
            ("Bool", "yes"),
            ("Null", "maybe"),
            ("BinaryEquals", "%"),
            ("IpAddress", "10.0.0.0/33"),
            ("ArnLike", "arn:aws:s3"),
            ("ArnLike", "arn:aws:s3::${aws:x}:y"),
        ] {
            assert!(condition(operator, &[value]).is_err(), "{operator} {value}");
        }
    }

    #[test]
    fn an_unset_variable_fails_the_operator_and_satisfies_its_negation() {
        assert!(!holds("StringEquals", &["${aws:username}"], Some("ana")));
        assert!(holds("StringNotEquals", &["${aws:username}"], Some("ana")));
    }
}
