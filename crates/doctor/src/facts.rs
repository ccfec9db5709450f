use std::time::{Duration, SystemTime};

use aws::reach::{ProxyVariables, Reached};
use aws::s3::{ProbeError, Tried};
use aws::{Metadata, Offered, Provider, Providing, SignedWith};
use control::Outcome;

/// What was learnt on the way, typed, for the causes to be judged by. What was not tried is `None`.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// How far AWS's clock is ahead of this machine's, in milliseconds; negative if it is behind.
    pub clock_offset_ms: Option<i64>,
    /// Who we are before any role: an ARN.
    pub base_arn: Option<String>,
    /// Why there is nobody to begin with.
    pub base_error: Option<identity::Error>,
    /// How long the base's session lives from now.
    pub base_life: Option<Duration>,
    /// When the base's session ends.
    pub base_expires_at: Option<SystemTime>,
    /// The hops that let us in: the session's ARN of each.
    pub hop_arns: Vec<String>,
    /// The first hop that did not: its place in the list and why.
    pub hop_error: Option<(usize, identity::Error)>,
    /// How many percent of STS's room for them policies and tags of a session on the way take up: the most of all.
    pub packed_percent: Option<u32>,
    /// When the last session ends.
    pub expires_at: Option<SystemTime>,
    /// Whether the last role lets us in without tags and source identity, where it has some.
    pub without_tags: Option<Trial>,
    /// Whether the last role lets us in at its shortest, where a duration was refused.
    pub shortest: Option<Trial>,
    /// The longest session that the role gave, where the one that was asked for was refused.
    pub longest: Option<Duration>,
    /// Without an external ID.
    pub absent_id: Option<Outcome>,
    /// With wrong external IDs: the worst outcome of those that were tried.
    pub wrong_id: Option<Outcome>,
    /// With the external ID of another statement or an older one, where there is one.
    pub other_id: Option<Outcome>,
    /// The region that S3 says the bucket is in.
    pub bucket_region: Option<String>,
    /// The bucket without an expected owner.
    pub bucket: Option<Trial>,
    /// The bucket with the expected owner.
    pub owner: Option<Trial>,
    /// Listing the prefix.
    pub list: Option<Trial>,
    /// Some objects that are there: their keys.
    pub sample: Vec<String>,
    /// Reading objects of the sample: each with its key.
    pub reads: Vec<(String, Trial)>,
    /// Reading one of them as who pays for it.
    pub read_as_payer: Option<Trial>,
    /// Reading a key that is not there.
    pub read_absent: Option<Trial>,
    /// Writing as it is configured.
    pub put: Option<Trial>,
    /// Writing with SSE-S3, with SSE-KMS, without an ACL: what was tried after a refusal.
    pub put_variants: Vec<(&'static str, Trial)>,
    /// How S3 says that it encrypted what was written, and with which key.
    pub put_encryption: Option<(String, Option<String>)>,
    /// Writing in parts, aborted.
    pub multipart: Option<Trial>,
    /// The same of uploads in parts.
    pub multipart_variants: Vec<(&'static str, Trial)>,
    /// Reading back.
    pub read_back: Option<Trial>,
    /// Tagging.
    pub tag: Option<Trial>,
    /// Deleting an object that is not there. Not tried where it could leave a mark that cannot be taken away.
    pub delete: Option<Trial>,
    /// Deleting a version that is not there.
    pub delete_version: Option<Trial>,
    /// Aborting an upload that is not there: refused as `NoSuchUpload` where it is allowed.
    pub abort: Option<Trial>,
    /// Writing beside the prefix.
    pub put_outside: Option<Trial>,
    /// Listing beside the prefix.
    pub list_outside: Option<Trial>,
    /// What is to be said of the policies that were given.
    pub findings: Vec<(iam::PolicyKind, iam::lint::Finding)>,
    /// What is wrong with the variables of the process that keys are taken from.
    pub environment_faults: Vec<crate::InputFault>,
    /// What of the roles on the way was ours to read.
    pub ours: Ours,
    /// An external ID that is not the one that is sent, and with which the role lets us in that refused that one.
    pub accepted_id: Option<String>,
    /// An external ID of somebody else's that the trust policy lists, and with which the role lets us in too.
    pub crossed_id: Option<String>,
    /// When roles were asked for, by AWS's hour.
    pub asked_at: Option<SystemTime>,
    /// How long a refusal was waited out, in the hope that a change of the trust policy was still on its way.
    pub waited: Option<Duration>,
    /// Listing the prefix as who pays for it.
    pub list_as_payer: Option<Trial>,
    /// The canonical IDs of the accounts that own the objects of the sample, where S3 says so.
    pub owners: Vec<(String, String)>,
    /// The key under which the examination wrote.
    pub written: Option<String>,
    /// The bucket's policy, or why it is not known. Looked at only where S3 refused something.
    pub bucket_policy: Option<Result<String, Trial>>,
    /// What the role may do, where IAM shows it. Looked at only where S3 refused something.
    pub role_grants: Option<aws::ReadGrants>,
    /// How the bucket locks every new object (`COMPLIANCE for 30 days`), `None` within if it does not; or why that is not
    /// known. Not asked of a bucket that keeps no versions: only one that does can lock.
    pub lock: Option<Result<Option<String>, Trial>>,
    /// Every place that the target can touch: `s3://lake/topics/`.
    pub touches: Vec<String>,
    /// What the target deletes there, in words.
    pub deletes: Option<String>,
    /// What was left behind, and why it could not be deleted.
    pub left: Vec<(String, Trial)>,
    /// How far STS is away.
    pub sts: Option<Reached>,
    /// How far S3 is.
    pub s3: Option<Reached>,
    /// How far KMS is.
    pub kms: Option<Reached>,
    /// What the environment says of proxies.
    pub proxies: ProxyVariables,
    /// What instance metadata shows, where it is asked.
    pub metadata: Option<Metadata>,
    /// What each place of the default chain has, where it is asked.
    pub chain: Vec<Offered>,
    /// How often the base was asked before it answered; 0 if it did not.
    pub base_attempts: u32,
    /// What requests are signed with before any role.
    pub base_signed_with: Option<SignedWith>,
    /// The base's keys in a region where they are taken, and the ARN that they are there, where the connection's refuses them.
    pub base_elsewhere: Option<(String, String)>,
    /// The refused role in another region.
    pub hop_elsewhere: Option<(String, Trial)>,
    /// Listing the prefix in the region that the bucket is in, whoever owns it; and with the owner that is expected, where
    /// one is named.
    pub list_there: Option<(Trial, Option<Trial>)>,
    /// The base at STS of the bucket's region, where S3 did not take the session there.
    pub sts_there: Option<Trial>,
    /// Variables that give this pod or task an identity of its own, where the connection goes by the machine's.
    pub pod_identity: Option<String>,
    /// What names of manifests begin with, where that is not under the data's prefix, and writing there.
    pub manifests: Option<(String, Trial)>,
    /// Sessions that S3 did not take, each with what it was used for and S3's code, where another one was asked for.
    pub renewed: Vec<(&'static str, String)>,
    /// The certificate that IAM Roles Anywhere is shown.
    pub certificate: Option<crate::CertificateFacts>,
    /// Of Kafka.
    pub kafka: crate::KafkaFacts,
}

/// What of the roles on the way was ours to read: in the account of one of those that we are on the way.
#[derive(Debug, Clone, Default)]
pub struct Ours {
    /// The role that refused us, or the last one.
    pub role: Option<aws::ReadRole>,
    /// Whether IAM says that there is no such role.
    pub role_is_absent: bool,
    /// What the one who asked for that role may do.
    pub grants: Option<aws::ReadGrants>,
    /// IAM's code where it said no.
    pub refused_with: Option<String>,
}

/// What came of a request to S3 or STS.
#[derive(Debug, Clone)]
pub enum Trial {
    /// It was done.
    Done,
    /// S3 or STS answered and said no.
    Refused {
        /// As AWS calls it: `PutObject`.
        operation: &'static str,
        /// HTTP status.
        status: u16,
        /// AWS's code.
        code: String,
        /// AWS's text.
        message: String,
        /// The region that the answer named.
        region: Option<String>,
    },
    /// No answer, or none that can be read.
    Lost {
        /// What happened.
        text: String,
    },
    /// There was no session to try it with, or it could not be built.
    NotTried {
        /// Why.
        text: String,
    },
}

impl Facts {
    /// The place of the default chain that answers, and what it has; `None` where no chain is asked.
    pub fn provider(&self) -> Option<(Provider, &str)> {
        self.chain.iter().find_map(|one| match &one.providing {
            Providing::Something(what) => Some((one.provider, what.as_str())),
            Providing::Nothing(_) => None,
        })
    }

    /// Whether S3 said to anything that it is not allowed, or would not encrypt it.
    pub(crate) fn was_denied(&self) -> bool {
        let single =
            [&self.owner, &self.list, &self.read_absent, &self.put, &self.multipart, &self.read_back, &self.tag];
        let reads = self.reads.iter().map(|(_, trial)| trial);
        single.into_iter().flatten().chain(reads).chain(&self.delete).any(Trial::is_denied)
    }

    /// Notes whether a session was renewed on the way.
    pub(crate) fn note_renewal<T>(&mut self, tried: &Tried<T>) {
        self.renewed.extend(tried.renewed.clone());
    }

    /// All requests to S3 that were refused, with what each was for.
    pub(crate) fn s3_refusals(&self) -> impl Iterator<Item = (&'static str, &Trial)> {
        let some = [
            ("looking at the bucket", &self.bucket),
            ("listing", &self.list),
            ("writing in one piece", &self.put),
            ("writing in parts", &self.multipart),
            ("reading back", &self.read_back),
            ("tagging", &self.tag),
            ("deleting", &self.delete),
        ];
        let reads = self.reads.iter().map(|(_, trial)| ("reading", trial));
        let all = some.into_iter().filter_map(|(what, trial)| Some((what, trial.as_ref()?))).chain(reads);
        all.filter(|(_, trial)| trial.code().is_some())
    }
}

impl Trial {
    /// Whether it was done.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    /// AWS's code; `None` if there was no refusal.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            Self::Done | Self::Lost { .. } | Self::NotTried { .. } => None,
        }
    }

    /// AWS's text; empty if there was no refusal.
    pub fn message(&self) -> &str {
        match self {
            Self::Refused { message, .. } => message,
            Self::Done | Self::Lost { .. } | Self::NotTried { .. } => "",
        }
    }

    /// Whether AWS said that it is not allowed. HEAD has no body to say a code in.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Refused { status: 403, code, .. } if code == "AccessDenied" || code == "403")
    }

    pub(crate) fn of_s3<T>(answer: &Result<T, ProbeError>) -> Self {
        match answer {
            Ok(_) => Self::Done,
            Err(ProbeError::Refused(refusal)) => Self::Refused {
                operation: refusal.operation,
                status: refusal.status,
                code: refusal.code.clone(),
                message: refusal.message.clone(),
                region: refusal.actual_region.clone(),
            },
            Err(error @ ProbeError::Lost { .. }) => Self::Lost { text: fault::Chain(error).to_string() },
            Err(error @ (ProbeError::Session(_) | ProbeError::Unsent { .. })) => {
                Self::NotTried { text: fault::Chain(error).to_string() }
            }
        }
    }

    pub(crate) fn of_sts<T>(answer: &Result<T, identity::Error>) -> Self {
        match answer {
            Ok(_) => Self::Done,
            Err(identity::Error::Refused(refusal)) => Self::Refused {
                operation: refusal.operation,
                status: refusal.status,
                code: refusal.code.clone(),
                message: refusal.message.clone(),
                region: None,
            },
            Err(error) if matches!(error, identity::Error::Unreachable { .. } | identity::Error::TimedOut { .. }) => {
                Self::Lost { text: fault::Chain(error).to_string() }
            }
            Err(error) => Self::NotTried { text: fault::Chain(error).to_string() },
        }
    }
}
