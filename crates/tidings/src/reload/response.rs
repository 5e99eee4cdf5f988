//! The rule of what is injected, second half: what is done with the response to a navigation.
//!
//! | Response | |
//! |---|---|
//! | HTML in an encoding that extends ASCII, whatever its status | the script is inserted |
//! | an error as `text/plain`, or without any content | becomes a page of ours that shows the text |
//! | an error as HTML of unknown length that has no content | the script, and then a page of ours |
//! | a download, a part of a document, a compressed one that the caller does not decode | left alone |
//! | XHTML, SVG, JSON and all other types | left alone |
//!
//! What must stay true: it fails open. A response that is left alone is not changed at all.

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH,
    CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_REPORT_ONLY, CONTENT_TYPE, ETAG, EXPIRES,
    HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED, LOCATION, VARY,
};
use http::{Response, StatusCode};
use http_body::Body;

use super::ScriptElement;
use super::inject_body::InjectBody;
use super::navigation::Navigation;
use super::page_body::PageBody;
use super::policy::{self, Own};
use super::text_page::{self, TextPage};
use super::versions::{PageHead, Tee};

/// What is done with the response to a navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// The script is inserted into it.
    Inject,
    /// It is an error that is shown as text, or not at all: a page of ours takes its place, which shows the
    /// text and heals itself.
    Replace,
    /// It stays as it is. Where a developer may expect otherwise, this says why.
    Leave(Option<&'static str>),
}

impl Decision {
    /// Decides by the type of a document alone: `Inject` or `Leave`.
    ///
    /// ```
    /// use tidings::reload::Decision;
    ///
    /// assert_eq!(Decision::of_type("text/html; charset=iso-8859-1"), Decision::Inject);
    /// assert_ne!(Decision::of_type("text/html; charset=utf-16le"), Decision::Inject);
    /// assert_eq!(Decision::of_type("application/zip"), Decision::Leave(None));
    /// ```
    pub fn of_type(content_type: &str) -> Decision {
        let why = match essence(content_type).as_str() {
            "text/html" if is_wide(content_type) => {
                "it is UTF-16, which the script cannot be added to"
            }
            "text/html" => return Decision::Inject,
            "application/xhtml+xml" => "it is XHTML, which the rules of HTML would break",
            _ if is_shown(content_type) => {
                "it is opened by itself, and only an HTML page can carry the script"
            }
            // It is downloaded.
            _ => return Decision::Leave(None),
        };
        Decision::Leave(Some(why))
    }
}

impl Navigation {
    /// Decides by the response's head, and by whether its body is known to be empty. `decoded` are the
    /// content codings that the caller will decode, such as `gzip`: where the decision is not to leave the
    /// response alone, the caller must do so, and remove `Content-Encoding`, before it calls
    /// [`respond`](Self::respond).
    pub fn decide<B: Body>(&self, response: &Response<B>, decoded: &[&str]) -> Decision {
        let headers = response.headers();
        let status = response.status();
        let is_error = is_error(status);
        match status {
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED => {
                return Decision::Leave(None);
            }
            StatusCode::PARTIAL_CONTENT => {
                return Decision::Leave(Some("it is a part of a document"));
            }
            _ if status.is_informational() => return Decision::Leave(None),
            // The browser goes on to another address, and does not show it.
            _ if status.is_redirection() && headers.contains_key(LOCATION) => {
                return Decision::Leave(None);
            }
            _ => {}
        }
        if is_download(headers) {
            return Decision::Leave(None);
        }
        let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        let content_type = content_type.map(String::from_utf8_lossy);
        let decision = match content_type.as_deref() {
            None if is_error && self.is_empty(response) => Decision::Replace,
            None if self.is_empty(response) => Decision::Leave(None),
            None => Decision::Leave(Some("it has no Content-Type")),
            Some(content_type) => match essence(content_type).as_str() {
                "text/plain" if is_error && !is_wide(content_type) => Decision::Replace,
                "text/html" if is_error && self.is_empty(response) => Decision::Replace,
                _ => Decision::of_type(content_type),
            },
        };
        if let Decision::Leave(_) = decision {
            return decision;
        }
        if !are_codings_among(headers, decoded) {
            return Decision::Leave(Some("it is compressed"));
        }
        // Whatever the paths are: whether there can be a source for them depends on the host.
        let own = Own {
            authority: self.authority.as_deref(),
            client: "/",
            stream: "/",
        };
        match policy::admit(headers, own) {
            _ if decision == Decision::Replace => decision,
            Ok(_) => decision,
            Err(why) => Decision::Leave(Some(why)),
        }
    }

