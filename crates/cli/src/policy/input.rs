use std::fs::File;
use std::io::{self, Read};

use iam::{Document, PolicyKind};

/// The largest policy that AWS takes, a KMS key's: 32 KiB, white space not counted.
const MAX_SIZE: usize = 32 << 10;

/// The largest file that is read; white space may be three quarters of it.
const MAX_BYTES: u64 = 128 << 10;

/// A policy that was read, and what it seems to be.
pub(super) struct Input {
    /// The file, or `stdin`.
    pub(super) name: String,
    pub(super) document: Document,
    pub(super) kind: PolicyKind,
}

/// Reads a policy from a file, or from stdin if the path is `-`. Its kind is what its statements show it to be, unless
/// `kind` says.
pub(super) fn read(path: &str, kind: Option<PolicyKind>) -> Result<Input, String> {
    let name = if path == "-" { "stdin".to_owned() } else { path.to_owned() };
    let bytes = bytes(path).map_err(|error| format!("{name}: {error}"))?;
    let text = str::from_utf8(&bytes).map_err(|error| {
        format!("{name}: byte {} is not UTF-8; save the file as UTF-8 text", error.valid_up_to() + 1)
    })?;
    // What editors on Windows put in front of UTF-8.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(format!("{name}: is empty, and a policy is a JSON object with a Statement"));
    }
    let document = Document::parse(text).map_err(|error| format!("{name}: {}", fault::Chain(&error)))?;
    if document.size() > MAX_SIZE {
        return Err(format!(
            "{name}: has {} characters, and AWS takes no policy of more than {MAX_SIZE}",
            document.size()
        ));
    }
    let kind = kind.unwrap_or_else(|| kind_of(&document));
    document.check(kind).map_err(|error| {
        format!("{name}: as {} {} policy: {}", article(kind.name()), kind.name(), fault::Chain(&error))
    })?;
    Ok(Input { name, document, kind })
}

fn bytes(path: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = if path == "-" {
        io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes)
    } else {
        File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)
    };
    if read? as u64 > MAX_BYTES {
        return Err(io::Error::other("is larger than 128 KiB, and no policy is"));
    }
    Ok(bytes)
}

/// Who is named makes it a role's or a resource's, and what is named tells these two apart.
fn kind_of(document: &Document) -> PolicyKind {
    let statements = document.statements();
    let principals = statements.iter().any(|statement| statement.principals().is_some());
    let resources = statements.iter().any(|statement| statement.resources().is_some());
    match (principals, resources) {
        (true, false) => PolicyKind::Trust,
        (true, true) => PolicyKind::Resource,
        (false, _) => PolicyKind::Identity,
    }
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" }
}
