use std::fmt;
use std::str::FromStr;

/// A condition operator, as in `ForAnyValue:StringNotEqualsIfExists`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Operator {
    /// How a key with several values is looked at.
    pub(crate) set: Set,
    /// The comparison, without its negation.
    pub(crate) test: Test,
    /// Whether it holds where the comparison does not (`Not..`).
    pub(crate) negated: bool,
    /// Whether it holds where the key is missing (`..IfExists`).
    pub(crate) if_exists: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Set {
    /// No prefix: the key must have one value.
    Single,
    /// `ForAllValues:`.
    All,
    /// `ForAnyValue:`.
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Test {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    Numeric(Order),
    Date(Order),
    Bool,
    Binary,
    IpAddress,
    /// `ArnEquals` and `ArnLike` are the same test to AWS.
    ArnEquals,
    ArnLike,
    Null,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Order {
    Equals,
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

/// Every operator of AWS's reference, without prefix and suffix: name, test, negated.
const OPERATORS: [(&str, Test, bool); 27] = [
    ("StringEquals", Test::StringEquals, false),
    ("StringNotEquals", Test::StringEquals, true),
    ("StringEqualsIgnoreCase", Test::StringEqualsIgnoreCase, false),
    ("StringNotEqualsIgnoreCase", Test::StringEqualsIgnoreCase, true),
    ("StringLike", Test::StringLike, false),
    ("StringNotLike", Test::StringLike, true),
    ("NumericEquals", Test::Numeric(Order::Equals), false),
    ("NumericNotEquals", Test::Numeric(Order::Equals), true),
    ("NumericLessThan", Test::Numeric(Order::LessThan), false),
    ("NumericLessThanEquals", Test::Numeric(Order::LessThanEquals), false),
    ("NumericGreaterThan", Test::Numeric(Order::GreaterThan), false),
    ("NumericGreaterThanEquals", Test::Numeric(Order::GreaterThanEquals), false),
    ("DateEquals", Test::Date(Order::Equals), false),
    ("DateNotEquals", Test::Date(Order::Equals), true),
    ("DateLessThan", Test::Date(Order::LessThan), false),
    ("DateLessThanEquals", Test::Date(Order::LessThanEquals), false),
    ("DateGreaterThan", Test::Date(Order::GreaterThan), false),
    ("DateGreaterThanEquals", Test::Date(Order::GreaterThanEquals), false),
    ("Bool", Test::Bool, false),
    ("BinaryEquals", Test::Binary, false),
    ("IpAddress", Test::IpAddress, false),
    ("NotIpAddress", Test::IpAddress, true),
    ("ArnEquals", Test::ArnEquals, false),
    ("ArnNotEquals", Test::ArnEquals, true),
    ("ArnLike", Test::ArnLike, false),
    ("ArnNotLike", Test::ArnLike, true),
    ("Null", Test::Null, false),
];

impl FromStr for Operator {
    type Err = String;

    fn from_str(written: &str) -> Result<Self, String> {
        let unknown = || format!("operator {written:?} is unknown");
        let (set, name) = match written.split_once(':') {
            None => (Set::Single, written),
            Some(("ForAllValues", name)) => (Set::All, name),
            Some(("ForAnyValue", name)) => (Set::Any, name),
            Some(_) => return Err(unknown()),
        };
        let (name, if_exists) = name.strip_suffix("IfExists").map_or((name, false), |name| (name, true));
        let &(_, test, negated) = OPERATORS.iter().find(|(known, ..)| *known == name).ok_or_else(unknown)?;
        if test == Test::Null && (if_exists || set != Set::Single) {
            return Err(format!("operator {written:?} is unknown: Null takes neither prefix nor IfExists"));
        }
        Ok(Self { set, test, negated, if_exists })
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.set {
            Set::Single => "",
            Set::All => "ForAllValues:",
            Set::Any => "ForAnyValue:",
        })?;
        let (name, ..) = OPERATORS
            .iter()
            .find(|(_, test, negated)| (*test, *negated) == (self.test, self.negated))
            .expect("operators are made from the table");
        f.write_str(name)?;
        f.write_str(if self.if_exists { "IfExists" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::{OPERATORS, Operator};

    #[test]
    fn every_operator_prints_as_it_was_written() {
        for (name, ..) in OPERATORS {
            for text in [name.to_owned(), format!("ForAnyValue:{name}IfExists"), format!("ForAllValues:{name}")] {
                match text.parse::<Operator>() {
                    Ok(operator) => assert_eq!(operator.to_string(), text),
                    Err(reason) => assert!(name == "Null" && text != name, "{reason}"),
                }
            }
        }
    }

    #[test]
    fn an_unknown_operator_is_refused() {
        for text in ["", "StringEqual", "stringEquals", "ForSomeValues:StringEquals", "NullIfExists", "IfExists"] {
            assert!(text.parse::<Operator>().is_err(), "{text}");
        }
    }
}