    /// Carries out the decision. `script` is the script element for the page, with the state that was taken
    /// *before* the request was passed on.
    ///
    /// The head is made right for what is sent: no `Content-Length` or validators of another content, the
    /// browser asks again before it uses a cached copy, and a Content-Security-Policy admits the script and
    /// its stream.
    pub fn respond<B: Body>(
        &self,
        decision: Decision,
        response: Response<B>,
        script: ScriptElement<'_>,
    ) -> Response<PageBody<B>> {
        let (mut head, body) = response.into_parts();
        let own = Own {
            authority: self.authority.as_deref(),
            client: script.client,
            stream: script.stream,
        };
        let body = match decision {
            Decision::Leave(_) => PageBody::untouched(body),
            Decision::Inject => match policy::admit(&head.headers, own) {
                Err(_) => PageBody::untouched(body),
                Ok(mut admission) => {
                    let nonce = admission.nonce.as_deref();
                    let page_head = PageHead::with_nonce(&head.headers, nonce);
                    admission.apply(&mut head.headers);
                    let snippet = match admission.has_policy {
                        true => script.admitted(admission.nonce.as_deref()).to_string(),
                        false => script.to_string(),
                    };
                    change_head(&mut head.headers);
                    let is_blank_shown =
                        is_error(head.status) && body.size_hint().exact().is_none();
                    let snippet = Bytes::from(snippet);
                    if self.is_for_patch {
                        page_head.write(&mut head.headers);
                    }
                    let version = script
                        .version
                        .filter(|_| head.status == StatusCode::OK && !self.is_for_patch);
                    let tee = version.map(|version| {
                        let address = self.address.clone();
                        Tee::new(version.clone(), address, page_head, snippet.clone())
                    });
                    let mut body = InjectBody::new(body, snippet);
                    if is_blank_shown {
                        body = body.or_if_blank(text_page::blank(head.status));
                    }
                    match self.is_head() {
                        true => PageBody::head(),
                        false => PageBody::injected(body, tee),
                    }
                }
            },
            Decision::Replace => {
                change_head(&mut head.headers);
                let before = text_page::before(head.status, &script.to_string());
                replace_type(&mut head.headers);
                match self.is_head() {
                    true => PageBody::head(),
                    false => PageBody::replaced(TextPage::new(body, before)),
                }
            }
        };
        Response::from_parts(head, body)
    }

    /// Whether the response is known to have no content. The body of the response to `HEAD` says nothing, so
    /// there its head has to: no length, and no type either.
    fn is_empty<B: Body>(&self, response: &Response<B>) -> bool {
        let headers = response.headers();
        match headers.get(CONTENT_LENGTH) {
            Some(length) => length == "0",
            None if self.is_head() => !headers.contains_key(CONTENT_TYPE),
            None => {
                let body = response.body();
                body.is_end_stream() || body.size_hint().exact() == Some(0)
            }
        }
    }
}

fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// The type without its parameters, in lower case.
fn essence(content_type: &str) -> String {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

fn charset(content_type: &str) -> Option<&str> {
    let mut parameters = content_type.split(';').skip(1);
    parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_charset = name.trim().eq_ignore_ascii_case("charset");
        is_charset.then(|| value.trim().trim_matches(['"', '\'']))
    })
}

/// Whether the charset does not extend ASCII. (WHATWG Encoding 4.2 has no others but UTF-16 any more; browsers
/// replace UTF-7 and UTF-32 by something else.)
fn is_wide(content_type: &str) -> bool {
    charset(content_type).is_some_and(|charset| {
        let charset = charset.to_ascii_lowercase();
        [
            "utf-16",
            "utf16",
            "unicode",
            "ucs-2",
            "iso-10646-ucs-2",
            "csunicode",
        ]
        .iter()
        .any(|wide| charset.starts_with(wide))
            && !charset.starts_with("unicode-1-1-utf-8")
            && !charset.starts_with("unicode11utf8")
            && !charset.starts_with("unicode20utf8")
    })
}

/// Whether browsers show this type in a tab; others are downloaded.
fn is_shown(content_type: &str) -> bool {
    let essence = essence(content_type);
    ["text/", "image/", "video/", "audio/"]
        .iter()
        .any(|kind| essence.starts_with(kind))
        || essence.ends_with("json")
        || essence.ends_with("xml")
        || essence == "application/pdf"
}

/// RFC 6266 4.2: any disposition but `inline` is a download.
fn is_download(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_DISPOSITION).is_some_and(|value| {
        let value = value.as_bytes();
        let kind = value.split(|&byte| byte == b';').next().unwrap_or_default();
        kind.trim_ascii().eq_ignore_ascii_case(b"attachment")
    })
}

/// Whether all content codings of a response are among these.
fn are_codings_among(headers: &HeaderMap, decoded: &[&str]) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().all(|value| {
        value.to_str().is_ok_and(|value| {
            value.split(',').map(str::trim).all(|coding| {
                let is = |other: &&str| other.eq_ignore_ascii_case(coding);
                coding.is_empty() || is(&"identity") || decoded.iter().any(is)
            })
        })
    })
}

/// Makes the head right for another content than the one that it came with.
fn change_head(headers: &mut HeaderMap) {
    for name in [
        CONTENT_LENGTH,
        // A validator would bring the same page back with an old state.
        ETAG,
        LAST_MODIFIED,
        EXPIRES,
        // `prepare` has removed `Range`, and the next one is not answered either.
        ACCEPT_RANGES,
        HeaderName::from_static("content-md5"),
        HeaderName::from_static("digest"),
        HeaderName::from_static("content-digest"),
        HeaderName::from_static("repr-digest"),
    ] {
        headers.remove(name);
    }
    // The page carries a state, so a copy must not be used without asking. `no-store` would do that as well,
    // but keep the page out of the back/forward cache; where the app says it, it stays.
    let is_never_stored = headers.get_all(CACHE_CONTROL).iter().any(|value| {
        let value = value.as_bytes().to_ascii_lowercase();
        let mut directives = value.split(|&byte| byte == b',');
        directives.any(|directive| directive.trim_ascii() == b"no-store")
    });
    if !is_never_stored {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    headers.append(VARY, HeaderValue::from_static("Sec-Fetch-Dest, Accept"));
}

/// The type and policy of a page of ours that takes the place of a text.
fn replace_type(headers: &mut HeaderMap) {
    let old = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let charset = old.and_then(charset).unwrap_or("utf-8");
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:+".contains(&byte);
    let charset = match charset.bytes().all(is_token) {
        true => charset,
        false => "utf-8",
    };
    if let Ok(value) = HeaderValue::try_from(format!("text/html; charset={charset}")) {
        headers.insert(CONTENT_TYPE, value);
    }
    headers.remove(CONTENT_SECURITY_POLICY_REPORT_ONLY);
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(text_page::POLICY),
    );
}

#[cfg(test)]
mod tests;
