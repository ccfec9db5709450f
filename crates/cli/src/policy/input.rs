use std::fs::File;
use std::io::{self, Read};

use iam::{Document, PolicyKind};

/// The largest file that is read: AWS's largest policy, a KMS key's, has 32 KiB, white space not counted.
const MAX_BYTES: u64 = 1 << 20;

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
    let text = text(path).map_err(|error| format!("{name}: {error}"))?;
    let document = Document::parse(&text).map_err(|error| format!("{name}: {}", fault::Chain(&error)))?;
    let kind = kind.unwrap_or_else(|| kind_of(&document));
    document.check(kind).map_err(|error| {
        format!("{name}: as {} {} policy: {}", article(kind.name()), kind.name(), fault::Chain(&error))
    })?;
    Ok(Input { name, document, kind })
}

fn text(path: &str) -> io::Result<String> {
    let mut text = String::new();
    let read = if path == "-" {
        io::stdin().lock().take(MAX_BYTES + 1).read_to_string(&mut text)
    } else {
        File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)
    };
    if read? as u64 > MAX_BYTES {
        return Err(io::Error::other("is larger than 1 MiB, and no policy is"));
    }
    Ok(text)
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
