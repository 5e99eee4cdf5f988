//! Builds the response for one file.
//!
//! This is the blocking part: it opens, reads, injects and compresses. All that it needs of the request is
//! in `FileRequest`. Invariants, which determine the order of the steps:
//!
//! - bytes in memory were read while the file did not change, or the response has no `ETag`: the state of
//!   the opened file is compared before and after reading, and if it differs the file is opened again;
//! - the `ETag` is made from the state before reading, so that the content is never older than it;
//! - the caller takes the snippet before the file is opened;
//! - `Content-Length` is the length of the bytes in memory plus the length that `Body` enforces.

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
use super::sent::SentPage;
use super::validator::Validator;
use tidings::reload::{Decision, Injector, Outcome};

/// Documents up to this size are read into memory as a whole; of larger ones only the beginning is.
const DOCUMENT_BYTES: u64 = 8 * 1024 * 1024;
/// Other files up to this size are read into memory as a whole.
const SMALL_BYTES: u64 = 256 * 1024;
/// How often a file that changes while it is read is read.
const READS: usize = 4;
/// How much of a large document is passed to the injector, which usually needs far less.
const PROLOGUE_BYTES: u64 = 4 * 1024 * 1024;

/// The file to serve, and what matters of the request.
#[derive(Debug)]
pub(crate) struct FileRequest {
    pub(crate) root: Root,
    pub(crate) path: RelPath,
    pub(crate) media: Media,
    /// 200, or 404 for the site's own 404 page.
    pub(crate) status: StatusCode,
    /// To be injected into the document; only for HTML.
    pub(crate) snippet: Option<Snippet>,
    pub(crate) none_match: Option<Vec<u8>>,
    pub(crate) modified_since: Option<Vec<u8>>,
    pub(crate) range: Option<RangeHeader>,
    pub(crate) if_range: Option<Vec<u8>>,
    pub(crate) coding: Option<Coding>,
    /// Whether other clients may get a compressed response.
    pub(crate) may_compress: bool,
    pub(crate) analyses: Arc<AnalysisCache>,
    pub(crate) clock: fn() -> SystemTime,
}

/// The response, and what is reported about the file.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) response: Response<Body>,
    /// The state of the opened file before it was read and, if it was, after.
    pub(crate) before: Metadata,
    pub(crate) after: Option<Metadata>,
    /// Whether these two differ.
    pub(crate) changed_while_read: bool,
    /// Why the script was not injected.
    pub(crate) not_injected: Option<&'static str>,
}

/// The content of a response before compression.
struct Content {
    chunks: Vec<Bytes>,
    /// The bytes that are still in the file, from its current offset.
    rest_bytes: u64,
    content_type: String,
    /// Where the script was injected, if there is one.
    script: Option<ScriptPlace>,
}

impl FileRequest {
    /// `None`: the file does not exist any more.
    pub(crate) fn respond(self) -> io::Result<Option<Served>> {
        self.respond_while(|| {})
    }

