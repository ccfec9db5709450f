use std::io::Write;

/// Makes records that look like a web server's log in JSON: as compressible as the real thing, with random identifiers
/// that no dictionary helps with. The same seed makes the same records.
pub(crate) struct WebLog {
    state: u64,
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
/// Records a second, so that neighbours share most of their time stamp, as in a busy server's log.
const RATE: u64 = 500;

impl WebLog {
    /// A generator whose records follow from `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 }
    }

    /// Replaces `out` by a line of about 380 bytes that carries `number` as `seq`.
    pub(crate) fn line(&mut self, number: u64, out: &mut Vec<u8>) {
        let (random, more) = (self.random(), self.random());
        let pick = |shift: u32, of: usize| usize::try_from((random >> shift) & 0xff).unwrap_or(0) % of;
        out.clear();
        write!(
            out,
            concat!(
                r#"{{"seq":{},"id":"{:016x}","ts":{}.{:03},"host":"web-{:02}.{}.example.com","client":"10.{}.{}.{}","#,
                r#""method":"{}","path":"{}","query":"session={:012x}","status":{},"bytes":{},"ms":{}.{},"#,
                r#""agent":"{}","referer":"https://shop.example.com{}"}}"#
            ),
            number,
            random,
            1_760_000_000 + number / RATE,
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
        .expect("writing to a vector does not fail");
    }

    /// Replaces `out` by a record of about 75 bytes that carries `number` as `seq`.
    pub(crate) fn small(&mut self, number: u64, out: &mut Vec<u8>) {
        let random = self.random();
        let pick = |shift: u32, of: usize| usize::try_from((random >> shift) & 0xff).unwrap_or(0) % of;
        out.clear();
        write!(
            out,
            r#"{{"seq":{},"ts":{},"status":{},"ms":{},"region":"{}"}}"#,
            number,
            1_760_000_000 + number / RATE,
            STATUSES[pick(3, 8)],
            random % 900,
            REGIONS[pick(11, 5)],
        )
        .expect("writing to a vector does not fail");
    }

    /// xorshift64*: fast, and good enough for made-up identifiers (Vigna, An experimental exploration of Marsaglia's
    /// xorshift generators, scrambled, 2016).
    fn random(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_the_sizes_that_the_benchmark_speaks_of() {
        let (mut log, mut line, mut lines, mut small) = (WebLog::new(1), Vec::new(), 0, 0);
        for number in 1_000_000..1_010_000 {
            log.line(number, &mut line);
            serde_json::from_slice::<serde_json::Value>(&line).unwrap();
            lines += line.len();
            log.small(number, &mut line);
            serde_json::from_slice::<serde_json::Value>(&line).unwrap();
            small += line.len();
        }
        assert!((350..410).contains(&(lines / 10_000)), "{}", lines / 10_000);
        assert!((70..80).contains(&(small / 10_000)), "{}", small / 10_000);
    }
}
