use std::fmt;

/// A text with variables: `{{topic}}-{{partition:padding=true}}`.
///
/// The grammar is that of Aiven's `commons` templating, quirks included: blanks are allowed just inside the braces and
/// nowhere else, a variable has at most one parameter, and what does not read as a variable is text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    source: String,
    parts: Vec<TemplatePart>,
}

/// A piece of a [`Template`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplatePart {
    /// Text that stays as it is.
    Text(String),
    /// A variable.
    Variable(Variable),
}

/// A variable of a [`Template`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Name and value of its parameter.
    pub parameter: Option<(String, String)>,
    /// The variable as it was written, braces included: what a variable that nothing is bound to renders as.
    pub text: String,
}

/// Why a text is no template. The texts are upstream's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// `{{}}`, `{{:a=b}}`.
    #[error("Variable name hasn't been set for template: {template}")]
    NoName {
        /// The whole template.
        template: String,
    },
    /// `{{foo:}}`.
    #[error("Wrong variable with parameter definition")]
    NoParameter,
    /// `{{foo:=bar}}`, `{{foo=bar}}`.
    #[error("Parameter name for variable `{variable}` has not been set")]
    NoParameterName {
        /// Whose parameter.
        variable: String,
    },
    /// `{{foo:tt=}}`, `{{foo:tt}}`.
    #[error("Parameter value for variable `{variable}` and parameter `{parameter}` has not been set")]
    NoParameterValue {
        /// Whose parameter.
        variable: String,
        /// Which parameter.
        parameter: String,
    },
}

impl Template {
    /// Reads a template.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut text_from = 0;
        let mut at = 0;
        while let Some(found) = source[at..].find("{{") {
            let start = at + found;
            let Some(found) = Placeholder::at(&source[start..]) else {
                // One brace further on: "{{{topic}}" is "{" and a variable.
                at = start + 1;
                continue;
            };
            let end = start + found.len;
            push_text(&mut parts, &source[text_from..start]);
            parts.push(TemplatePart::Variable(found.variable(source, &source[start..end])?));
            (text_from, at) = (end, end);
        }
        push_text(&mut parts, &source[text_from..]);
        Ok(Self { source: source.to_owned(), parts })
    }

    /// Its pieces, in order.
    pub fn parts(&self) -> &[TemplatePart] {
        &self.parts
    }

    /// Its variables, in order, as often as they occur.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.parts.iter().filter_map(|part| match part {
            TemplatePart::Variable(variable) => Some(variable),
            TemplatePart::Text(_) => None,
        })
    }

    /// The same with the parameters of one variable left out.
    #[must_use]
    pub fn without_parameter(mut self, name: &str) -> Self {
        for part in &mut self.parts {
            if let TemplatePart::Variable(variable) = part
                && variable.name == name
            {
                variable.parameter = None;
            }
        }
        self
    }

    /// Whether a variable of this name occurs.
    pub fn has(&self, name: &str) -> bool {
        self.variables().any(|variable| variable.name == name)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

fn push_text(parts: &mut Vec<TemplatePart>, text: &str) {
    if !text.is_empty() {
        parts.push(TemplatePart::Text(text.to_owned()));
    }
}

/// `{{` blanks name `:` parameter blanks `}}`, of which only the braces must be there.
struct Placeholder<'a> {
    name: &'a str,
    colon: bool,
    parameter: &'a str,
    len: usize,
}

impl<'a> Placeholder<'a> {
    fn at(text: &'a str) -> Option<Self> {
        let mut rest = text.strip_prefix("{{")?.trim_start_matches(is_blank);
        let name = take_while(&mut rest, is_word);
        let colon = rest.strip_prefix(':');
        rest = colon.unwrap_or(rest);
        let parameter = take_while(&mut rest, |c| is_word(c) || c == '=');
        let rest = rest.trim_start_matches(is_blank).strip_prefix("}}")?;
        Some(Self { name, colon: colon.is_some(), parameter, len: text.len() - rest.len() })
    }

