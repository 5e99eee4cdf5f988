//! What people and other programs read: messages on the console, and one line per change.

mod changes;
mod console;
mod open_pages;
mod page_errors;
mod page_report;
mod qr;
mod terminal;

pub(crate) use changes::ChangeReporter;
pub(crate) use console::{Console, HintedError, Message, Styles, printable};
pub(crate) use open_pages::{PageName, Unanswered};
pub(crate) use page_errors::{PAGE_ERRORS_LIMIT, PageErrorReporter, PageErrors};
pub(crate) use page_report::PageReport;
pub(crate) use qr::qr_code;
pub(crate) use terminal::{shell_quoted, shown};
