//! `tidings completions` and `tidings man`: made from the definition of the command line.

use anyhow::Context as _;
use clap_complete::Shell;

use crate::report::{Console, HintedError};

pub(crate) fn completions(shell: Shell, mut definition: clap::Command, console: &Console) {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut definition, "tidings", &mut text);
    console.raw(&text);
}

/// The manual page of the program, or of one of its commands.
pub(crate) fn man(
    command: Option<&str>,
    definition: clap::Command,
    console: &Console,
) -> anyhow::Result<()> {
    let page = match command {
        None => definition,
        Some(name) => {
            let found = definition.find_subcommand(name).cloned();
            found.ok_or_else(|| HintedError {
                message: format!("there is no command {name}"),
                hint: "`tidings help` lists the commands".to_owned(),
            })?
        }
    };
    let mut text = Vec::new();
    let title = match command {
        None => "tidings".to_owned(),
        Some(name) => format!("tidings-{name}"),
    };
    let source = format!("tidings {}", env!("CARGO_PKG_VERSION"));
    let manual = clap_mangen::Man::new(page);
    manual
        .title(title)
        .source(source)
        .render(&mut text)
        .context("cannot make the manual page")?;
    console.raw(&text);
    Ok(())
}
