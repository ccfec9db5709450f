use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use memchr::memmem;
use serde_json::{Value, json};

/// Which of the numbered records have arrived.
pub(crate) struct Arrivals {
    /// A bit a record.
    seen: Vec<u64>,
    records: u64,
    arrived: u64,
    doubled: u64,
    /// Lines without a number, or with one that was never given out.
    strange: u64,
    objects: u64,
    stored: u64,
}

impl Arrivals {
    /// Nothing has arrived yet of records numbered from 0 to below `records`.
    pub(crate) fn of(records: u64) -> Self {
        let words = usize::try_from(records.div_ceil(64)).expect("a bit a record fits into memory");
        Self { seen: vec![0; words], records, arrived: 0, doubled: 0, strange: 0, objects: 0, stored: 0 }
    }

    /// Counts the lines of every file below `dir`; the end of a name tells how it is compressed.
    pub(crate) fn read_all(&mut self, dir: &Path) -> io::Result<()> {
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            if path.is_dir() {
                self.read_all(&path)?;
                continue;
            }
            let file = File::open(&path)?;
            self.objects += 1;
            self.stored += file.metadata()?.len();
            let content: Box<dyn Read> = match path.extension().and_then(OsStr::to_str) {
                Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(file)),
                Some("zst") => Box::new(zstd::Decoder::new(file)?),
                _ => Box::new(file),
            };
            self.read(BufReader::with_capacity(1 << 20, content))?;
        }
        Ok(())
    }

    fn read(&mut self, mut lines: impl BufRead) -> io::Result<()> {
        let mut line = Vec::new();
        while {
            line.clear();
            lines.read_until(b'\n', &mut line)? > 0
        } {
            match number(&line).filter(|number| *number < self.records) {
                None => self.strange += 1,
                Some(number) => {
                    let word = &mut self.seen[usize::try_from(number / 64).expect("checked against the records")];
                    let bit = 1 << (number % 64);
                    if *word & bit == 0 {
                        self.arrived += 1;
                    } else {
                        self.doubled += 1;
                    }
                    *word |= bit;
                }
            }
        }
        Ok(())
    }

    /// Whether each record came exactly once, and nothing else.
    pub(crate) fn complete(&self) -> bool {
        self.arrived == self.records && self.doubled == 0 && self.strange == 0
    }

    /// The figures.
    pub(crate) fn report(&self) -> Value {
        json!({
            "records": self.arrived, "lost": self.records - self.arrived, "doubled": self.doubled,
            "strange": self.strange, "objects": self.objects, "stored": self.stored,
        })
    }
}

/// The number after `"seq":`.
fn number(line: &[u8]) -> Option<u64> {
    const NAME: &[u8] = b"\"seq\":";
    let digits = &line[memmem::find(line, NAME)? + NAME.len()..];
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_a_doubled_and_a_strange_line_are_each_told() {
        let mut arrivals = Arrivals::of(4);
        arrivals.read(&b"{\"seq\":0}\n{\"value\":{\"seq\":1,\"a\":2}}\n{\"seq\":3}\n"[..]).unwrap();
        assert!(!arrivals.complete(), "number 2 is missing");
        arrivals.read(&b"{\"seq\":2}\n"[..]).unwrap();
        assert!(arrivals.complete());
        arrivals.read(&b"{\"seq\":2}\n{\"seq\":4}\nnothing\n"[..]).unwrap();
        let report = arrivals.report();
        assert_eq!((&report["doubled"], &report["strange"], &report["lost"]), (&json!(1), &json!(2), &json!(0)));
        assert!(!arrivals.complete());
    }
}
