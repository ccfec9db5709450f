use serde_json::json;
use world::Environment;

use crate::args::{CheckArguments, Exit, Output};
use crate::integrated::Known;
use crate::load::load;
use crate::screen::Screen;
use crate::stdout::print;

/// `tidegate check`: everything that is wrong with connector files, and what they would do.
pub(crate) async fn check(arguments: &CheckArguments, environment: &Environment, screen: &Screen) -> Exit {
    let integrations = Known::read(&arguments.store, &arguments.worker, environment).await;
    let loaded = match load(&arguments.connectors, &arguments.worker, integrations.map(|known| known as _), environment)
    {
        Ok(loaded) => loaded,
        Err(text) => {
            screen.print(format!("error: {text}\n").as_bytes());
            return Exit::Usage;
        }
    };
    for warning in &loaded.warnings {
        screen.print(format!("warning: {warning}\n").as_bytes());
    }
    let out = match arguments.output {
        Output::Text => loaded.reports.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        Output::Json => {
            let reports: Vec<_> = loaded.reports.iter().map(connectors::CheckReport::to_json).collect();
            format!("{:#}\n", json!({ "connectors": reports }))
        }
    };
    print(&out, if loaded.is_ok() { Exit::Done } else { Exit::Refused }, screen)
}
