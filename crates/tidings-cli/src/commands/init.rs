//! `tidings init`.

use crate::report::Console;

pub(crate) fn run(_console: &Console) -> anyhow::Result<()> {
    anyhow::bail!("not yet")
}
