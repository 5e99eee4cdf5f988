//! The template of the pages that the server generates: markup, style and Content-Security-Policy.
//!
//! Invariant: everything from a file name or a request goes through `escape`. The policy would block a
//! script even if it did not.

use std::borrow::Cow;

/// For generated pages only, not for the site's. `'self'` is for the reload script and its stream.
pub(crate) const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; \
    connect-src 'self'; img-src 'self' data:; worker-src 'self'";

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1d2430;--dim:#667085;--line:#e4e7ec;--paper:#fff;--hover:#f5f7fa;--link:#0b5cad}\
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--dim:#98a2b3;--line:#2b3240;--paper:#12161d;--hover:#1a202a;--link:#7ab8ff}}\
*{box-sizing:border-box}\
body{margin:0 auto;max-width:60rem;padding:2.5rem 1.25rem;background:var(--paper);color:var(--ink);\
font:16px/1.5 system-ui,sans-serif}\
h1{font-size:1.25rem;font-weight:600;margin:0 0 1.25rem;overflow-wrap:anywhere}\
h1 a,td a{color:var(--link);text-decoration:none}h1 a:hover,td a:hover{text-decoration:underline}\
h1 i{color:var(--dim);font-style:normal;padding:0 .2em}\
p{margin:.5rem 0;overflow-wrap:anywhere}.dim{color:var(--dim)}code{font:.9em ui-monospace,monospace}\
table{width:100%;border-collapse:collapse;font-variant-numeric:tabular-nums}\
th{font-size:.8rem;font-weight:500;text-align:left;color:var(--dim)}\
th,td{padding:.4rem .5rem;border-bottom:1px solid var(--line)}\
td:first-child{overflow-wrap:anywhere}tr:hover td{background:var(--hover)}\
.n{text-align:right;color:var(--dim);white-space:nowrap}\
@media(max-width:36rem){.t{display:none}}";

/// A complete page. `title` is text; `snippet` and `content` are HTML.
pub(crate) fn page(title: &str, snippet: &str, content: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head>{snippet}<meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style>{STYLE}</style></head>\n<body>\n{content}\n</body></html>\n"
    )
}

/// Escapes text for element content and quoted attributes.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            char => escaped.push(char),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_text_is_escaped() {
        assert_eq!(
            escape("<a href='x' b=\"y\">&"),
            "&lt;a href=&#39;x&#39; b=&quot;y&quot;&gt;&amp;"
        );
        assert!(matches!(escape("grüße"), Cow::Borrowed(_)));
    }
}
