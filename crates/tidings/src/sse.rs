//! `text/event-stream`, both ways: [`encode`](self) on our side, [`Parser`] on the reader's.
//!
//! WHATWG HTML 9.2 is the law here: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.

mod encode;
mod parse;

pub use encode::encode;
pub(crate) use encode::{comment, data_frame, id_block, retry_line, with_id};
pub use parse::{Item, Message, ParseError, Parser};
