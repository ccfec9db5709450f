use crate::condition::arn_patterns;
use crate::context::Context;
use crate::pattern::{Pattern, Syntax};

/// `Action` or `NotAction`: which actions a statement speaks of.
#[derive(Debug, Clone, PartialEq)]
pub struct Actions {
    except: bool,
    patterns: Vec<(Box<str>, Pattern)>,
}

impl Actions {
    pub(crate) fn compile(except: bool, texts: Vec<String>) -> Result<Self, String> {
        let compile = |text: String| {
            let vendor_and_name = |(vendor, name): (&str, &str)| {
                !vendor.is_empty()
                    && vendor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                    && !name.is_empty()
                    && !name.contains(':')
            };
            if text != "*" && !text.split_once(':').is_some_and(vendor_and_name) {
                return Err(format!("action {text:?} is not \"*\" and not of the form service:Name"));
            }
            // Actions ignore case; the request's action is lower-cased once.
            let lower = text.to_ascii_lowercase();
            let pattern = Pattern::compile(&lower, Syntax { wildcards: true, variables: false })?;
            Ok((text.into_boxed_str(), pattern))
        };
        Ok(Self { except, patterns: texts.into_iter().map(compile).collect::<Result<_, _>>()? })
    }

    /// Whether it is `NotAction`: all but the listed.
    pub fn is_except(&self) -> bool {
        self.except
    }

    /// The patterns, as written.
    pub fn patterns(&self) -> impl ExactSizeIterator<Item = &str> {
        self.patterns.iter().map(|(text, _)| &**text)
    }

    /// `action` in lower case.
    pub(crate) fn covers(&self, action: &str, context: &Context) -> bool {
        self.except != self.patterns.iter().any(|(_, pattern)| pattern.matches(action, context) == Some(true))
    }
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
    Arn(Box<[Pattern; 6]>),
}

impl Resources {
    pub(crate) fn compile(except: bool, texts: Vec<String>, variables: bool) -> Result<Self, String> {
        let compile = |text: String| {
            if text == "*" {
                return Ok((text.into_boxed_str(), ResourcePattern::All));
            }
            let Some(patterns) = arn_patterns(&text, variables)? else {
                return Err(format!("resource {text:?} is neither \"*\" nor an ARN of six parts"));
            };
            if patterns[2].has_wildcards() {
                return Err(format!("resource {text:?} has a wildcard in its service"));
            }
            Ok((text.into_boxed_str(), ResourcePattern::Arn(Box::new(patterns))))
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

    pub(crate) fn covers(&self, resource: &str, context: &Context) -> bool {
        let mut unresolved = false;
        let mut matches = |pattern: &ResourcePattern| match pattern {
            ResourcePattern::All => true,
            ResourcePattern::Arn(patterns) => {
                let mut parts = resource.splitn(6, ':');
                patterns.iter().all(|pattern| {
                    let matched = parts.next().map_or(Some(false), |part| pattern.matches(part, context));
                    unresolved |= matched.is_none();
                    matched == Some(true)
                })
            }
        };
        let listed = self.patterns.iter().any(|(_, pattern)| matches(pattern));
        // AWS: a resource whose variable has no value matches nothing, under NotResource too.
        if self.except { !listed && !unresolved } else { listed }
    }
}
