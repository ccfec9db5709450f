use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// stderr, shared by log lines and one status line below them. Cloning shares it.
///
/// On a terminal the status line stays at the bottom while log lines scroll above it; elsewhere it is printed as a line
/// of its own, and seldom.
#[derive(Clone)]
pub(crate) struct Screen(Arc<Mutex<Inner>>);

struct Inner {
    terminal: bool,
    status: String,
}

impl Screen {
    /// The screen of this process.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Inner { terminal: io::stderr().is_terminal(), status: String::new() })))
    }

    /// Whether somebody watches.
    pub(crate) fn is_terminal(&self) -> bool {
        self.lock().terminal
    }

    /// Replaces the status line; an empty one removes it.
    pub(crate) fn status(&self, line: &str) {
        let mut inner = self.lock();
        let mut out = Vec::new();
        if inner.terminal {
            inner.status.clear();
            if !line.is_empty() {
                inner.status = format!("{NO_WRAP}{line}{WRAP}");
            }
            out.extend_from_slice(CLEAR_LINE);
            out.extend_from_slice(inner.status.as_bytes());
        } else if !line.is_empty() {
            out.extend_from_slice(line.as_bytes());
            out.push(b'\n');
        }
        // A closed stderr is no reason to stop moving records.
        io::stderr().write_all(&out).ok();
    }

    /// Writes whole lines above the status line.
    pub(crate) fn print(&self, lines: &[u8]) {
        let inner = self.lock();
        let mut out = Vec::with_capacity(lines.len() + inner.status.len() + 8);
        if inner.terminal && !inner.status.is_empty() {
            out.extend_from_slice(CLEAR_LINE);
        }
        out.extend_from_slice(lines);
        if inner.terminal {
            out.extend_from_slice(inner.status.as_bytes());
        }
        io::stderr().write_all(&out).ok();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carriage return, then "erase in line" to its end (ECMA-48, 8.3.41).
const CLEAR_LINE: &[u8] = b"\r\x1b[K";

/// Autowrap off and on (DECAWM of the VT100, which every terminal emulator has): in a narrow window the end of the status
/// line is cut off. Were it to wrap, clearing it would leave its first row behind, twice a second.
const NO_WRAP: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";

/// One log line on its way to the screen.
pub(crate) struct Line {
    screen: Screen,
    bytes: Vec<u8>,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if !self.bytes.is_empty() {
            self.screen.print(&self.bytes);
        }
    }
}

impl<'a> tracing_subscriber::fmt::MakeWriter<'a> for Screen {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { screen: self.clone(), bytes: Vec::new() }
    }
}
