use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::{LogArguments, LogFormat};
use crate::screen::Screen;

/// Sends log lines to the screen: one line of fields each.
pub(crate) fn start(arguments: &LogArguments, screen: &Screen) -> Result<(), String> {
    let filter = EnvFilter::try_new(&arguments.log)
        .map_err(|error| format!("--log {:?} cannot be understood: {error}", arguments.log))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(screen.is_terminal())
        .with_writer(screen.clone());
    match arguments.log_format {
        LogFormat::Text => builder.finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    }
    .map_err(|error| error.to_string())
}
