//! The grammar of a policy as JSON, before any text in it is read. The visitors stream, so that serde_json knows the
//! place of whatever is wrong; deriving an untagged enum for "string or list" would lose it.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::Operator;
use crate::document::{Effect, Version};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(crate) struct RawDocument {
    #[serde(default, deserialize_with = "present")]
    pub(crate) version: Option<Version>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) id: Option<String>,
    pub(crate) statement: OneOrMany<Object<RawStatement>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(crate) struct RawStatement {
    #[serde(default, deserialize_with = "present")]
    pub(crate) sid: Option<String>,
    pub(crate) effect: Effect,
    #[serde(default, deserialize_with = "present")]
    pub(crate) principal: Option<RawPrincipals>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) not_principal: Option<RawPrincipals>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) action: Option<OneOrMany<Text>>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) not_action: Option<OneOrMany<Text>>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) resource: Option<OneOrMany<Text>>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) not_resource: Option<OneOrMany<Text>>,
    #[serde(default)]
    pub(crate) condition: RawConditions,
}

/// An object, and nothing that could be taken for one: what serde derives reads a list as the fields in their order, and
/// AWS knows no such policies.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Read<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_any(Read(PhantomData))
    }
}

/// The most keys that are read in one object whose names are compared with each other: more than a document of AWS's
/// largest size can hold.
pub(crate) const MAX_KEYS: usize = 4096;

/// An element may be missing, but `null` is not how it is missing.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A string, and nothing that could be taken for one.
#[derive(Debug)]
pub(crate) struct Text(pub(crate) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// The value of a condition: a string, or a number or boolean, which AWS reads as their text.
#[derive(Debug)]
pub(crate) struct Scalar(pub(crate) String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, number or boolean")
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Scalar, E> {
                Ok(Scalar(value.to_owned()))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// One thing, or a list of them.
#[derive(Debug)]
pub(crate) struct OneOrMany<T>(pub(crate) Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Read<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one value or a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<OneOrMany<T>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(OneOrMany(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OneOrMany<T>, A::Error> {
                T::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(|item| OneOrMany(vec![item]))
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<OneOrMany<T>, E> {
                one(serde::de::IntoDeserializer::into_deserializer(value))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<OneOrMany<T>, E> {
                one(serde::de::IntoDeserializer::into_deserializer(value))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<OneOrMany<T>, E> {
                one(serde::de::IntoDeserializer::into_deserializer(value))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<OneOrMany<T>, E> {
                one(serde::de::IntoDeserializer::into_deserializer(value))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<OneOrMany<T>, E> {
                one(serde::de::IntoDeserializer::into_deserializer(value))
            }
        }
        fn one<'de, T: Deserialize<'de>, D: Deserializer<'de>>(value: D) -> Result<OneOrMany<T>, D::Error> {
            T::deserialize(value).map(|item| OneOrMany(vec![item]))
        }
        deserializer.deserialize_any(Read(PhantomData))
    }
}

/// `"*"`, or lists by kind.
#[derive(Debug)]
pub(crate) struct RawPrincipals {
    pub(crate) kinds: Vec<(String, Vec<Text>)>,
    /// Whether it is `"*"` without a kind.
    pub(crate) is_bare: bool,
}

impl<'de> Deserialize<'de> for RawPrincipals {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = RawPrincipals;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"*\" or an object of AWS, Service, Federated, CanonicalUser")
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<RawPrincipals, E> {
                if value != "*" {
                    return Err(E::custom(format_args!(
                        "principal {value:?} stands without a kind, as in {{\"AWS\": ..}}"
                    )));
                }
                Ok(RawPrincipals { kinds: vec![("AWS".to_owned(), vec![Text("*".to_owned())])], is_bare: true })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawPrincipals, A::Error> {
                let mut kinds: Vec<(String, Vec<Text>)> = Vec::new();
                while let Some(kind) = map.next_key::<String>()? {
                    if !matches!(&*kind, "AWS" | "Service" | "Federated" | "CanonicalUser") {
                        return Err(A::Error::custom(format_args!("principals of kind {kind:?} are unknown")));
                    }
                    if kinds.iter().any(|(known, _)| *known == kind) {
                        return Err(A::Error::custom(format_args!("duplicate field `{kind}`")));
                    }
                    kinds.push((kind, map.next_value::<OneOrMany<Text>>()?.0));
                }
                Ok(RawPrincipals { kinds, is_bare: false })
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// Operator, key, values: in the order in which they are written.
#[derive(Debug, Default)]
pub(crate) struct RawConditions(pub(crate) Vec<(Operator, String, Vec<Scalar>)>);

impl<'de> Deserialize<'de> for RawConditions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = RawConditions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of operators")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawConditions, A::Error> {
                let mut all: Vec<(Operator, String, Vec<Scalar>)> = Vec::new();
                let mut operators = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    let operator: Operator = name.parse().map_err(A::Error::custom)?;
                    if operators.contains(&operator) {
                        return Err(A::Error::custom(format_args!("duplicate field `{operator}`")));
                    }
                    operators.push(operator);
                    let Keys(keys) = map.next_value()?;
                    all.extend(keys.into_iter().map(|(key, values)| (operator, key, values)));
                }
                Ok(RawConditions(all))
            }
        }
        deserializer.deserialize_map(Read)
    }
}

/// The keys below one operator.
struct Keys(Vec<(String, Vec<Scalar>)>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Keys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of condition keys")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys: Vec<(String, Vec<Scalar>)> = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    if keys.iter().any(|(known, _)| known.eq_ignore_ascii_case(&key)) {
                        return Err(A::Error::custom(format_args!("duplicate field `{key}`")));
                    }
                    if keys.len() == MAX_KEYS {
                        return Err(A::Error::custom(format_args!("more than {MAX_KEYS} condition keys")));
                    }
                    keys.push((key, map.next_value::<OneOrMany<Scalar>>()?.0));
                }
                Ok(Keys(keys))
            }
        }
        deserializer.deserialize_map(Read)
    }
}
