use control::Logs;
use rest::LogLevels;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt, reload};
use world::Clock;

use crate::args::{LogArguments, LogFormat};
use crate::screen::Screen;

/// The log of this process.
pub(crate) struct Logging {
    /// The last lines of each connector.
    pub(crate) logs: Logs,
    directives: String,
    filter: reload::Handle<EnvFilter, Registry>,
}

impl Logging {
    /// What changes its levels.
    pub(crate) fn levels(&self) -> LogLevels {
        let filter = self.filter.clone();
        LogLevels::new(&self.directives, Clock::system(), move |directives| {
            let made = EnvFilter::try_new(directives).map_err(|error| error.to_string())?;
            filter.reload(made).map_err(|error| error.to_string())
        })
    }
}

/// Sends log lines to the screen: one line of fields each. What is said of a connector is kept, too, for who asks for it.
pub(crate) fn start(arguments: &LogArguments, screen: &Screen) -> Result<Logging, String> {
    let filter = EnvFilter::try_new(&arguments.log)
        .map_err(|error| format!("--log {:?} cannot be understood: {error}", arguments.log))?;
    let (filter, handle) = reload::Layer::new(filter);
    let lines = fmt::layer().with_target(false).with_ansi(screen.is_terminal()).with_writer(screen.clone());
    let lines = match arguments.log_format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let logs = Logs::default();
    let kept = logs.layer(Clock::system());
    tracing_subscriber::registry().with(filter).with(lines).with(kept).try_init().map_err(|error| error.to_string())?;
    Ok(Logging { logs, directives: arguments.log.clone(), filter: handle })
}
