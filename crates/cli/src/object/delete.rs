use std::io::{BufRead, BufReader, ErrorKind, IsTerminal, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use aws::objects::{Bucket, Doomed, Error, Fate, Key, ListOptions, MAX_DELETES};
use serde_json::{Value, json};

use crate::args::{Exit, Output};
use crate::object::address::{Address, Naming, bad, bucket_of};
use crate::object::args::DeleteArguments;
use crate::object::opening::Opening;
use crate::object::print;

/// The longest line that a list of keys may have: a key has 1024 bytes.
const MAX_LINE: u64 = 4096;

/// The longest list: it is held in memory while it is checked, and has no end if it is a device or a pipe.
const MAX_LIST: u64 = 64 << 20;

/// `tidegate object delete`.
pub(crate) async fn delete(opening: &Opening<'_>, arguments: &DeleteArguments) -> Result<Exit, Error> {
    let addresses: Vec<Address> =
        arguments.addresses.iter().map(|text| Address::parse(text)).collect::<Result<_, _>>()?;
    let name = bucket_of(&opening.spec, addresses.first(), arguments.at.bucket.as_deref())?;
    if let Some(other) = addresses.iter().find(|other| other.bucket != addresses[0].bucket) {
        let text =
            format!("addresses are in several buckets: {name} and {}", other.bucket.as_deref().unwrap_or("none"));
        return Err(bad(text, "delete bucket by bucket"));
    }
    let bucket = opening.bucket(&name)?;
    let mut deleting = Deleting { opening, bucket: &bucket, dry: arguments.dry_run, done: 0, failed: 0, told: 0 };
    let outcome = deleting.all(&addresses, arguments).await;
    // What was told so far stays readable.
    if outcome.is_ok() || deleting.told > 0 {
        deleting.close();
    }
    outcome?;
    Ok(if deleting.failed > 0 { Exit::Failed } else { Exit::Done })
}

/// Asks whoever sits at the terminal.
fn confirm(opening: &Opening<'_>, what: &str) -> Result<(), Error> {
    if !(opening.screen.is_terminal() && std::io::stdin().is_terminal()) {
        return Err(bad(format!("nobody is there to confirm that {what} is to be deleted"), "add --yes"));
    }
    opening.screen.print(format!("delete {what}? Type yes: ").as_bytes());
    std::io::stderr().flush().ok();
    let mut answer = String::new();
    // Blocks the one thread that has nothing else to do.
    std::io::stdin().read_line(&mut answer).ok();
    if answer.trim() == "yes" {
        Ok(())
    } else {
        Err(bad("not confirmed; nothing was deleted".into(), "type yes, or add --yes"))
    }
}

struct Deleting<'a> {
    opening: &'a Opening<'a>,
    bucket: &'a Bucket,
    dry: bool,
    done: u64,
    failed: u64,
    /// How many keys the JSON document tells of so far: what failed, and with a dry run what would go. It is written as they
    /// come, as a bucket's keys need not fit into memory.
    told: u64,
}

