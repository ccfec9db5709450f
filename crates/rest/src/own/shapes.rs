//! The objects of this surface.

use super::shape::{COUNT, Kind, Shape, TEXT, may, must, null};

/// Names that people give: as long as any that Kafka's tools take.
const NAME: Kind = Kind::Text { least: 1, most: 255 };
const LABEL: Kind = Kind::Text { least: 1, most: 200 };
const NOTE: Kind = Kind::Text { least: 0, most: 1000 };
/// `User:u-..`, `User:sa-..`
const PRINCIPAL: Kind = Kind::Text { least: 1, most: 64 };
const ID: Kind = Kind::Text { least: 1, most: 64 };

/// What is wanted of a connector.
pub(super) const TARGETS: Kind = Kind::Choice(&["RUNNING", "PAUSED", "STOPPED"]);
const DOING: Kind = Kind::Choice(&["UNASSIGNED", "RUNNING", "PAUSED", "STOPPED", "FAILED", "RESTARTING"]);
/// How deep a connection is examined.
pub(super) const DEPTHS: Kind = Kind::Choice(&["offline", "identity", "read", "write"]);
/// What a policy is written as.
pub(super) const FORMS: Kind = Kind::Choice(&["json", "terraform", "cloudformation", "cli"]);
/// The roles that there are.
pub(super) const ROLES: Kind = Kind::Choice(&[
    "OrganizationAdmin",
    "EnvironmentAdmin",
    "CloudClusterAdmin",
    "ResourceOwner",
    "Assigner",
    "ConnectManager",
    "DeveloperRead",
    "DeveloperWrite",
    "Operator",
]);

pub(super) static PROBLEM: Shape = Shape {
    name: "Problem",
    doc: "What went wrong (RFC 9457).",
    members: &[
        must("type", TEXT, "The page that explains the code, at this server."),
        must("title", TEXT, "The kind of problem."),
        must("status", COUNT, "The HTTP status."),
        must("detail", TEXT, "What happened."),
        must("code", TEXT, "The stable name of the kind of failure: config.refused."),
        null("hint", TEXT, "What to do."),
        must("faults", Kind::List(&Kind::Object(&FAULT)), "Everything that is wrong with the request, at once."),
        must("request_id", TEXT, "What the log and the audit log know the request by."),
    ],
};

static FAULT: Shape = Shape {
    name: "Fault",
    doc: "One thing wrong with one part of a request or one key of a configuration.",
    members: &[
        must("key", TEXT, "Which one; empty if it is of no key."),
        null("value", TEXT, "What it is now, if it may be shown."),
        must("text", TEXT, "What is wrong."),
        must("allowed", Kind::List(&TEXT), "The values that would be right, if they can be listed."),
        null("hint", TEXT, "What to do."),
    ],
};

pub(super) static CALLER: Shape = Shape {
    name: "Caller",
    doc: "Who the credentials of this request are.",
    members: &[
        must("principal", TEXT, "User:u-.., User:sa-.., or Operator."),
        null("cluster", TEXT, "The only cluster that this API key reaches."),
    ],
};

pub(super) static ORGANIZATION: Shape = Shape {
    name: "Organization",
    doc: "Whose installation this is.",
    members: &[must("id", TEXT, "A UUID."), must("number", COUNT, ""), must("display_name", TEXT, "")],
};

pub(super) static ENVIRONMENT: Shape = Shape {
    name: "Environment",
    doc: "What one tenant has.",
    members: &[
        must("id", TEXT, "env-.."),
        must("display_name", TEXT, ""),
        must("is_own", Kind::Flag, "The operator's own: its connectors may use what the machine has."),
        must("revision", COUNT, "Counts its changes: the ETag."),
        must("created_at", Kind::Time, ""),
    ],
};

pub(super) static NEW_ENVIRONMENT: Shape =
    Shape { name: "NewEnvironment", doc: "An environment to be made.", members: &[must("display_name", LABEL, "")] };

pub(super) static CLUSTER: Shape = Shape {
    name: "Cluster",
    doc: "A Kafka cluster that connectors read from.",
    members: &[
        must("id", TEXT, "lkc-.."),
        must("environment", TEXT, "Whose it is."),
        must("display_name", TEXT, ""),
        must("config", Kind::Config, "Worker settings; secrets masked."),
        must("revision", COUNT, "Counts its changes: the ETag."),
        must("created_at", Kind::Time, ""),
    ],
};

