//! XML as AWS writes it, and the few documents that clients send.

use std::fmt::{Display, Write};

use quick_xml::Reader;
use quick_xml::events::Event;

use super::api_error::ApiError;

/// Builds a document element by element.
#[derive(Debug)]
pub(super) struct Xml(String);

impl Xml {
    /// A document with the usual declaration.
    pub(super) fn document() -> Self {
        Self("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned())
    }

    /// `<name>..</name>` around what `inner` writes. `name` may carry attributes.
    pub(super) fn within(&mut self, name: &str, inner: impl FnOnce(&mut Self)) -> &mut Self {
        let tag = name.split(' ').next().unwrap_or(name);
        self.raw(format_args!("<{name}>"));
        inner(self);
        self.raw(format_args!("</{tag}>"))
    }

    /// `<name>value</name>`, escaped.
    pub(super) fn field(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.within(name, |xml| {
            xml.text(&value.to_string());
        })
    }

    /// Text, escaped.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\r' => self.0.push_str("&#13;"),
                _ => self.0.push(c),
            }
        }
        self
    }

    /// The same, if there is a value.
    pub(super) fn maybe(&mut self, name: &str, value: Option<impl Display>) -> &mut Self {
        match value {
            Some(value) => self.field(name, value),
            None => self,
        }
    }

    fn raw(&mut self, text: std::fmt::Arguments<'_>) -> &mut Self {
        self.0.write_fmt(text).expect("a string takes any text");
        self
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// An element that a client sent: its local name, its text, its children. Attributes mean nothing here.
#[derive(Debug, Default)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

/// Deeper than any request of S3 goes.
const MAX_DEPTH: usize = 8;

impl Element {
    /// Reads a document and checks the name of its root.
    pub(super) fn parse(text: &[u8], root: &str) -> Result<Self, ApiError> {
        let malformed = || ApiError::of("MalformedXML");
        let text = std::str::from_utf8(text).map_err(|_| malformed())?;
        let mut reader = Reader::from_str(text);
        let mut open: Vec<Self> = vec![Self::default()];
        loop {
            let event = reader.read_event().map_err(|_| malformed())?;
            if open.len() > MAX_DEPTH {
                return Err(malformed());
            }
            let top = open.last_mut().ok_or_else(malformed)?;
            match event {
                Event::Start(start) => open.push(Self::named(start.local_name().as_ref())),
                Event::Empty(start) => top.children.push(Self::named(start.local_name().as_ref())),
                Event::End(_) => {
                    let done = open.pop().ok_or_else(malformed)?;
                    open.last_mut().ok_or_else(malformed)?.children.push(done);
                }
                Event::Text(text) => top.text.push_str(&text.xml10_content()),
                Event::CData(text) => top.text.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => {
                    let resolved = match reference.resolve_char_ref().map_err(|_| malformed())? {
                        Some(c) => c,
                        None => match reference.as_ref() {
                            "amp" => '&',
                            "lt" => '<',
                            "gt" => '>',
                            "quot" => '"',
                            "apos" => '\'',
                            _ => return Err(malformed()),
                        },
                    };
                    top.text.push(resolved);
                }
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
                // No document type: it could define entities that grow without end.
                Event::DocType(_) => return Err(malformed()),
                Event::Eof => break,
            }
        }
        let mut roots = open.pop().filter(|_| open.is_empty()).ok_or_else(malformed)?.children;
        match roots.pop() {
            Some(element) if roots.is_empty() && element.name == root => Ok(element),
            _ => Err(malformed()),
        }
    }

    fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// The text of the child `name`.
    pub(super) fn child_text(&self, name: &str) -> Option<&str> {
        self.children.iter().find(|child| child.name == name).map(|child| child.text.trim())
    }

    /// All children `name`.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::{Element, Xml};

    #[test]
    fn what_is_written_reads_back() {
        let mut xml = Xml::document();
        xml.within("Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"", |xml| {
            xml.within("Object", |xml| {
                xml.field("Key", "a&b <\"c\">\r\n'é").maybe("VersionId", None::<&str>);
            });
        });
        let read = Element::parse(xml.finish().as_bytes(), "Delete").unwrap();
        let object = read.all("Object").next().unwrap();
        assert_eq!(object.children[0].text, "a&b <\"c\">\r\n'é");
    }

    #[test]
    fn what_is_not_the_document_asked_for_is_malformed() {
        let deep = "<a>".repeat(20) + &"</a>".repeat(20);
        for text in ["", "<b/>", "<a>", "<a></b>", "<a/><a/>", "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", &deep] {
            assert_eq!(Element::parse(text.as_bytes(), "a").unwrap_err().code(), "MalformedXML", "{text}");
        }
    }
}