    fn variable(&self, template: &str, text: &str) -> Result<Variable, TemplateError> {
        let name = self.name.to_owned();
        if name.is_empty() {
            return Err(TemplateError::NoName { template: template.to_owned() });
        }
        let mut rest = self.parameter;
        if rest.is_empty() {
            return if self.colon {
                Err(TemplateError::NoParameter)
            } else {
                Ok(Variable { name, parameter: None, text: text.to_owned() })
            };
        }
        let parameter = take_while(&mut rest, is_word);
        if parameter.is_empty() {
            return Err(TemplateError::NoParameterName { variable: name });
        }
        rest = rest.strip_prefix('=').unwrap_or(rest);
        // What follows a second "=" is dropped, as upstream does.
        let value = take_while(&mut rest, is_word);
        if value.is_empty() {
            return Err(TemplateError::NoParameterValue { variable: name, parameter: parameter.to_owned() });
        }
        Ok(Variable { name, parameter: Some((parameter.to_owned(), value.to_owned())), text: text.to_owned() })
    }
}

fn take_while<'a>(rest: &mut &'a str, accept: impl Fn(char) -> bool) -> &'a str {
    let end = rest.find(|c| !accept(c)).unwrap_or(rest.len());
    let (taken, left) = rest.split_at(end);
    *rest = left;
    taken
}

/// Java's `\s`.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r')
}

/// Java's `\w`.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shape(source: &str) -> String {
        let template = Template::parse(source).unwrap();
        let parts = template.parts().iter().map(|part| match part {
            TemplatePart::Text(text) => format!("'{text}'"),
            TemplatePart::Variable(Variable { name, parameter: None, .. }) => name.clone(),
            TemplatePart::Variable(Variable { name, parameter: Some((p, v)), .. }) => format!("{name}[{p}={v}]"),
        });
        parts.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn variables_are_found_with_blanks_just_inside_the_braces() {
        assert_eq!(shape("a{{topic}}b"), "'a' topic 'b'");
        assert_eq!(shape("{{ topic }}-{{partition:padding=true }}"), "topic '-' partition[padding=true]");
        assert_eq!(shape("{{\ttopic\n}}"), "topic");
        assert_eq!(shape("{{foo:a=b=c}}"), "foo[a=b]");
    }

    #[test]
    fn what_does_not_read_as_a_variable_is_text() {
        for text in [
            "",
            "plain",
            "{{foo}bar}}",
            "{{foo",
            "{{ topic : x=y }}",
            "{{topic x}}",
            "{{topic: unit=a}}",
            "}}{{",
            "ключ ✓",
        ] {
            let shown = if text.is_empty() { String::new() } else { format!("'{text}'") };
            assert_eq!(shape(text), shown, "{text}");
        }
        assert_eq!(shape("{{{topic}}}"), "'{' topic '}'");
        assert_eq!(shape("{{a {{topic}}"), "'{{a ' topic");
    }

    #[test]
    fn half_written_variables_are_refused_in_upstreams_words() {
        let refused = |source: &str| Template::parse(source).unwrap_err().to_string();
        assert_eq!(refused("{{}}-{{topic}}"), "Variable name hasn't been set for template: {{}}-{{topic}}");
        assert_eq!(refused("{{ :a=b }}"), "Variable name hasn't been set for template: {{ :a=b }}");
        assert_eq!(refused("{{foo:}}"), "Wrong variable with parameter definition");
        assert_eq!(refused("{{foo:=bar}}"), "Parameter name for variable `foo` has not been set");
        assert_eq!(refused("{{foo=bar}}"), "Parameter name for variable `foo` has not been set");
        let no_value = "Parameter value for variable `foo` and parameter `tt` has not been set";
        assert_eq!(refused("{{foo:tt=}}"), no_value);
        assert_eq!(refused("{{foo:tt}}"), no_value);
        assert_eq!(refused("{{foo:tt==x}}"), no_value);
    }

    proptest! {
        #[test]
        fn the_parts_of_a_template_are_the_whole_of_it(source in "([{}]{0,3}[a-z_: =\u{e9}]{0,4}){0,8}") {
            if let Ok(template) = Template::parse(&source) {
                let again: String = template.parts().iter().map(|part| match part {
                    TemplatePart::Text(text) => text.as_str(),
                    TemplatePart::Variable(variable) => variable.text.as_str(),
                }).collect();
                prop_assert_eq!(again, source);
            }
        }
    }
}