pub(super) static NEW_CLUSTER: Shape = Shape {
    name: "NewCluster",
    doc: "A cluster to be made.",
    members: &[
        must("display_name", LABEL, ""),
        may("environment", ID, "Whose it is; not set: the caller's."),
        must("config", Kind::Config, "Worker settings: bootstrap.servers, security.protocol, .."),
    ],
};

pub(super) static CONNECTOR: Shape = Shape {
    name: "Connector",
    doc: "A connector, and what it does.",
    members: &[
        must("id", TEXT, "lcc-..: its own for all time."),
        must("name", TEXT, "Unique in its cluster."),
        must("environment", TEXT, ""),
        must("cluster", TEXT, ""),
        must(
            "config",
            Kind::Config,
            "As it was written; secrets masked by sixteen asterisks, which sent back keep what is stored.",
        ),
        must("type", Kind::Choice(&["sink", "source"]), ""),
        must("target", TARGETS, "What is wanted."),
        must("tasks", COUNT, "How many tasks it has, if it is not stopped."),
        must("status", Kind::Object(&STATUS), ""),
        must("revision", COUNT, "Counts its changes: the ETag."),
        must("created_at", Kind::Time, ""),
        must("updated_at", Kind::Time, ""),
    ],
};

static STATUS: Shape = Shape {
    name: "Status",
    doc: "What a connector is doing.",
    members: &[
        must("connector", DOING, ""),
        must("tasks", Kind::List(&DOING), "By number."),
        must("worker_id", TEXT, "host:port of the worker that has it."),
        null("explanation", Kind::Object(&EXPLANATION), "Why it has failed."),
    ],
};

static EXPLANATION: Shape = Shape {
    name: "Explanation",
    doc: "Why a connector has failed.",
    members: &[
        must("code", TEXT, "Has a page at /v1/errors/{code}."),
        must("text", TEXT, "What was tried, as whom, and what came back."),
        null("hint", TEXT, "What to do."),
        must("causes", Kind::List(&TEXT), "What may have caused it, the likeliest first."),
        must("since", Kind::Time, "When it failed first, without a success since."),
        must("attempts", COUNT, "How often in a row."),
        null("retry_in", Kind::Number, "Seconds until it is tried again by itself; null: not before a restart."),
    ],
};

pub(super) static CONNECTOR_STATUS: Shape = Shape {
    name: "ConnectorStatus",
    doc: "What a connector is doing, and how fast.",
    members: &[
        must("name", TEXT, ""),
        must("target", TARGETS, ""),
        must("status", Kind::Object(&STATUS), ""),
        null("moved", Kind::Object(&MOVED), "Since it was started; null while it does not run."),
        null("rates", Kind::Object(&RATES), "Since it was asked for before; null the first time."),
        must("partitions", Kind::List(&Kind::Object(&PARTITION)), "Those that it has now."),
        null("lag", COUNT, "Records of those partitions that are not committed yet; null if their ends are not known."),
    ],
};

static MOVED: Shape = Shape {
    name: "Moved",
    doc: "What a connector has moved since it was started.",
    members: &[
        must("records", COUNT, "Put into objects, visible or not."),
        must("committed_records", COUNT, "Visible and committed."),
        must("skipped_records", COUNT, "Passed over as errors.tolerance says."),
        must("dead_letters", COUNT, ""),
        must("fetched_bytes", COUNT, ""),
        must("encoded_bytes", COUNT, ""),
        must("stored_bytes", COUNT, ""),
        must("objects", COUNT, ""),
        must("cuts", COUNT, ""),
    ],
};

static RATES: Shape = Shape {
    name: "Rates",
    doc: "What it moves in a second.",
    members: &[
        must("over_seconds", Kind::Number, "What they are taken over."),
        must("records", Kind::Number, ""),
        must("committed_records", Kind::Number, ""),
        must("fetched_bytes", Kind::Number, ""),
        must("stored_bytes", Kind::Number, ""),
    ],
};

