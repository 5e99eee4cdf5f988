//! Why there is no response of a backend.

use std::fmt;
use std::io;

use super::Outgoing;
use super::tls;

/// A request without a response.
pub(crate) struct Error {
    pub(crate) kind: ErrorKind,
    source: Box<dyn std::error::Error + Send + Sync>,
    /// The request, if nothing of it was sent.
    unsent: Option<Box<Outgoing>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// Nothing listens there, or the host is not reachable.
    Unreachable,
    /// The backend's certificate is not trusted.
    Certificate,
    /// What listens there does not speak TLS, or not with us.
    Tls,
    /// The connection ended before there was a response.
    Closed,
    /// What came back is not HTTP.
    NotHttp,
    /// The request could not be sent, or its own body broke off.
    Request,
}

impl Error {
    pub(super) fn connect(error: io::Error, unsent: Outgoing) -> Error {
        Error {
            kind: tls::error_kind(&error).unwrap_or(ErrorKind::Unreachable),
            source: Box::new(error),
            unsent: Some(Box::new(unsent)),
        }
    }

    pub(super) fn send(error: hyper::Error, unsent: Option<Outgoing>) -> Error {
        let kind = if error.is_parse() {
            ErrorKind::NotHttp
        } else if error.is_user() || error.is_body_write_aborted() {
            ErrorKind::Request
        } else {
            ErrorKind::Closed
        };
        Error {
            kind,
            source: Box::new(error),
            unsent: unsent.map(Box::new),
        }
    }

    pub(super) fn request(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error {
            kind: ErrorKind::Request,
            source: source.into(),
            unsent: None,
        }
    }

    /// The request, if nothing of it was sent: then it may be sent again, whatever its method.
    ///
    /// # Errors
    /// The error itself.
    pub(crate) fn into_unsent(mut self) -> Result<Outgoing, Error> {
        self.unsent.take().map(|unsent| *unsent).ok_or(self)
    }

    /// What happened, for people: the innermost reason.
    pub(crate) fn reason(&self) -> String {
        let mut error: &(dyn std::error::Error + 'static) = &*self.source;
        while let Some(source) = error.source() {
            error = source;
        }
        let io = error.downcast_ref::<io::Error>();
        match io.map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => "nothing listens there".to_owned(),
            Some(io::ErrorKind::NotFound) => "there is no such socket or host".to_owned(),
            Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
                "it closed the connection".to_owned()
            }
            _ => error.to_string(),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.kind)
            .field("source", &self.source)
            .field("is_unsent", &self.unsent.is_some())
            .finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.source()
    }
}
