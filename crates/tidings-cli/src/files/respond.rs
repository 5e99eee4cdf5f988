//! One file, opened, becomes one response.
//!
//! This is the blocking half: it opens, looks, reads and compresses, and is told everything it
//! needs to know about the request beforehand. The order is decided by what must stay true:
//!
//! - what is in memory was read while the file stood still, or has no tag: the state of the opened
//!   file is looked at before and after reading, and if it moved it is opened and read again;
//! - the tag is made from the state before reading, so that content can only be newer than its tag;
//! - the snippet was taken before the file is opened (by the caller);
//! - a promised length is the length of what is already in memory plus what `Body` will enforce.

use std::fs::{File, Metadata};
#[cfg(not(unix))]
use std::io::Read;
use std::io::{self, Seek, SeekFrom};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName,
    LAST_MODIFIED, VARY,
};
use http::{HeaderValue, Response, StatusCode};

use super::Snippet;
use super::analysis::{Analysis, AnalysisCache, ScriptPlace, Version};
use super::body::Body;
use super::charset::{self, Charset};
use super::compress::{self, Coding};
use super::media::{self, Media};
use super::open::{Opened, Root};
use super::range::RangeHeader;
use super::resolve::RelPath;
use super::validator::Validator;
use tidings::reload::{Injector, Outcome};

/// Documents up to this size are injected in memory; of larger ones only the beginning is.
const DOCUMENT_BYTES: u64 = 8 * 1024 * 1024;
/// Other files up to this size are read at once.
const SMALL_BYTES: u64 = 256 * 1024;
/// How often a file that is written in place while it is read is read again.
const READS: usize = 4;
/// How much of a large document the injector is shown. It decides long before.
const PROLOGUE_BYTES: u64 = 4 * 1024 * 1024;

/// A file to serve, and all that the request says about how.
#[derive(Debug)]
pub(crate) struct FileRequest {
    pub(crate) root: Root,
    pub(crate) path: RelPath,
    pub(crate) media: Media,
    /// 200, or 404 for the site's own page about what is missing.
    pub(crate) status: StatusCode,
    /// To be put into the document; only for HTML.
    pub(crate) snippet: Option<Snippet>,
    pub(crate) none_match: Option<Vec<u8>>,
    pub(crate) modified_since: Option<Vec<u8>>,
    pub(crate) range: Option<RangeHeader>,
    pub(crate) if_range: Option<Vec<u8>>,
    pub(crate) coding: Option<Coding>,
    /// Whether another client might get a compressed answer.
    pub(crate) may_compress: bool,
    pub(crate) analyses: Arc<AnalysisCache>,
    pub(crate) clock: fn() -> SystemTime,
}

/// The response, and what the caller wants to know about the file.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) response: Response<Body>,
    /// The state of the opened file, before it was read and, where it was read, after.
    pub(crate) before: Metadata,
    pub(crate) after: Option<Metadata>,
    /// Whether the two differ.
    pub(crate) changed_while_read: bool,
    pub(crate) not_injected: Option<&'static str>,
}

/// What will be sent of a file, before it is compressed.
struct Content {
    chunks: Vec<Bytes>,
    /// What is still in the file, from where it stands.
    rest_bytes: u64,
    content_type: String,
    /// Where the script went, if there was to be one.
    script: Option<ScriptPlace>,
}

impl FileRequest {
    /// `None`: there is no such file (any more).
    pub(crate) fn respond(self) -> io::Result<Option<Served>> {
        self.respond_while(|| {})
    }

    /// `meanwhile` is what others do while the file is read: nothing, except in tests.
    fn respond_while(self, mut meanwhile: impl FnMut()) -> io::Result<Option<Served>> {
        let mut reads = 0;
        loop {
            let Some(Opened { file, meta }) = self.root.open(&self.path)? else {
                return Ok(None);
            };
            let mut served = self.respond_once(file, meta, &mut meanwhile)?;
            reads += 1;
            served.changed_while_read = served
                .after
                .as_ref()
                .is_some_and(|after| Version::of(after) != Version::of(&served.before));
            if !served.changed_while_read {
                return Ok(Some(served));
            }
            if reads == READS {
                // What was read may be a bit of several states: none that a tag could name.
                served.response.headers_mut().remove(ETAG);
                served.response.headers_mut().remove(LAST_MODIFIED);
                return Ok(Some(served));
            }
        }
    }

