use crate::arn::Partition;
use crate::arn_pattern::{ArnParts, ArnPattern};
use crate::context::Context;

/// `Action` or `NotAction`: which actions a statement speaks of.
#[derive(Debug, Clone, PartialEq)]
pub struct Actions {
    except: bool,
    patterns: Vec<Box<str>>,
}

impl Actions {
    pub(crate) fn compile(except: bool, texts: Vec<String>) -> Result<Self, String> {
        let compile = |text: String| {
            // AWS saves names that can match no action: empty ones, and such with spaces or commas.
            let vendor_and_name = |(vendor, name): (&str, &str)| {
                !vendor.is_empty()
                    && vendor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                    && !name.contains(':')
            };
            if text != "*" && !text.trim().split_once(':').is_some_and(vendor_and_name) {
                return Err(format!("action {text:?} is not \"*\" and not of the form service:Name"));
            }
            Ok(text.into_boxed_str())
        };
        Ok(Self { except, patterns: texts.into_iter().map(compile).collect::<Result<_, _>>()? })
    }

    /// Whether it is `NotAction`: all but the listed.
    pub fn is_except(&self) -> bool {
        self.except
    }

    /// The patterns, as written.
    pub fn patterns(&self) -> impl ExactSizeIterator<Item = &str> {
        self.patterns.iter().map(|text| &**text)
    }

    pub(crate) fn covers(&self, action: &str) -> bool {
        self.except != self.patterns.iter().any(|pattern| covers_action(pattern.as_bytes(), action.as_bytes()))
    }
}

/// Actions ignore case in service and name. At worst quadratic: the last `*` alone is ever tried again.
fn covers_action(pattern: &[u8], action: &[u8]) -> bool {
    let (mut p, mut a) = (0, 0);
    let mut last_run = None;
    while a < action.len() {
        match pattern.get(p) {
            Some(b'*') => {
                p += 1;
                last_run = Some((p, a));
                continue;
            }
            Some(b'?') => {}
            Some(b) if b.eq_ignore_ascii_case(&action[a]) => {}
            Some(_) | None => {
                let Some((after, from)) = last_run else { return false };
                (p, a) = (after, from + 1);
                last_run = Some((after, from + 1));
                continue;
            }
        }
        p += 1;
        a += 1;
    }
    pattern[p..].iter().all(|&b| b == b'*')
}

/// `Resource` or `NotResource`: which resources a statement speaks of.
#[derive(Debug, Clone, PartialEq)]
pub struct Resources {
    except: bool,
    patterns: Vec<(Box<str>, ResourcePattern)>,
}

#[derive(Debug, Clone, PartialEq)]
enum ResourcePattern {
    /// `*`.
    All,
    Arn(Box<ArnPattern>),
}

impl Resources {
    pub(crate) fn compile(except: bool, texts: Vec<String>, variables: bool) -> Result<Self, String> {
        let compile = |text: String| {
            if text == "*" {
                return Ok((text.into_boxed_str(), ResourcePattern::All));
            }
            let Some(pattern) = ArnPattern::read(&text, variables, true)? else {
                return Err(format!("resource {text:?} is neither \"*\" nor an ARN of six parts"));
            };
            if pattern.has_wildcard_service() {
                return Err(format!("resource {text:?} has a wildcard in its service"));
            }
            if pattern.partition().is_some_and(|name| !Partition::ALL.iter().any(|p| p.name() == name)) {
                return Err(format!("resource {text:?} is of a partition that is unknown"));
            }
            Ok((text.into_boxed_str(), ResourcePattern::Arn(Box::new(pattern))))
        };
        Ok(Self { except, patterns: texts.into_iter().map(compile).collect::<Result<_, _>>()? })
    }

    /// Whether it is `NotResource`: all but the listed.
    pub fn is_except(&self) -> bool {
        self.except
    }

    /// The patterns, as written.
    pub fn patterns(&self) -> impl ExactSizeIterator<Item = &str> {
        self.patterns.iter().map(|(text, _)| &**text)
    }

    /// `resource` is `None` where the request's is no ARN: then `*` alone covers it.
    pub(crate) fn covers(&self, resource: Option<&ArnParts<'_>>, context: &Context) -> bool {
        let mut unresolved = false;
        let mut matches = |pattern: &ResourcePattern| match (pattern, resource) {
            (ResourcePattern::All, _) => true,
            (ResourcePattern::Arn(_), None) => false,
            (ResourcePattern::Arn(pattern), Some(arn)) => {
                let matched = pattern.matches(arn, context);
                unresolved |= matched.is_none();
                matched == Some(true)
            }
        };
        let listed = self.patterns.iter().any(|(_, pattern)| matches(pattern));
        // AWS: a resource whose variable has no value matches nothing, under NotResource too.
        if self.except { !listed && !unresolved } else { listed }
    }
}

#[cfg(test)]
mod tests {
    use super::covers_action;

    #[test]
    fn actions_match_without_regard_to_case() {
        for (pattern, action, expected) in [
            ("*", "s3:GetObject", true),
            ("S3:getobject", "s3:GetObject", true),
            ("s3:Get*", "s3:GetObject", true),
            ("s3:*Object", "s3:GetObject", true),
            ("s3:*O*t", "s3:GetObject", true),
            ("s3:?etObject", "s3:GetObject", true),
            ("s3:GetObject?", "s3:GetObject", false),
            ("s3:Get", "s3:GetObject", false),
            ("s3:GetObject*", "s3:GetObject", true),
            ("s3:", "s3:GetObject", false),
            ("s3:Get Object", "s3:GetObject", false),
            ("s3:GetObject ", "s3:GetObject", false),
            ("s3:GetObject,PutObject", "s3:GetObject", false),
        ] {
            assert_eq!(covers_action(pattern.as_bytes(), action.as_bytes()), expected, "{pattern}");
        }
    }
}