static PARTITION: Shape = Shape {
    name: "Partition",
    doc: "How far a partition is.",
    members: &[
        must("topic", TEXT, ""),
        must("partition", Kind::Whole { least: 0, most: i32::MAX as i64 }, ""),
        must("position", COUNT, "The next record to take up."),
        must("committed", COUNT, "The committed offset."),
        null("end", COUNT, "Where the partition ends."),
        null("lag", COUNT, ""),
    ],
};

pub(super) static NEW_CONNECTOR: Shape = Shape {
    name: "NewConnector",
    doc: "A connector to be made, as Kafka Connect takes it.",
    members: &[
        must("name", NAME, ""),
        must("config", Kind::Config, ""),
        may("cluster", ID, "What it reads from; not set: the caller's."),
        may("target", TARGETS, "What it shall do first; not set: RUNNING."),
        may("offsets", Kind::List(&Kind::Object(&OFFSET)), "Where it shall begin, if not where its group is."),
    ],
};

pub(super) static OFFSET: Shape = Shape {
    name: "Offset",
    doc: "Where a partition is, or shall be.",
    members: &[
        must("topic", Kind::Text { least: 1, most: 249 }, ""),
        must("partition", Kind::Whole { least: 0, most: i32::MAX as i64 }, ""),
        may("offset", COUNT, "The next record to read; null: from the beginning, or as auto.offset.reset says."),
    ],
};

pub(super) static OFFSETS: Shape = Shape {
    name: "Offsets",
    doc: "Where a connector's group is, or shall be.",
    members: &[must("offsets", Kind::List(&Kind::Object(&OFFSET)), "By topic and partition.")],
};

pub(super) static TOPICS: Shape = Shape {
    name: "Topics",
    doc: "The topics that a connector has read from.",
    members: &[must("topics", Kind::List(&TEXT), "By name.")],
};

pub(super) static LOGS: Shape = Shape {
    name: "Logs",
    doc: "The last lines of a connector's log, in memory.",
    members: &[must("lines", Kind::List(&Kind::Object(&LOG_LINE)), "The oldest first.")],
};

static LOG_LINE: Shape = Shape {
    name: "LogLine",
    doc: "A line of a connector's log.",
    members: &[
        must("at", Kind::Time, ""),
        must("level", Kind::Choice(&["ERROR", "WARN", "INFO", "DEBUG", "TRACE"]), ""),
        must("text", TEXT, ""),
    ],
};

pub(super) static VALIDATION: Shape = Shape {
    name: "Validation",
    doc: "What is wrong with a configuration.",
    members: &[
        must("class", TEXT, "The class as the configuration calls it."),
        must("error_count", COUNT, "0: it would be taken."),
        must("faults", Kind::List(&Kind::Object(&FAULT)), "All of them."),
    ],
};

pub(super) static CONNECTION: Shape = Shape {
    name: "Connection",
    doc: "How to reach AWS.",
    members: &[
        must("name", TEXT, "Unique in its environment."),
        must("environment", TEXT, ""),
        must("spec", Kind::Open, "As in a file of connections (docs/connections.md); secrets masked."),
        must("is_from_file", Kind::Flag, "From the operator's file: it cannot be changed here."),
        must("revision", COUNT, "Counts its changes: the ETag."),
        must("created_at", Kind::Time, ""),
    ],
};

pub(super) static NEW_CONNECTION: Shape = Shape {
    name: "NewConnection",
    doc: "A connection to be made.",
    members: &[
        must("name", NAME, ""),
        may("environment", ID, "Whose it is; not set: the caller's."),
        must("spec", Kind::Open, "kind, region, roles, fence, .. as in a file of connections."),
    ],
};

pub(super) static TEST: Shape = Shape {
    name: "Test",
    doc: "How a connection is examined.",
    members: &[
        may("depth", DEPTHS, "Not set: identity; with a bucket, read."),
        may("bucket", Kind::Text { least: 1, most: 255 }, "A bucket to read or write."),
        may("prefix", Kind::Text { least: 0, most: 1024 }, "What keys in it begin with."),
        may("region", Kind::Text { least: 1, most: 64 }, "The bucket's, if it is another one."),
    ],
};

