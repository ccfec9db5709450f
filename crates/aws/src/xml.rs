//! Answers in XML of services that the SDK has no client for here.

use quick_xml::Reader;
use quick_xml::events::Event;

/// Deeper than any answer goes.
const MAX_DEPTH: usize = 32;

/// The texts of a document's innermost elements, each with the names that lead to it.
#[derive(Debug)]
pub(crate) struct Leaves(Vec<(Vec<String>, String)>);

impl Leaves {
    /// Reads a document; `None` if it is none, or has a document type (which could define entities that grow without end).
    pub(crate) fn read(document: &[u8]) -> Option<Self> {
        let mut reader = Reader::from_str(std::str::from_utf8(document).ok()?);
        let (mut leaves, mut path, mut text, mut is_leaf) = (Vec::new(), Vec::new(), String::new(), false);
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) => {
                    path.push(start.local_name().as_ref().to_owned());
                    text.clear();
                    is_leaf = true;
                    if path.len() > MAX_DEPTH {
                        return None;
                    }
                }
                Event::End(_) => {
                    if is_leaf {
                        leaves.push((path.clone(), text.trim().to_owned()));
                    }
                    is_leaf = false;
                    path.pop()?;
                }
                Event::Text(part) => text.push_str(&part.xml10_content()),
                Event::CData(part) => text.push_str(&part.xml10_content()),
                Event::GeneralRef(reference) => text.push(match reference.resolve_char_ref().ok()? {
                    Some(c) => c,
                    None => match reference.as_ref() {
                        "amp" => '&',
                        "lt" => '<',
                        "gt" => '>',
                        "quot" => '"',
                        "apos" => '\'',
                        _ => return None,
                    },
                }),
                Event::Empty(_) | Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
                Event::DocType(_) => return None,
                Event::Eof => return path.is_empty().then_some(Self(leaves)).filter(|leaves| !leaves.0.is_empty()),
            }
        }
    }

    /// The first text whose path ends so.
    pub(crate) fn one(&self, path: &[&str]) -> Option<&str> {
        self.all(path).next()
    }

    /// All texts whose path ends so.
    pub(crate) fn all(&self, path: &[&str]) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(own, _)| {
                own.iter().rev().map(String::as_str).take(path.len()).eq(path.iter().rev().copied())
            })
            .map(|(_, text)| text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Leaves;

    #[test]
    fn texts_are_found_by_the_end_of_their_path() {
        let leaves = Leaves::read(
            b"<R xmlns='x'><L><Names><member>a&amp;b</member><member> c </member></Names><Empty/><N></N></L></R>",
        )
        .unwrap();
        assert_eq!(leaves.all(&["Names", "member"]).collect::<Vec<_>>(), ["a&b", "c"]);
        assert_eq!((leaves.one(&["N"]), leaves.one(&["Names"])), (Some(""), None));
        for broken in [&b"<a><b>"[..], b"<!DOCTYPE a><a>b</a>", b"<a>&x;</a>", b"", b"<html", b"\xff"] {
            assert!(Leaves::read(broken).is_none(), "{broken:?}");
        }
    }
}