    fn respond_once(
        &self,
        file: File,
        meta: Metadata,
        meanwhile: &mut impl FnMut(),
    ) -> io::Result<Served> {
        let mut served = Served {
            response: Response::new(Body::empty()),
            before: meta,
            after: None,
            changed_while_read: false,
            not_injected: None,
        };
        let Served {
            response,
            before: meta,
            after,
            not_injected,
            ..
        } = &mut served;
        let name = self.path.name().unwrap_or_default();
        let worth = self.media.is_compressible(name) && compress::is_worthwhile(meta.len());
        // RFC 9110 14.2: a range may be ignored. A part of a page would be one without the script.
        let range = self.range.filter(|_| self.snippet.is_none());
        let coding = self.coding.filter(|_| worth && range.is_none());
        let mut validator = Validator::of(meta, (self.clock)());
        if let Some(snippet) = &self.snippet {
            validator = validator.with_suffix(&snippet.tag);
        }
        if let Some(coding) = coding {
            validator = validator.with_suffix(coding.etag_suffix());
        }
        *response.status_mut() = self.status;
        if let Some(vary) = vary(&self.media, worth && self.may_compress) {
            set(response, VARY, vary);
        }
        if self.status == StatusCode::OK {
            response.headers_mut().insert(ETAG, validator.to_header());
            if let Some(date) = validator.last_modified() {
                response.headers_mut().insert(LAST_MODIFIED, date);
            }
            // RFC 9110 13.2.2: `If-None-Match` comes first, then `If-Modified-Since`, then `Range`.
            let is_known = match (&self.none_match, &self.modified_since) {
                (Some(known), _) => validator.matches_if_none_match(known),
                (None, Some(since)) => validator.matches_if_modified_since(since),
                (None, None) => false,
            };
            if is_known {
                *response.status_mut() = StatusCode::NOT_MODIFIED;
                return Ok(served);
            }
        }
        if let Some(coding) = media::stored_coding(name) {
            set(response, CONTENT_ENCODING, coding);
        }
        let range = range.filter(|_| match &self.if_range {
            Some(state) => validator.matches_if_range(state),
            None => true,
        });
        let raw = self.snippet.is_none() && coding.is_none() && self.status == StatusCode::OK;
        if raw {
            set(response, ACCEPT_RANGES, "bytes");
        }
        if let Some(range) = range {
            self.part(range, file, meta.len(), response)?;
            return Ok(served);
        }
        let mut file = file;
        let version = validator.is_settled().then(|| Version::of(meta));
        let known = version.and_then(|version| {
            self.analyses
                .get(&version, &self.media, self.snippet.is_some())
        });
        let is_known = known.is_some();
        let content = match known {
            Some(finding) => self.content_as_analysed(finding, &mut file, meta.len())?,
            None => self.content(&mut file, meta.len(), coding.is_some())?,
        };
        set(response, CONTENT_TYPE, &content.content_type);
        *not_injected = content.script.and_then(|place| place.at.err());
        let mut body = Body::chunks(content.chunks);
        if content.rest_bytes > 0 {
            body = body.then_file(file, content.rest_bytes);
        } else {
            meanwhile();
            let now = file.metadata()?;
            if let Some(version) =
                version.filter(|version| !is_known && Version::of(&now) == *version)
            {
                let finding = Analysis {
                    content_type: content.content_type,
                    script: content.script,
                };
                self.analyses.insert(version, self.media.clone(), finding);
            }
            *after = Some(now);
            if let Some(coding) = coding {
                set(response, CONTENT_ENCODING, coding.token());
                body = Body::whole(coding.encode(&body.in_memory())?);
            }
        }
        set_body(response, body);
        Ok(served)
    }

    /// RFC 9110 15.3.7 and 15.5.17. Always from the file as it is on disk.
    fn part(
        &self,
        range: RangeHeader,
        mut file: File,
        len: u64,
        response: &mut Response<Body>,
    ) -> io::Result<()> {
        let Some((start, length)) = range.within(len) else {
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            set(response, CONTENT_RANGE, &format!("bytes */{len}"));
            set_body(response, Body::empty());
            return Ok(());
        };
        let first = head(&mut file, self.media.bytes_to_inspect(len), len)?;
        set(response, CONTENT_TYPE, &self.content_type(&first, len));
        file.seek(SeekFrom::Start(start))?;
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let end = start + length - 1;
        set(
            response,
            CONTENT_RANGE,
            &format!("bytes {start}-{end}/{len}"),
        );
        set_body(response, Body::empty().then_file(file, length));
        Ok(())
    }

