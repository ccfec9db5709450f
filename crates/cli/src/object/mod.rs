//! `tidegate object` and `tidegate bucket`: what `aws::objects` does, on a connection of a file.

mod address;
mod args;
mod bucket;
mod copy;
mod delete;
mod facts;
mod list;
mod opening;
mod print;
mod progress;
mod transfer;

use world::Environment;

use crate::args::Exit;
use crate::screen::Screen;

pub(crate) use args::{BucketArguments, ObjectArguments};

use args::{BucketVerb, ObjectVerb, TagVerb};
use opening::Opening;

/// `tidegate object`: what one does with objects.
pub(crate) async fn object(arguments: &ObjectArguments, environment: &Environment, screen: &Screen) -> Exit {
    let opening = match Opening::new(&arguments.on, environment, screen) {
        Ok(opening) => opening,
        Err(exit) => return exit,
    };
    let done = match &arguments.verb {
        ObjectVerb::Get(get) => transfer::get(&opening, get).await,
        ObjectVerb::Put(put) => transfer::put(&opening, put).await,
        ObjectVerb::Cat(cat) => transfer::cat(&opening, cat).await,
        ObjectVerb::List(list) => list::list(&opening, list).await,
        ObjectVerb::Head(head) => facts::head(&opening, head).await,
        ObjectVerb::Delete(delete) => delete::delete(&opening, delete).await,
        ObjectVerb::Copy(copy) => copy::copy(&opening, copy, false).await,
        ObjectVerb::Move(copy) => copy::copy(&opening, copy, true).await,
        ObjectVerb::Presign(presign) => facts::presign(&opening, presign).await,
        ObjectVerb::Tag { verb: TagVerb::Get(at) } => facts::tags(&opening, at).await,
        ObjectVerb::Tag { verb: TagVerb::Put(put) } => facts::set_tags(&opening, put).await,
        ObjectVerb::Tag { verb: TagVerb::Delete(at) } => facts::delete_tags(&opening, at).await,
    };
    written(done.unwrap_or_else(|error| opening.explain(&error)), screen)
}

/// `tidegate bucket`: which there are, and where.
pub(crate) async fn bucket(arguments: &BucketArguments, environment: &Environment, screen: &Screen) -> Exit {
    let opening = match Opening::new(&arguments.on, environment, screen) {
        Ok(opening) => opening,
        Err(exit) => return exit,
    };
    let done = match &arguments.verb {
        BucketVerb::List => bucket::list(&opening).await,
        BucketVerb::Locate(at) => bucket::locate(&opening, at).await,
    };
    written(done.unwrap_or_else(|error| opening.explain(&error)), screen)
}

/// What was done is done; that nobody was told of it is a failure all the same.
fn written(exit: Exit, screen: &Screen) -> Exit {
    match print::lost() {
        Some(why) if exit == Exit::Done => {
            screen.print(format!("error: {why}\n").as_bytes());
            Exit::Failed
        }
        _ => exit,
    }
}
