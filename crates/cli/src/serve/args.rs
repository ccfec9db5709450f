use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::args::{LimitArguments, WorkerArguments, listen_address};

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// Where the REST API listens. Port 0 takes any. [default: 127.0.0.1:8083]
    #[arg(long, value_name = "HOST:PORT", env = "TIDEGATE_LISTEN", value_parser = listen_address)]
    pub(crate) listen: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) data: DataArguments,
    #[command(flatten)]
    pub(crate) worker: WorkerArguments,
    #[command(flatten)]
    pub(crate) limits: LimitArguments,
    #[command(flatten)]
    pub(crate) tls: TlsArguments,
    /// Who needs credentials: everybody once there is a user or a key (auto), everybody from the start (required), or
    /// nobody at all (none).
    #[arg(long, value_enum, env = "TIDEGATE_AUTH", default_value_t = Auth::Auto)]
    pub(crate) auth: Auth,
    /// A host that connectors of tenants may name as an endpoint; with a leading full stop, all hosts below a domain. May
    /// be given several times. The operator's own connectors and AWS's own hosts are not limited.
    #[arg(long = "allow-endpoint", value_name = "HOST")]
    pub(crate) allowed_endpoints: Vec<String>,
    /// How many integrations the organization may have.
    #[arg(long, value_name = "N", default_value = "100")]
    pub(crate) integration_quota: usize,
    /// The connection as which Tidegate takes on the roles of integrations. Not set: the default chain, with the region and
    /// endpoints of AWS_REGION and AWS_ENDPOINT_URL.
    #[arg(long = "as", value_name = "CONNECTION", env = "TIDEGATE_AS")]
    pub(crate) as_connection: Option<String>,
    /// Who Tidegate is to customers: a role's or user's ARN. Not set: AWS is asked when the first integration is made.
    #[arg(long, value_name = "ARN", env = "TIDEGATE_PRINCIPAL")]
    pub(crate) principal: Option<String>,
    /// How metrics are called that boards for Kafka Connect ask for; goes before metrics.dialect of the worker file.
    #[arg(long, value_enum, value_name = "NAMES")]
    pub(crate) metrics_dialect: Option<Names>,
    #[command(flatten)]
    pub(crate) init: InitArguments,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct DataArguments {
    /// Where connectors, users and integrations are kept. Not set: tidegate under XDG_STATE_HOME (~/.local/state).
    #[arg(long, value_name = "DIR", env = "TIDEGATE_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_field_names, reason = "the names of the flags")]
pub(crate) struct TlsArguments {
    /// Speak TLS: the certificate with those that lead to its authority, as PEM. Read anew when it changes.
    #[arg(long, value_name = "FILE", env = "TIDEGATE_TLS_CERT", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its key, as PEM.
    #[arg(long, value_name = "FILE", env = "TIDEGATE_TLS_KEY", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Answer only clients with a certificate of these authorities, as PEM.
    #[arg(long, value_name = "FILE", env = "TIDEGATE_TLS_CLIENT_CA", requires = "tls_cert")]
    pub(crate) tls_client_ca: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct InitArguments {
    /// Make the first user, who may do everything, and end; with --listen, serve afterwards. Without --password-file a
    /// password is drawn and printed once, on a terminal.
    #[arg(long)]
    pub(crate) init: bool,
    /// The address that the first user logs in with.
    #[arg(long, value_name = "EMAIL", env = "TIDEGATE_INIT_EMAIL", default_value = "admin@localhost")]
    pub(crate) init_email: String,
    /// Where the first user's password is read from, at least 12 characters in one line; - is stdin.
    #[arg(long, value_name = "FILE", requires = "init")]
    pub(crate) password_file: Option<PathBuf>,
}

/// Who needs credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Auth {
    Auto,
    Required,
    None,
}

/// Whose names metrics have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Names {
    Strimzi,
    Confluent,
}

#[derive(Debug, Args)]
pub(crate) struct BackupArguments {
    /// The copy; nothing may be there yet.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) data: DataArguments,
}
