//! The pages of `docs/`: the commands and settings that they recommend.

use std::path::Path;

/// The text of a page below a heading, up to the next of the same kind; the whole page without one.
fn section(page: &str, heading: Option<&str>) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/{page}.md"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let Some(heading) = heading else { return text };
    let start = format!("\n## {heading}\n");
    let (_, text) = text
        .split_once(&start)
        .unwrap_or_else(|| panic!("{page}: no heading {heading:?}"));
    text.split("\n## ").next().unwrap_or_default().to_owned()
}

/// The first block of this language that is about tidings.
fn block(page: &str, heading: Option<&str>, language: &str, about: &str) -> String {
    let text = section(page, heading);
    let fence = format!("```{language}\n");
    let mut blocks = text.split(&fence).skip(1).filter_map(|rest| {
        let (block, _) = rest.split_once("```")?;
        Some(block.trim().to_owned())
    });
    blocks
        .find(|block| block.contains(about))
        .unwrap_or_else(|| panic!("{page}, {heading:?}: no block of {language} with {about:?}"))
}

/// The one command, as it is typed.
pub fn command(page: &str, heading: Option<&str>) -> String {
    block(page, heading, "sh", "tidings proxy")
}

/// The same as `tidings.toml`.
pub fn toml(page: &str, heading: Option<&str>) -> String {
    block(page, heading, "toml", "[proxy]")
}

/// Another block, found by something that is in it.
pub fn snippet(page: &str, heading: Option<&str>, language: &str, about: &str) -> String {
    block(page, heading, language, about)
}