    /// The same as `content`, without looking at what is known. (A file that has changed since it was opened
    /// is noticed afterwards, whatever is made of it here.)
    fn content_as_analysed(
        &self,
        known: Analysis,
        file: &mut File,
        len: u64,
    ) -> io::Result<Content> {
        let bytes = Bytes::from(read_whole(file, len)?);
        let chunks = match (&self.snippet, known.script) {
            (Some(snippet), Some(place)) => match place.at {
                Ok(at) => {
                    let at = at.min(bytes.len());
                    let script = snippet.html(place.has_policy);
                    vec![bytes.slice(..at), script, bytes.slice(at..)]
                }
                Err(_) => vec![bytes],
            },
            _ => vec![bytes],
        };
        Ok(Content {
            chunks,
            rest_bytes: 0,
            content_type: known.content_type,
            script: known.script.filter(|_| self.snippet.is_some()),
        })
    }

    fn content(&self, file: &mut File, len: u64, whole: bool) -> io::Result<Content> {
        if let Some(snippet) = &self.snippet {
            return self.injected(snippet, file, len);
        }
        let at_once = if whole { DOCUMENT_BYTES } else { SMALL_BYTES };
        let bytes_to_inspect = self.media.bytes_to_inspect(len);
        if len <= at_once.max(bytes_to_inspect as u64) {
            let bytes = read_whole(file, len)?;
            return Ok(Content {
                content_type: self.content_type(&bytes, len),
                chunks: vec![bytes.into()],
                rest_bytes: 0,
                script: None,
            });
        }
        let first = head(file, bytes_to_inspect, len)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(Content {
            content_type: self.content_type(&first, len),
            chunks: Vec::new(),
            rest_bytes: len,
            script: None,
        })
    }

    fn injected(&self, snippet: &Snippet, file: &mut File, len: u64) -> io::Result<Content> {
        let first_bytes = if len <= DOCUMENT_BYTES {
            len
        } else {
            charset::INSPECT_BYTES as u64
        };
        let first = Bytes::from(read_whole(file, first_bytes)?);
        let has_policy = has_policy(&first);
        let mut injector = Injector::new(snippet.html(has_policy));
        let charset = Charset::of(&first, first_bytes == len);
        let mut content = Content {
            chunks: Vec::new(),
            rest_bytes: 0,
            content_type: charset.content_type(),
            script: None,
        };
        let mut at = Err("it is UTF-16, and the script is ASCII");
        let mut read_bytes = first.len() as u64;
        if let Charset::Utf16(_) = charset {
            content.chunks.push(first);
        } else {
            injector.push(first, &mut content.chunks);
            while injector.outcome().is_none() && read_bytes < len.min(PROLOGUE_BYTES) {
                let chunk = read_whole(file, charset::INSPECT_BYTES as u64)?;
                if chunk.is_empty() {
                    break;
                }
                read_bytes += chunk.len() as u64;
                injector.push(chunk.into(), &mut content.chunks);
            }
            injector.finish(&mut content.chunks);
            at = match (injector.outcome(), injector.offset()) {
                (Some(Outcome::LeftAlone(why)), _) => Err(why),
                (_, offset) => offset.ok_or("there is no place for the script"),
            };
        }
        content.script = Some(ScriptPlace { at, has_policy });
        // If the file grew or shrank since it was opened: what is in memory counts as it is, and
        // only what is still to be read has been promised by the length at opening.
        if len > DOCUMENT_BYTES {
            content.rest_bytes = len.saturating_sub(read_bytes);
        }
        Ok(content)
    }

    fn content_type(&self, first: &[u8], len: u64) -> String {
        let whole = first.len() as u64 >= len;
        match self.media {
            Media::Html => Charset::of(first, whole).content_type(),
            _ => self.media.content_type(first, whole).into_owned(),
        }
    }
}

/// Whether a document that begins with these bytes has a policy of its own. Found wrongly (in a comment,
/// say), it does no harm; only the first 64 KiB are looked at, where the head is.
fn has_policy(start: &[u8]) -> bool {
    const POLICY: &[u8] = b"content-security-policy";
    let start = &start[..start.len().min(64 << 10)];
    start
        .windows(POLICY.len())
        .any(|name| name.eq_ignore_ascii_case(POLICY))
}

/// What else the answer depends on, for whoever caches it. In a frame of ours a page carries another
/// script, and `Sec-Fetch-Site` says whose frame it is.
fn vary(media: &Media, encoding: bool) -> Option<&'static str> {
    match (media, encoding) {
        (Media::Html, true) => Some("Sec-Fetch-Dest, Sec-Fetch-Site, Accept, Accept-Encoding"),
        (Media::Html, false) => Some("Sec-Fetch-Dest, Sec-Fetch-Site, Accept"),
        (_, true) => Some("Accept-Encoding"),
        (_, false) => None,
    }
}

