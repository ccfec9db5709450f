use std::borrow::Cow;

/// A JSON document as a tree, read from text that a [`super::Compactor`] has put out: no whitespace, no repeated names,
/// nothing malformed. Borrows what it can from that text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node<'a> {
    Null,
    Boolean(bool),
    /// The number's text, verbatim.
    Number(&'a str),
    Text(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    /// Members in the order of the text.
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

impl<'a> Node<'a> {
    /// The tree of `text`; null for the empty text.
    pub(crate) fn read(text: &'a [u8]) -> Self {
        // The compactor lets only UTF-8 out.
        let text = std::str::from_utf8(text).unwrap_or_default();
        Reader { text, at: 0 }.value()
    }

    /// The member `name` of an object.
    pub(crate) fn get(&self, name: &str) -> Option<&Node<'a>> {
        match self {
            Self::Object(members) => members.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Jackson's name of its kind.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Boolean(_) => "BOOLEAN",
            Self::Number(_) => "NUMBER",
            Self::Text(_) => "STRING",
            Self::Array(_) => "ARRAY",
            Self::Object(_) => "OBJECT",
        }
    }
}

/// The members of the object that `text` is, each with the text of its value; `None` if it is no object.
pub(crate) fn members(text: &[u8]) -> Option<Vec<(Cow<'_, str>, &[u8])>> {
    let mut reader = Reader { text: std::str::from_utf8(text).ok()?, at: 0 };
    if !reader.pass(b'{') {
        return None;
    }
    let mut members = Vec::new();
    while reader.peek() == b'"' {
        let name = reader.string();
        reader.pass(b':');
        let start = reader.at;
        reader.skip();
        members.push((name, &text[start..reader.at]));
        reader.pass(b',');
    }
    Some(members)
}

/// Reads text that is known to be well formed: what cannot be is read as null rather than looked at twice.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or_default()
    }

    /// Whether `byte` is next; if so, it is passed.
    fn pass(&mut self, byte: u8) -> bool {
        let found = self.peek() == byte;
        self.at += usize::from(found);
        found
    }

    // Recursion is bounded by the compactor's limit on depth.
    fn value(&mut self) -> Node<'a> {
        match self.peek() {
            b'"' => Node::Text(self.string()),
            b'{' => {
                self.at += 1;
                let mut members = Vec::new();
                while self.peek() == b'"' {
                    let name = self.string();
                    self.pass(b':');
                    members.push((name, self.value()));
                    self.pass(b',');
                }
                self.pass(b'}');
                Node::Object(members)
            }
            b'[' => {
                self.at += 1;
                let mut items = Vec::new();
                while self.peek() != 0 && !self.pass(b']') {
                    items.push(self.value());
                    self.pass(b',');
                }
                Node::Array(items)
            }
            b't' => self.word(4, Node::Boolean(true)),
            b'f' => self.word(5, Node::Boolean(false)),
            b'-' | b'0'..=b'9' => {
                let rest = &self.text[self.at..];
                let end = rest.find([',', ']', '}']).unwrap_or(rest.len());
                self.at += end;
                Node::Number(&rest[..end])
            }
            _ => self.word(4, Node::Null),
        }
    }

    /// Passes a value.
    fn skip(&mut self) {
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                b'"' => {
                    self.string();
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' | b',' if depth == 0 => return,
                b'}' | b']' => {
                    depth -= 1;
                    self.at += 1;
                }
                0 => return,
                _ => self.at += 1,
            }
        }
    }

    fn word(&mut self, len: usize, node: Node<'a>) -> Node<'a> {
        self.at = (self.at + len).min(self.text.len());
        node
    }

    fn string(&mut self) -> Cow<'a, str> {
        let start = self.at + 1;
        let bytes = self.text.as_bytes();
        let mut end = start;
        let mut escaped = false;
        while end < bytes.len() && bytes[end] != b'"' {
            if bytes[end] == b'\\' {
                escaped = true;
                end += 1;
            }
            end += 1;
        }
        self.at = (end + 1).min(bytes.len());
        let text = &self.text[start..end.min(bytes.len())];
        if escaped { Cow::Owned(super::unescape_text(text)) } else { Cow::Borrowed(text) }
    }
}
