//! What a good reviewer would say of a policy, each remark with the text that would mend it.
//!
//! What lives here: [`lint`], from a document to [`Finding`]s, and [`mend`], which follows all of them that it can. A
//! rule is a function from a [`scene::Scene`] to the spots where it strikes; a spot knows how to mend itself. What a
//! mended text cannot know (an external ID, a bucket) it names by a placeholder that lets in nobody, never by a guess.
//!
//! A rule that cries wolf is switched off in the reader's head, so that two things are tested of all of them: none
//! strikes in a policy that [`crate::generate`] makes or that AWS shows as good, and a mended text is free of what it
//! was mended for.

mod condition;
mod dead;
mod external_id;
mod finding;
mod half;
mod principal;
mod rule;
mod scene;
#[cfg(test)]
mod tests;
mod whole;
mod width;

pub use finding::{Finding, Options, Severity};
pub use rule::{lint, mend};
