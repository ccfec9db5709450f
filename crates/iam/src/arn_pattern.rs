use crate::context::Context;
use crate::pattern::{Pattern, Syntax};

/// An ARN with wildcards, matched part by part: a `*` does not reach over a colon, except in the resource part.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ArnPattern([Pattern; 6]);

impl ArnPattern {
    /// `None` if it has not six parts. With `short`, fewer will do where the text ends in `*`, which then stands for all
    /// that follows: AWS lets a `*` at the end of a part reach beyond its colon.
    pub(crate) fn read(text: &str, variables: bool, short: bool) -> Result<Option<Self>, String> {
        let mut parts: Vec<&str> = text.splitn(6, ':').collect();
        if short && text.ends_with('*') {
            parts.resize(6, "*");
        }
        let Ok(parts) = <[&str; 6]>::try_from(parts) else { return Ok(None) };
        if parts[0] != "arn" {
            return Ok(None);
        }
        if parts[..5].iter().any(|part| variables && part.contains("${")) {
            return Err(format!("{text:?} has a variable before the fifth colon"));
        }
        let compile = |part: &str| Pattern::compile(part, Syntax { wildcards: true, variables });
        let compiled = parts.into_iter().map(compile).collect::<Result<Vec<_>, _>>()?;
        Ok(compiled.try_into().ok().map(Self))
    }

    /// Whether an ARN matches; `None` if a variable has no value.
    pub(crate) fn matches(&self, arn: &ArnParts<'_>, context: &Context) -> Option<bool> {
        let fixed = self.0[..5].iter().zip(arn.0).all(|(pattern, part)| pattern.matches(part, context) == Some(true));
        // Only the resource part can hold a variable. An ARN of another service does not match, whatever it is.
        if fixed { self.0[5].matches(arn.0[5], context) } else { Some(false) }
    }

    /// The partition, where it has no wildcard.
    pub(crate) fn partition(&self) -> Option<&str> {
        self.0[1].literal()
    }

    pub(crate) fn has_wildcard_service(&self) -> bool {
        self.0[2].has_wildcards()
    }
}

/// The six parts of an ARN of a request, cut once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ArnParts<'a>([&'a str; 6]);

impl<'a> ArnParts<'a> {
    /// `None` if it has fewer.
    pub(crate) fn cut(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let mut cut = [""; 6];
        for part in &mut cut {
            *part = parts.next()?;
        }
        Some(Self(cut))
    }

    pub(crate) fn service(&self) -> &'a str {
        self.0[2]
    }

    pub(crate) fn account(&self) -> &'a str {
        self.0[4]
    }

    pub(crate) fn resource(&self) -> &'a str {
        self.0[5]
    }
}
