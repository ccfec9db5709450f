use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// A process that we started, measured while it lives and ended with its handle.
#[derive(Debug)]
pub(crate) struct Measured {
    child: Child,
    usage: Usage,
}

/// What a process used, as the kernel counts it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Usage {
    /// User and system CPU time, all threads.
    pub(crate) cpu: Duration,
    /// The most memory that was resident at once, in bytes.
    pub(crate) peak_rss: u64,
}

impl Measured {
    /// Starts `program`; its stderr goes to `log`.
    pub(crate) fn start<S: AsRef<OsStr>>(
        program: &Path,
        arguments: impl IntoIterator<Item = S>,
        log: &Path,
    ) -> io::Result<Self> {
        let log = fs::OpenOptions::new().create(true).append(true).open(log)?;
        let child =
            Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?;
        Ok(Self { child, usage: Usage::default() })
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended, and how. Takes a measurement while it has not.
    pub(crate) fn poll(&mut self) -> io::Result<Option<ExitStatus>> {
        // Before asking: once it is reaped, the kernel's figures are gone. The last look is at most one poll old.
        if let Some(usage) = Usage::of(self.id()) {
            self.usage = usage;
        }
        self.child.try_wait()
    }

    /// The latest measurement.
    pub(crate) fn usage(&self) -> Usage {
        self.usage
    }

    /// Sends a signal by its number (9 kills, 15 asks, 19 freezes, 18 thaws).
    pub(crate) fn signal(&self, signal: &str) -> io::Result<()> {
        let status = Command::new("kill").arg(format!("-{signal}")).arg(self.id().to_string()).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("kill -{signal} {} failed", self.id()))) }
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Usage {
    /// Reads `/proc`; `None` if the process has ended.
    pub(crate) fn of(id: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        Self::parse(&stat, &status)
    }

    /// proc(5): after the name in parentheses, utime and stime are the 12th and 13th field, in ticks of 1/100 s (the
    /// unit of USER_HZ on every Linux that Rust runs on); `VmHWM` is the peak resident set.
    fn parse(stat: &str, status: &str) -> Option<Self> {
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let peak_kib: u64 = peak.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        Some(Self { cpu: Duration::from_millis(ticks * 10), peak_rss: peak_kib << 10 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_figures_are_read_whatever_the_process_is_called() {
        let stat = "17 (a) b (c)) S 1 17 17 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 100 1 1";
        let status = "Name:\ta\nVmHWM:\t  2048 kB\nVmRSS:\t 1024 kB\n";
        let usage = Usage::parse(stat, status).unwrap();
        assert_eq!(usage, Usage { cpu: Duration::from_secs(3), peak_rss: 2 << 20 });
    }
}