pub(super) static UNSAVED_TEST: Shape = Shape {
    name: "UnsavedTest",
    doc: "A connection that is not saved, and how it is examined.",
    members: &[
        may("environment", ID, "As whose it is examined; not set: the caller's."),
        must("spec", Kind::Open, "As in a file of connections."),
        may("depth", DEPTHS, "Not set: identity; with a bucket, read."),
        may("bucket", Kind::Text { least: 1, most: 255 }, "A bucket to read or write."),
        may("prefix", Kind::Text { least: 0, most: 1024 }, "What keys in it begin with."),
        may("region", Kind::Text { least: 1, most: 64 }, "The bucket's, if it is another one."),
    ],
};

pub(super) static REPORT: Shape = Shape {
    name: "Report",
    doc: "What the doctor found (docs/doctor.schema.json).",
    members: &[
        must("version", COUNT, ""),
        must("target", TEXT, ""),
        must("kind", Kind::Choice(&["connection", "integration", "connector", "unsaved"]), ""),
        must("depth", DEPTHS, ""),
        must("verdict", Kind::Choice(&["passed", "failed", "unproven"]), ""),
        must("checks", Kind::List(&Kind::Open), "In the order in which they are made."),
        must("not_tested", Kind::List(&TEXT), "What nobody tried."),
        must("facts", Kind::Open, "What was learnt on the way."),
    ],
};

pub(super) static INTEGRATION: Shape = Shape {
    name: "Integration",
    doc: "The trust between Tidegate and a customer's AWS account.",
    members: &[
        must("id", TEXT, "cspi-.."),
        must("display_name", TEXT, ""),
        must("environment", TEXT, ""),
        must("principal", TEXT, "Who we are to the customer: an ARN."),
        null("role", TEXT, "The customer's role."),
        must("state", Kind::Choice(&["pending", "unproven", "proven", "refused", "unsafe"]), ""),
        null("external_id", TEXT, "What to hand on: the newest one."),
        must("external_ids", Kind::List(&Kind::Open), "All that were issued, newest first."),
        must("created_at", Kind::Time, ""),
        null("proven_at", Kind::Time, ""),
        null("last_proof", Kind::Open, ""),
        must("usages", Kind::List(&TEXT), "The resource names of the connectors that use it."),
    ],
};

pub(super) static NEW_INTEGRATION: Shape = Shape {
    name: "NewIntegration",
    doc: "An integration to be made. The external ID is ours to make.",
    members: &[
        must("display_name", Kind::Text { least: 1, most: 60 }, ""),
        may("environment", ID, "Whose it is; not set: the caller's."),
        may("role", Kind::Text { least: 1, most: 2048 }, "The customer's role, if there is one already."),
    ],
};

pub(super) static ROLE: Shape = Shape {
    name: "Role",
    doc: "A customer's role.",
    members: &[must("role", Kind::Text { least: 1, most: 2048 }, "Its ARN.")],
};

pub(super) static VERIFIED: Shape = Shape {
    name: "Verified",
    doc: "What was found by trying the role.",
    members: &[
        must("integration", Kind::Object(&INTEGRATION), ""),
        null("proof", Kind::Open, "What was tried, and what came back."),
        null("trust_policy", Kind::Open, "What the role's trust policy must be, where it is not."),
    ],
};

pub(super) static SESSION: Shape = Shape {
    name: "Session",
    doc: "A session in the cache, without what it consists of.",
    members: &[
        must("target", TEXT, "What it is for: role arn:aws:iam::111122223333:role/orders."),
        null("age_seconds", Kind::Number, "How long ago the live one was fetched; null: there is none."),
        null("left_seconds", Kind::Number, "How long it still has."),
        null("expires_at", Kind::Time, "When it ends."),
        must("renewals", COUNT, "Exchanges that gave a session."),
        must("failures", COUNT, "Exchanges that failed."),
        must("drops", COUNT, "Sessions dropped before their end because AWS did not accept them."),
    ],
};

pub(super) static USER: Shape = Shape {
    name: "User",
    doc: "A person who logs in.",
    members: &[
        must("id", TEXT, "u-.."),
        must("number", COUNT, ""),
        must("email", TEXT, ""),
        must("full_name", TEXT, ""),
        must("created_at", Kind::Time, ""),
    ],
};

