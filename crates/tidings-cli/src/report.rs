//! What people and programs are told: messages in the terminal, and one line per change.

mod changes;
mod console;

pub(crate) use changes::{Report, Seen};
pub(crate) use console::{Hinted, Line, Paint, Say, printable};
