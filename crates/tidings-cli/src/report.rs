//! What people and other programs read: messages on the console, and one line per change.

mod changes;
mod console;
mod page_errors;
mod terminal;

pub(crate) use changes::{ChangeReporter, PageReport};
pub(crate) use console::{Console, HintedError, Message, Styles, printable};
pub(crate) use page_errors::{PAGE_ERRORS_LIMIT, PageErrorReporter, PageErrors};
pub(crate) use terminal::shown;