    /// `meanwhile` is called after each read, for tests of concurrent changes.
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
                // The bytes may be of several states, which no `ETag` can identify.
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
        let is_worthwhile = self.media.is_compressible(name) && compress::is_worthwhile(meta.len());
        // RFC 9110 14.2: a range may be ignored. A part of a page would lack the script.
        let range = self.range.filter(|_| self.snippet.is_none());
        let coding = self.coding.filter(|_| is_worthwhile && range.is_none());
        let mut validator = Validator::of(meta, (self.clock)());
        if let Some(snippet) = &self.snippet {
            validator = validator.with_suffix(&snippet.tag);
        }
        if let Some(coding) = coding {
            validator = validator.with_suffix(coding.etag_suffix());
        }
        *response.status_mut() = self.status;
        if let Some(vary) = vary(&self.media, is_worthwhile && self.may_compress) {
            set(response, VARY, vary);
        }
        if self.status == StatusCode::OK {
            response.headers_mut().insert(ETAG, validator.to_header());
            if let Some(date) = validator.last_modified() {
                response.headers_mut().insert(LAST_MODIFIED, date);
            }
            // RFC 9110 13.2.2: `If-None-Match` comes first, then `If-Modified-Since`, then `Range`.
            let is_unchanged = match (&self.none_match, &self.modified_since) {
                (Some(known), _) => validator.matches_if_none_match(known),
                (None, Some(since)) => validator.matches_if_modified_since(since),
                (None, None) => false,
            };
            if is_unchanged {
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
        let cached = version.and_then(|version| {
            self.analyses
                .get(&version, &self.media, self.snippet.is_some())
        });
        let is_cached = cached.is_some();
        let content = match cached {
            Some(analysis) => self.content_as_analysed(analysis, &mut file, meta.len())?,
            None => self.content(&mut file, meta.len(), coding.is_some())?,
        };
        set(response, CONTENT_TYPE, &content.content_type);
        *not_injected = content.script.and_then(|place| place.at.err());
        if let (Some(snippet), Some(place)) = (&self.snippet, content.script)
            && self.status == StatusCode::OK
            && content.rest_bytes == 0
            && let Some(sent) = SentPage::of(snippet, place.has_policy, &content.chunks)
        {
            response.extensions_mut().insert(sent);
        }
        let mut body = Body::chunks(content.chunks);
        if content.rest_bytes > 0 {
            body = body.then_file(file, content.rest_bytes);
        } else {
            meanwhile();
            let now = file.metadata()?;
            if let Some(version) =
                version.filter(|version| !is_cached && Version::of(&now) == *version)
            {
                let analysis = Analysis {
                    content_type: content.content_type,
                    script: content.script,
                };
                self.analyses.insert(version, self.media.clone(), analysis);
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

    /// 206 or 416 (RFC 9110 15.3.7 and 15.5.17). Always of the bytes on disk.
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

    /// The same as `content`, with a cached analysis. (If the file has changed since it was opened, the caller
    /// finds out and discards the result.)
    fn content_as_analysed(
        &self,
        analysis: Analysis,
        file: &mut File,
        len: u64,
    ) -> io::Result<Content> {
        let bytes = Bytes::from(read_whole(file, len)?);
        let chunks = match (&self.snippet, analysis.script) {
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
            content_type: analysis.content_type,
            script: analysis.script.filter(|_| self.snippet.is_some()),
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
        let mut read_bytes = first.len() as u64;
        let at = if let Decision::Leave(why) = Decision::of_type(&content.content_type) {
            content.chunks.push(first);
            Err(why.unwrap_or_default())
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
            match (injector.outcome(), injector.offset()) {
                (Some(Outcome::LeftAlone(why)), _) => Err(why),
                (_, offset) => offset.ok_or("there is no place for the script"),
            }
        };
        content.script = Some(ScriptPlace { at, has_policy });
        // If the file grew or shrank since it was opened, the bytes in memory are sent as they are, and the
        // length of the rest is calculated from the length at opening.
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

/// Whether a document that begins with these bytes has a Content-Security-Policy of its own. A false positive
/// (in a comment) does no harm. Only the first 64 KiB are searched, where the head is.
fn has_policy(start: &[u8]) -> bool {
    const POLICY: &[u8] = b"content-security-policy";
    let start = &start[..start.len().min(64 << 10)];
    start
        .windows(POLICY.len())
        .any(|name| name.eq_ignore_ascii_case(POLICY))
}

/// The request headers that the response depends on. In a frame of ours a page has another script, which is
/// decided by `Sec-Fetch-Site`.
fn vary(media: &Media, encoding: bool) -> Option<&'static str> {
    match (media, encoding) {
        (Media::Html, true) => Some("Sec-Fetch-Dest, Sec-Fetch-Site, Accept, Accept-Encoding"),
        (Media::Html, false) => Some("Sec-Fetch-Dest, Sec-Fetch-Site, Accept"),
        (_, true) => Some("Accept-Encoding"),
        (_, false) => None,
    }
}

/// Reads `expected` bytes, or fewer at the end of the file: with one system call if possible, into
/// uninitialised memory.
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
    // `with_capacity` may allocate more, and then more may have been read.
    if let Some(surplus @ 1..) = bytes.len().checked_sub(expected) {
        file.seek(SeekFrom::Current(-(surplus as i64)))?;
        bytes.truncate(expected);
    }
    Ok(bytes)
}

/// Reads `expected` bytes, or fewer at the end of the file.
#[cfg(not(unix))]
fn read_whole(file: &mut File, expected: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(expected as usize);
    file.take(expected).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads the first bytes of a file.
fn head(file: &mut File, bytes: usize, len: u64) -> io::Result<Vec<u8>> {
    match bytes {
        0 => Ok(Vec::new()),
        bytes => read_whole(file, len.min(bytes as u64)),
    }
}

/// Sets a header to a value that should be valid. If it is not, the header is omitted.
pub(crate) fn set(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Sets the body and `Content-Length`, which a response to HEAD keeps.
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
    fn a_file_that_changes_during_every_read_is_served_and_both_states_are_reported() {
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

    /// What is cached for `a.txt` after this request.
    fn cached_after(request: FileRequest, meanwhile: impl FnMut()) -> Option<Analysis> {
        let analyses = Arc::clone(&request.analyses);
        let served = request.respond_while(meanwhile).unwrap().unwrap();
        let version = Version::of(&served.before);
        analyses.get(&version, &Media::of("a.txt".as_ref()), false)
    }

    #[cfg(unix)]
    #[test]
    fn only_settled_versions_are_cached() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.txt");
        std::fs::write(&file, "one").unwrap();
        let old = || SystemTime::now() + std::time::Duration::from_secs(3600);
        let request = |clock| FileRequest {
            clock,
            ..request(dir.path())
        };
        assert!(cached_after(request(old), || {}).is_some());
        // By this clock the file will change in the future: it is younger than a tick.
        assert!(cached_after(request(|| SystemTime::UNIX_EPOCH), || {}).is_none());
        let grows = || {
            let mut file = File::options().append(true).open(&file).unwrap();
            file.write_all(b" more").unwrap();
        };
        assert!(cached_after(request(old), grows).is_none());
    }
}