/// Reads `expected` bytes, or fewer if the file ends before: in one call, where the file has them, into
/// memory that is not cleared first.
#[cfg(unix)]
fn read_whole(file: &mut File, expected: u64) -> io::Result<Vec<u8>> {
    let expected = expected as usize;
    let mut bytes = Vec::with_capacity(expected);
    while bytes.len() < expected {
        match rustix::io::read(&mut *file, rustix::buffer::spare_capacity(&mut bytes)) {
            Ok(0) => break,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // `with_capacity` promises no less; should it give more, then more has been read.
    if let Some(surplus @ 1..) = bytes.len().checked_sub(expected) {
        file.seek(SeekFrom::Current(-(surplus as i64)))?;
        bytes.truncate(expected);
    }
    Ok(bytes)
}

/// Reads `expected` bytes, or fewer if the file ends before.
#[cfg(not(unix))]
fn read_whole(file: &mut File, expected: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(expected as usize);
    file.take(expected).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The first bytes of a file. Leaves it standing behind them.
fn head(file: &mut File, bytes: usize, len: u64) -> io::Result<Vec<u8>> {
    match bytes {
        0 => Ok(Vec::new()),
        bytes => read_whole(file, len.min(bytes as u64)),
    }
}

/// Sets a header to a value that is known to be fit for one. If it is not after all, the header is
/// left out: a missing header is the smaller fault.
pub(crate) fn set(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Sets the body together with its length, which an answer to HEAD keeps.
pub(crate) fn set_body(response: &mut Response<Body>, body: Body) {
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(body.len_bytes()));
    *response.body_mut() = body;
}

#[cfg(test)]
mod tests {
    use super::super::open::RootHandle;
    use super::*;
    use std::io::Write;

    fn request(root: &std::path::Path) -> FileRequest {
        FileRequest {
            root: RootHandle::default().current(root, false).unwrap().unwrap(),
            path: RelPath::plain("a.txt").unwrap(),
            media: Media::of("a.txt".as_ref()),
            status: StatusCode::OK,
            snippet: None,
            none_match: None,
            modified_since: None,
            range: None,
            if_range: None,
            coding: None,
            may_compress: false,
            analyses: Arc::default(),
            clock: SystemTime::now,
        }
    }

    #[test]
    fn a_file_that_is_written_while_it_is_read_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.txt");
        std::fs::write(&file, "one").unwrap();
        let mut writes = 0;
        let served = request(dir.path()).respond_while(|| {
            writes += 1;
            if writes < 3 {
                let mut file = File::options().append(true).open(&file).unwrap();
                file.write_all(b" more").unwrap();
            }
        });
        let served = served.unwrap().unwrap();
        assert_eq!(
            served.response.body().in_memory().concat(),
            b"one more more"
        );
        assert_eq!(served.after.unwrap().len(), served.before.len());
    }

    #[test]
    fn a_file_that_never_stands_still_is_served_and_both_states_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.txt");
        std::fs::write(&file, "one").unwrap();
        let served = request(dir.path()).respond_while(|| {
            let mut file = File::options().append(true).open(&file).unwrap();
            file.write_all(b" more").unwrap();
        });
        let served = served.unwrap().unwrap();
        assert!(served.changed_while_read && !served.response.headers().contains_key(ETAG));
        assert!(served.after.unwrap().len() > served.before.len());
    }

    /// What is known of `a.txt` after it was served by this request.
    fn known_after(request: FileRequest, meanwhile: impl FnMut()) -> Option<Analysis> {
        let analyses = Arc::clone(&request.analyses);
        let served = request.respond_while(meanwhile).unwrap().unwrap();
        let version = Version::of(&served.before);
        analyses.get(&version, &Media::of("a.txt".as_ref()), false)
    }

    #[cfg(unix)]
    #[test]
    fn only_of_a_version_that_stands_still_something_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.txt");
        std::fs::write(&file, "one").unwrap();
        let old = || SystemTime::now() + std::time::Duration::from_secs(3600);
        let request = |clock| FileRequest {
            clock,
            ..request(dir.path())
        };
        assert!(known_after(request(old), || {}).is_some());
        // Changed in the future, as far as this clock knows: younger than any tick.
        assert!(known_after(request(|| SystemTime::UNIX_EPOCH), || {}).is_none());
        let grows = || {
            let mut file = File::options().append(true).open(&file).unwrap();
            file.write_all(b" more").unwrap();
        };
        assert!(known_after(request(old), grows).is_none());
    }
}
