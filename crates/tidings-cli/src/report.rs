//! What people and other programs read: messages on the console, and one line per change.

mod changes;
mod console;
mod open_pages;
mod page_report;
mod terminal;

pub(crate) use changes::ChangeReporter;
pub(crate) use console::{Console, HintedError, Message, Styles, printable};
pub(crate) use open_pages::{PageName, Unanswered};
pub(crate) use page_report::PageReport;
pub(crate) use terminal::shown;
