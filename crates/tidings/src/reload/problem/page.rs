//! The page that is served where there is no page to lay a problem over.

use std::fmt::Write;

use super::{Excerpt, Problem, escape};

const STYLE: &str = include_str!("../client/problem.css");

/// An HTML page that shows a problem. It needs no script: then it reloads every two seconds. `script` is
/// the [`ScriptElement`](super::super::ScriptElement) of a page of the kind
/// [`Waiting`](super::super::PageKind::Waiting), or empty. With it the page requests its own address once it
/// is loaded and whenever something is published, and reloads when it has another answer.
///
/// Send it with a status of 502 or 503, [`PROBLEM_HEADER`](super::PROBLEM_HEADER) and `no-store`, as
/// `text/html; charset=utf-8`.
pub fn problem_page(problem: &Problem, script: &str) -> String {
    let title = escape(&problem.title);
    let text: String = problem
        .text
        .iter()
        .map(|run| span(run.text(), run.style()))
        .collect();
    let excerpt = problem.excerpt.as_ref().map_or(String::new(), excerpt);
    format!(
        "<!doctype html>\n\
         <html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <noscript><meta http-equiv=\"refresh\" content=\"2\"></noscript>\n\
         {script}<style>\n{STYLE}</style></head>\n\
         <body class=\"page\"><main class=\"panel {kind}\"><h1>{title}</h1>\n{excerpt}\
         <pre tabindex=\"0\">{text}</pre>\n\
         <p class=\"foot\">This page goes on by itself as soon as it is mended.</p></main></body></html>\n",
        kind = problem.kind.as_str(),
    )
}

/// As `excerptOf` in `client/parts/overlay.js`.
fn excerpt(excerpt: &Excerpt) -> String {
    let mut html = format!(
        "<figure><figcaption><span class=\"file\">{}</span></figcaption><pre>",
        escape(&excerpt.place().to_string())
    );
    for (number, text) in excerpt.numbered() {
        let text = escape(text);
        // Writing to a `String` cannot fail.
        _ = match number == excerpt.line() {
            true => writeln!(html, "<mark>{number:>5}  {text}</mark>"),
            false => writeln!(html, "{number:>5}  {text}"),
        };
    }
    html.push_str("</pre></figure>\n");
    html
}

/// As `spanFor` in `client/parts/overlay.js`.
fn span(text: &str, style: &str) -> String {
    let text = escape(text);
    if style.is_empty() {
        return text;
    }
    let mut classes = String::new();
    let mut colors = String::new();
    for name in style.split(' ') {
        let color = name.strip_prefix("fg").or_else(|| name.strip_prefix("bg"));
        let (class, color) = match color {
            Some(color) => (&name[..2], color),
            None => (name, ""),
        };
        classes += &format!(" {class}");
        if color.starts_with('#') {
            classes += if class == "fg" { " rgb" } else { "" };
            colors += &format!("--{class}:{color};");
        } else if let Ok(n) = color.parse::<u8>() {
            colors += &format!("--{class}:var(--c{});", n % 8);
        }
    }
    let classes = classes.trim_start();
    match colors.is_empty() {
        true => format!("<span class=\"{classes}\">{text}</span>"),
        false => format!("<span class=\"{classes}\" style=\"{colors}\">{text}</span>"),
    }
}
