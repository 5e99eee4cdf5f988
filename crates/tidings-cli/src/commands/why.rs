//! `tidings why`
use std::process::ExitCode;
use std::sync::Arc;
use crate::report::Console;
pub(crate) fn run(_: &crate::config::Why, _: &Arc<Console>) -> anyhow::Result<ExitCode> { Ok(ExitCode::SUCCESS) }