impl Deleting<'_> {
    async fn all(&mut self, addresses: &[Address], arguments: &DeleteArguments) -> Result<(), Error> {
        let (opening, name) = (self.opening, self.bucket.name());
        if let Some(file) = &arguments.from_file {
            if !addresses.is_empty() {
                return Err(bad("keys are named on the command line and in a file".into(), "leave one of them out"));
            }
            return self.listed(file).await;
        }
        if arguments.recursive {
            if addresses.len() > 1 {
                return Err(bad("several prefixes are named".into(), "delete prefix by prefix"));
            }
            let naming = Naming { spec: &opening.spec, address: addresses.first().cloned(), at: &arguments.at };
            let prefix = naming.below()?;
            if !arguments.yes && !arguments.dry_run {
                confirm(opening, &format!("every object whose key begins with s3://{name}/{}", print::name(&prefix)))?;
            }
            return self.below(prefix).await;
        }
        let mut keys = Vec::new();
        for address in addresses {
            if address.rest.ends_with('/') {
                let text = format!("s3://{name}/{} looks like a folder, and S3 has none", address.rest);
                return Err(bad(text, "add --recursive for all below it, or name it with --key if it is an object"));
            }
            keys.push(Naming { spec: &opening.spec, address: Some(address.clone()), at: &arguments.at }.key(None)?);
        }
        if addresses.is_empty() {
            keys.push(Naming { spec: &opening.spec, address: None, at: &arguments.at }.key(None)?);
        }
        let doomed: Vec<_> =
            keys.into_iter().map(|key| Doomed { key, version: arguments.version_id.clone() }).collect();
        for batch in doomed.chunks(MAX_DELETES) {
            self.batch(batch).await?;
        }
        Ok(())
    }

    /// All that a file lists. It is read whole and checked first, so that a slip in line 900 leaves no half.
    async fn listed(&mut self, file: &Path) -> Result<(), Error> {
        let unreadable = |error| Error::File { doing: "read", path: file.to_owned(), source: Arc::new(error) };
        let mut input: Box<dyn BufRead> = if file == Path::new("-") {
            Box::new(std::io::stdin().lock())
        } else {
            Box::new(BufReader::new(std::fs::File::open(file).map_err(unreadable)?))
        };
        let mut doomed = Vec::new();
        let (mut line, mut number, mut size) = (String::new(), 0, 0);
        loop {
            line.clear();
            let read = match (&mut input).take(MAX_LINE).read_line(&mut line) {
                // Cut within a letter.
                Err(error) if error.kind() == ErrorKind::InvalidData => Err(bad("is not UTF-8".into(), "")),
                read => Ok(read.map_err(unreadable)? as u64),
            };
            number += 1;
            if matches!(read, Ok(0)) {
                break;
            }
            let key = match read {
                Ok(MAX_LINE) if !line.ends_with('\n') => Err(bad("is far too long for a key".into(), "")),
                Ok(read) => {
                    size += read;
                    let key = line.strip_suffix('\n').unwrap_or(&line);
                    let key = key.strip_suffix('\r').unwrap_or(key);
                    if key.is_empty() {
                        continue;
                    }
                    Key::new(key)
                }
                Err(error) => Err(error),
            };
            let key =
                key.map_err(|error| bad(format!("line {number}: {error}"), "mend the list; nothing was deleted"))?;
            if size > MAX_LIST {
                let text = format!("the list has more than {}", print::bytes(MAX_LIST));
                return Err(bad(text, "split it; nothing was deleted"));
            }
            doomed.push(Doomed { key, version: None });
        }
        if doomed.is_empty() {
            return Err(bad("the list names no key".into(), "write one whole key a line"));
        }
        for batch in doomed.chunks(MAX_DELETES) {
            self.batch(batch).await?;
        }
        Ok(())
    }

    async fn below(&mut self, prefix: String) -> Result<(), Error> {
        let mut lister = self.bucket.list(ListOptions { prefix, ..ListOptions::default() })?;
        while let Some(page) = lister.next().await? {
            let doomed =
                page.objects.into_iter().map(|entry| Doomed { key: Key::of_listing(entry.key), version: None });
            let doomed: Vec<_> = doomed.collect();
            for batch in doomed.chunks(MAX_DELETES) {
                self.batch(batch).await?;
            }
        }
        Ok(())
    }

    async fn batch(&mut self, doomed: &[Doomed]) -> Result<(), Error> {
        if self.dry {
            for one in doomed {
                self.tell("would delete", one, None, &json!({ "key": one.key.as_str() }));
            }
            self.done += doomed.len() as u64;
            return Ok(());
        }
        for (one, fate) in doomed.iter().zip(self.bucket.delete(doomed).await?) {
            match fate {
                Fate::Gone { .. } => {
                    self.done += 1;
                    if self.opening.output == Output::Text {
                        self.tell("deleted", one, None, &Value::Null);
                    }
                }
                Fate::Refused { code, message } => {
                    self.failed += 1;
                    let told = json!({ "key": one.key.as_str(), "code": code, "message": message });
                    self.tell("not deleted", one, Some(&format!("{code}: {message}")), &told);
                }
            }
        }
        Ok(())
    }

    fn tell(&mut self, what: &str, one: &Doomed, why: Option<&str>, value: &Value) {
        match self.opening.output {
            Output::Json => {
                let before = if self.told == 0 { self.open() } else { ",".to_owned() };
                self.told += 1;
                print::out(&format!("{before}\n    {value}"));
            }
            Output::Text => {
                let why = why.map(|why| format!("  {}", print::name(why))).unwrap_or_default();
                print::out(&format!("{what} s3://{}/{}{why}\n", self.bucket.name(), print::name(one.key.as_str())));
            }
        }
    }

    /// The document, up to what is told of keys.
    fn open(&self) -> String {
        let told = if self.dry { "would_delete" } else { "failed" };
        format!("{{\n  \"bucket\": {},\n  \"{told}\": [", json!(self.bucket.name()))
    }

    fn close(&self) {
        if self.opening.output == Output::Json {
            let before = if self.told == 0 { self.open() } else { "\n  ".to_owned() };
            let deleted = if self.dry { String::new() } else { format!(",\n  \"deleted\": {}", self.done) };
            print::out(&format!("{before}]{deleted}\n}}\n"));
        }
    }
}
