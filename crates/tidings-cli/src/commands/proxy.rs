//! `tidings proxy`.

use std::sync::Arc;

use crate::config::Proxy;
use crate::report::Console;

pub(crate) fn run(config: &Proxy, _console: &Arc<Console>) -> anyhow::Result<()> {
    anyhow::bail!("not yet: {config:?}")
}