pub(super) static NEW_USER: Shape = Shape {
    name: "NewUser",
    doc: "A person to be let in.",
    members: &[
        must("email", Kind::Text { least: 3, most: 254 }, ""),
        may("full_name", Kind::Text { least: 0, most: 200 }, ""),
        must("password", PASSWORD, "At least 12 characters."),
    ],
};

const PASSWORD: Kind = Kind::Secret { least: 12, most: 1024 };

pub(super) static NEW_PASSWORD: Shape = Shape {
    name: "NewPassword",
    doc: "A password to be set.",
    members: &[must("password", PASSWORD, "At least 12 characters.")],
};

pub(super) static SERVICE_ACCOUNT: Shape = Shape {
    name: "ServiceAccount",
    doc: "A program's account.",
    members: &[
        must("id", TEXT, "sa-.."),
        must("display_name", TEXT, ""),
        must("description", TEXT, ""),
        must("created_at", Kind::Time, ""),
    ],
};

pub(super) static NEW_SERVICE_ACCOUNT: Shape = Shape {
    name: "NewServiceAccount",
    doc: "A program's account to be made.",
    members: &[must("display_name", LABEL, "Unique."), may("description", NOTE, "")],
};

pub(super) static KEY: Shape = Shape {
    name: "Key",
    doc: "An API key.",
    members: &[
        must("id", TEXT, "The key: the user of HTTP Basic."),
        must("owner", TEXT, "For whom it speaks."),
        null("cluster", TEXT, "The only cluster that it reaches; null: everything that its owner may."),
        must("description", TEXT, ""),
        must("created_at", Kind::Time, ""),
    ],
};

pub(super) static ISSUED_KEY: Shape = Shape {
    name: "IssuedKey",
    doc: "A new API key, with its secret: this once.",
    members: &[
        must("id", TEXT, "The key: the user of HTTP Basic."),
        must("owner", TEXT, "For whom it speaks."),
        null("cluster", TEXT, "The only cluster that it reaches."),
        must("description", TEXT, ""),
        must("created_at", Kind::Time, ""),
        must("secret", TEXT, "The password of HTTP Basic. It is not kept, and never shown again."),
    ],
};

pub(super) static NEW_KEY: Shape = Shape {
    name: "NewKey",
    doc: "An API key to be made.",
    members: &[
        may("owner", PRINCIPAL, "For whom it speaks: User:u-.. or User:sa-..; not set: the caller."),
        may("cluster", ID, "The only cluster that it shall reach."),
        may("description", NOTE, ""),
    ],
};

pub(super) static ROLE_BINDING: Shape = Shape {
    name: "RoleBinding",
    doc: "A role that a principal has.",
    members: &[
        must("id", TEXT, "rb-.."),
        must("principal", TEXT, ""),
        must("role", ROLES, ""),
        must("crn_pattern", TEXT, "Where."),
        must("created_at", Kind::Time, ""),
    ],
};

pub(super) static NEW_ROLE_BINDING: Shape = Shape {
    name: "NewRoleBinding",
    doc: "A role to be given.",
    members: &[
        must("principal", PRINCIPAL, "User:u-.. or User:sa-.."),
        must("role", ROLES, ""),
        may(
            "crn_pattern",
            Kind::Text { least: 1, most: 2048 },
            "Where, as a resource name; or say environment, cluster, connector, integration.",
        ),
        may("environment", ID, ""),
        may("cluster", ID, ""),
        may("connector", NAME, "The name of one, or *."),
        may("integration", ID, "The id of one, or *."),
    ],
};

pub(super) static AUDIT_ENTRY: Shape = Shape {
    name: "AuditEntry",
    doc: "A write that was tried, or an exchange for a session.",
    members: &[
        must("number", COUNT, ""),
        must("at", Kind::Time, ""),
        must("principal", TEXT, "Who."),
        must("action", TEXT, "connector.create, session.exchange, .."),
        must("resource", TEXT, "To what."),
        null("environment", TEXT, ""),
        null("before", Kind::Any, "Secrets masked."),
        null("after", Kind::Any, "Secrets masked."),
        null("address", TEXT, "Where it came from."),
        must("surface", TEXT, "connect, confluent, v1, cli."),
        must("request_id", TEXT, ""),
        must("result", TEXT, "done, or the code of the refusal."),
    ],
};
