use std::io::Write;

/// Makes records that look like a web server's log in JSON: as compressible as the real thing, with random identifiers
/// that no dictionary helps with. The same seed makes the same records.
#[derive(Debug)]
pub(crate) struct WebLog {
    state: u64,
    number: u64,
    small: bool,
}

const METHODS: [&str; 4] = ["GET", "GET", "GET", "POST"];
const PATHS: [&str; 8] =
    ["/", "/cart", "/checkout", "/api/v1/items", "/api/v1/orders", "/search", "/static/app.js", "/static/site.css"];
const STATUSES: [u16; 8] = [200, 200, 200, 200, 200, 304, 404, 500];
const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
    "curl/8.14.1",
];
const REGIONS: [&str; 5] = ["eu-central-1", "eu-west-1", "us-east-1", "us-west-2", "ap-southeast-2"];

impl WebLog {
    /// Records of about 380 bytes, or of about 75 if `small`.
    pub(crate) fn new(seed: u64, small: bool) -> Self {
        Self { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, number: 0, small }
    }

    /// Writes the next record into `out`, which is cleared.
    pub(crate) fn next(&mut self, out: &mut Vec<u8>) {
        out.clear();
        self.number += 1;
        let (random, more) = (self.random(), self.random());
        let pick = |shift: u32, len: usize| (random >> shift) as usize % len;
        let seconds = 1_760_000_000 + self.number / 500;
        let written = if self.small {
            write!(
                out,
                r#"{{"id":{},"ts":{},"status":{},"ms":{},"region":"{}"}}"#,
                self.number,
                seconds,
                STATUSES[pick(3, 8)],
                random % 900,
                REGIONS[pick(9, 5)],
            )
        } else {
            write!(
                out,
                concat!(
                    r#"{{"id":"{:016x}{:016x}","ts":{}.{:03},"host":"web-{:02}.{}.example.com","client":"10.{}.{}.{}","#,
                    r#""method":"{}","path":"{}","query":"session={:012x}","status":{},"bytes":{},"ms":{}.{},"#,
                    r#""agent":"{}","referer":"https://shop.example.com{}"}}"#
                ),
                random,
                more,
                seconds,
                random % 1000,
                pick(5, 40),
                REGIONS[pick(11, 5)],
                random & 0xff,
                (random >> 8) & 0xff,
                (random >> 16) & 0xff,
                METHODS[pick(20, 4)],
                PATHS[pick(23, 8)],
                more >> 16,
                STATUSES[pick(27, 8)],
                more % 60_000,
                random % 1500,
                more % 10,
                AGENTS[pick(31, 4)],
                PATHS[pick(35, 8)],
            )
        };
        written.expect("writing to a vector does not fail");
    }

    /// xorshift64: fast and good enough for made-up identifiers (Marsaglia, Xorshift RNGs, 2003).
    fn random(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_the_sizes_that_the_benchmark_speaks_of() {
        for (small, expected) in [(false, 340.0..420.0), (true, 68.0..82.0)] {
            let (mut log, mut record, mut total) = (WebLog::new(1, small), Vec::new(), 0);
            for _ in 0..10_000 {
                log.next(&mut record);
                total += record.len();
            }
            let mean = f64::from(total as u32) / 10_000.0;
            assert!(expected.contains(&mean), "{mean} bytes, {}", String::from_utf8_lossy(&record));
        }
    }
}
