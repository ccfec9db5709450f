use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_s3::Client;
use identity::{Fence, Identity, StsEndpoint};

use crate::Clients;
use crate::counters::Counters;
use crate::limiter::Limiter;
use crate::objects::checksum::Algorithm;
use crate::s3::{S3Options, client};

/// How to reach a bucket.
#[derive(Debug, Clone)]
pub struct BucketOptions {
    /// Its name, region, endpoint and owner; how requests are signed, and how long one may stall.
    pub s3: S3Options,
    /// What the connection may touch. Checked here before each call, besides the session policy that AWS holds it by.
    pub fence: Fence,
    /// How long one request may go on without success, all its attempts included: five minutes, as Boomi's six attempts take
    /// about nine. A body that moves on counts as a success. Nothing tries once, for as long as such an answer may take.
    pub tries_for: Duration,
    /// The checksum that goes with what is written; `None` for stores that know none.
    pub checksum: Option<Algorithm>,
    /// Objects above this are copied in parts: 5 GiB, the most that CopyObject takes (S3 API reference).
    pub copy_at_once: u64,
}

impl BucketOptions {
    /// Everything but the bucket as it usually is.
    pub fn new(s3: S3Options) -> Self {
        Self {
            s3,
            fence: Fence::default(),
            tries_for: Duration::from_mins(5),
            checksum: Some(Algorithm::Crc64Nvme),
            copy_at_once: 5 << 30,
        }
    }
}

/// The objects of one bucket, as one identity sees them. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Bucket(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clients: Clients,
    sts: StsEndpoint,
    identity: Identity,
    limiter: Arc<Limiter>,
    options: BucketOptions,
    at: Mutex<At>,
}

/// Where requests go now.
#[derive(Debug, Clone)]
pub(super) struct At {
    pub(super) region: String,
    pub(super) client: Client,
}

impl Bucket {
    pub(crate) fn new(
        clients: &Clients,
        sts: StsEndpoint,
        identity: Identity,
        limiter: Arc<Limiter>,
        mut options: BucketOptions,
    ) -> Self {
        // The certificate of *.s3.amazonaws.com covers no further dot.
        options.s3.path_style |= options.s3.bucket.contains('.');
        let region = options.s3.region.clone();
        let client = client::build(clients, &identity, &region, &options.s3);
        let at = Mutex::new(At { region, client });
        Self(Arc::new(Inner { clients: clients.clone(), sts, identity, limiter, options, at }))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.options.s3.bucket
    }

    /// The region that it is in, as far as is known: what was said, or what S3 has said since.
    pub fn region(&self) -> String {
        self.at().region.clone()
    }

    /// How it is reached.
    pub fn options(&self) -> &BucketOptions {
        &self.0.options
    }

    /// Who asks.
    pub fn identity(&self) -> &Identity {
        &self.0.identity
    }

    pub(super) fn sts(&self) -> &StsEndpoint {
        &self.0.sts
    }

    pub(super) fn clients(&self) -> &Clients {
        &self.0.clients
    }

    pub(super) fn limiter(&self) -> &Limiter {
        &self.0.limiter
    }

    pub(super) fn counters(&self) -> &Counters {
        self.0.clients.counters()
    }

    /// The account that must own it, as a request says it.
    pub(super) fn owner(&self) -> Option<String> {
        self.0.options.s3.owner.map(|account| account.to_string())
    }

    pub(super) fn client(&self) -> Client {
        self.at().client.clone()
    }

    /// Asks in `region` from now on. False if that is where it asks already.
    pub(super) fn move_to(&self, region: &str) -> bool {
        let mut at = self.at();
        if at.region == region {
            return false;
        }
        tracing::info!(
            bucket = self.name(),
            from = at.region,
            to = region,
            "S3 says that the bucket is in another region"
        );
        *at = At {
            region: region.to_owned(),
            client: client::build(&self.0.clients, &self.0.identity, region, &self.0.options.s3),
        };
        true
    }

    fn at(&self) -> MutexGuard<'_, At> {
        self.0.at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
