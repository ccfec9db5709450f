//! What the benchmark needs besides the product: records to move, and a count of what arrived.
//!
//! `generate` writes numbered log lines to standard output, for `kcat` to produce; `verify` reads every object that a
//! run left and tells which numbers are missing and which came twice. `bench/run` calls both, between them the product
//! itself, and measures only that. The numbers are in the records' values and nothing of Tidegate is used to read them:
//! what the benchmark says of loss it does not take from what is measured.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what it prints is its result")]

mod arrivals;
mod web_log;

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use crate::arrivals::Arrivals;
use crate::web_log::WebLog;

/// Records for the benchmark, and a count of what arrived.
#[derive(Parser)]
enum Command {
    /// Write records, one a line, to standard output
    Generate {
        /// How many bytes of values to write; the last record goes over it
        #[arg(long)]
        bytes: u64,
        /// What a record looks like
        #[arg(long, value_enum)]
        shape: Shape,
    },
    /// Count the records in the objects below a directory; exit code 1 if one is missing or came twice
    Verify {
        /// The directory
        dir: PathBuf,
        /// How many records there should be, numbered from 0
        #[arg(long)]
        records: u64,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Shape {
    /// A line of a web server's log, about 380 bytes
    Log,
    /// A small measurement, about 75 bytes
    Small,
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Generate { bytes, shape } => generate(bytes, shape).map(|()| true),
        Command::Verify { dir, records } => verify(&dir, records),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints `{"records":N,"bytes":N}` to standard error when done.
fn generate(bytes: u64, shape: Shape) -> io::Result<()> {
    let mut log = WebLog::new(1);
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    let (mut line, mut written, mut records) = (Vec::new(), 0, 0_u64);
    while written < bytes {
        match shape {
            Shape::Log => log.line(records, &mut line),
            Shape::Small => log.small(records, &mut line),
        }
        written += line.len() as u64;
        records += 1;
        line.push(b'\n');
        out.write_all(&line)?;
    }
    out.flush()?;
    eprintln!("{}", serde_json::json!({"records": records, "bytes": written}));
    Ok(())
}

fn verify(dir: &std::path::Path, records: u64) -> io::Result<bool> {
    let mut arrivals = Arrivals::of(records);
    arrivals.read_all(dir)?;
    println!("{}", arrivals.report());
    Ok(arrivals.complete())
}
