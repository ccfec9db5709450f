use std::path::PathBuf;

use clap::Args;
use world::{Environment, Secret};

use super::contexts::{Context, Contexts};
use super::{Failure, read_secret};

/// Where `serve` listens if nothing else is said.
const DEFAULT: &str = "http://127.0.0.1:8083";

/// Which server is asked, and as whom. No secret is ever an argument: those are seen by everybody on the machine.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ServerArguments {
    /// URL of the server. Not set: TIDEGATE_SERVER, the context in use, http://127.0.0.1:8083.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// A server and credentials that were saved with `tidegate context add`.
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "server")]
    pub(crate) context: Option<String>,
    /// API key, or a user's address. Not set: TIDEGATE_API_KEY. Its secret: TIDEGATE_API_SECRET, --secret-file, or asked for.
    #[arg(long, global = true, value_name = "KEY")]
    pub(crate) api_key: Option<String>,
    /// File that holds the secret of --api-key alone; - is stdin.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    /// Certificates (PEM) to trust beside the machine's.
    #[arg(long, global = true, value_name = "FILE", env = "TIDEGATE_CA_CERT")]
    pub(crate) ca_cert: Option<PathBuf>,
    /// Trust any certificate; for servers on this machine alone.
    #[arg(long, global = true)]
    pub(crate) insecure: bool,
}

/// A server, and who is asking it.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    pub(crate) url: String,
    /// API key and secret, or address and password.
    pub(crate) who: Option<(String, Secret)>,
    pub(crate) ca_cert: Option<PathBuf>,
    pub(crate) insecure: bool,
    /// What `--cluster` and `--environment` are if they are not given.
    pub(crate) cluster: Option<String>,
    pub(crate) environment: Option<String>,
}

impl ServerArguments {
    /// Whether a server is named: on the command line, or (`anywhere`) by the environment or a context in use. Commands
    /// that can do without one, on files of this machine, ask.
    pub(crate) fn is_named(&self, anywhere: bool, environment: &Environment) -> Result<bool, Failure> {
        if self.server.is_some() || self.context.is_some() {
            return Ok(true);
        }
        Ok(anywhere
            && (variable(environment, "TIDEGATE_SERVER").is_some() || Contexts::read(environment)?.current.is_some()))
    }

    /// The server, and who is asking it. The credentials of a context go to its own server, and nowhere else.
    pub(crate) fn access(&self, environment: &Environment) -> Result<Access, Failure> {
        let named = self.server.clone().or_else(|| match self.context {
            Some(_) => None,
            None => variable(environment, "TIDEGATE_SERVER"),
        });
        let context = match (&named, &self.context) {
            (Some(_), _) => None,
            (None, Some(name)) => Some(Contexts::read(environment)?.named(name)?),
            (None, None) => Contexts::read(environment)?.in_use()?,
        };
        let mut access = match (named, context) {
            (Some(url), _) => plain(url),
            (None, Some(context)) => of(context),
            (None, None) => plain(DEFAULT.to_owned()),
        };
        let from_context = access.who.is_some();
        let of_environment = || if from_context { None } else { variable(environment, "TIDEGATE_API_KEY") };
        let key = self.api_key.clone().or_else(of_environment);
        if let Some(key) = key {
            let secret = match (&self.secret_file, variable(environment, "TIDEGATE_API_SECRET")) {
                (Some(file), _) => read_secret(Some(file), &format!("secret of {key}"))?,
                (None, Some(secret)) => Secret::new(secret),
                (None, None) => read_secret(None, &format!("secret of {key}"))?,
            };
            access.who = Some((key, secret));
        }
        access.ca_cert = self.ca_cert.clone().or(access.ca_cert);
        access.insecure |= self.insecure;
        Ok(access)
    }
}

fn plain(url: String) -> Access {
    Access { url, who: None, ca_cert: None, insecure: false, cluster: None, environment: None }
}

fn of(context: Context) -> Access {
    let Context { server, user, secret, ca_cert, insecure, cluster, environment } = context;
    let who = user.map(|user| (user, Secret::new(secret.unwrap_or_default())));
    Access { url: server, who, ca_cert, insecure, cluster, environment }
}

/// A variable that is set and not empty.
fn variable(environment: &Environment, name: &str) -> Option<String> {
    environment.get(name).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(arguments: &ServerArguments, variables: &[(&str, &str)]) -> Access {
        arguments.access(&Environment::of(variables.iter().copied())).expect("it is complete")
    }

    #[test]
    fn the_credentials_of_a_context_go_to_its_own_server_alone() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().to_str().unwrap();
        let environment = Environment::of([("XDG_CONFIG_HOME", home)]);
        let mut contexts = Contexts::default();
        let context = Context {
            server: "https://tidegate.example".to_owned(),
            user: Some("KEY1".to_owned()),
            secret: Some("s3cret".to_owned()),
            ..Context::default()
        };
        contexts.contexts.insert("prod".to_owned(), context);
        contexts.current = Some("prod".to_owned());
        contexts.write(&environment).unwrap();
        let config = ("XDG_CONFIG_HOME", home);

        let used = access(&ServerArguments::default(), &[config]);
        assert_eq!((used.url.as_str(), used.who.unwrap().0.as_str()), ("https://tidegate.example", "KEY1"));
        let elsewhere = ServerArguments { server: Some("http://127.0.0.1:1".to_owned()), ..Default::default() };
        assert!(access(&elsewhere, &[config]).who.is_none());
        assert!(
            access(&ServerArguments::default(), &[config, ("TIDEGATE_SERVER", "http://127.0.0.1:1")]).who.is_none()
        );
        // Nor do the environment's go to the context's server.
        let keys = [("TIDEGATE_API_KEY", "OTHER"), ("TIDEGATE_API_SECRET", "x")];
        assert_eq!(access(&ServerArguments::default(), &[config, keys[0], keys[1]]).who.unwrap().0, "KEY1");
        assert_eq!(access(&elsewhere, &[config, keys[0], keys[1]]).who.unwrap().0, "OTHER");
    }

    #[test]
    fn without_anything_it_is_the_server_on_this_machine() {
        let dir = tempfile::tempdir().unwrap();
        let used = access(&ServerArguments::default(), &[("XDG_CONFIG_HOME", dir.path().to_str().unwrap())]);
        assert_eq!((used.url.as_str(), used.who.is_none()), (DEFAULT, true));
    }
}
