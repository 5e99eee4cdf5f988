//! `text/event-stream`, [`encode`](encode()) for writing, [`Parser`] for reading.
//!
//! As specified in WHATWG HTML 9.2: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.

mod encode;
mod parse;

pub use encode::encode;
pub(crate) use encode::{comment, data_frame, id_block, retry_line, with_id};
pub use parse::{Item, Message, ParseError, Parser};
