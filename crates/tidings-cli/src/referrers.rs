//! Records which resource requested which file, to find users of a file that a page cannot observe.
//!
//! A page can observe what it and the frames of its origin load, but not what a worker imports or fetches,
//! nor what a sandboxed frame loads. The server gets those requests, each with the URL of the requester
//! (`Referer`) and its purpose (`Sec-Fetch-Dest`). This module keeps the graph of them, so that a change is
//! published together with the workers and pages that use the file.
//!
//! Invariants:
//!
//! - A request is recorded before its file is opened, so that no later change misses it.
//! - A repeated request costs a hash and a read lock, and no allocation.
//! - What a page can observe itself is not recorded: the page knows whether it is still in use.
//! - If something is unknown or exceeds a limit, the change is published for every page. A page may reload
//!   unnecessarily, but never stays stale.

mod request;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use http::request::Parts;
use percent_encoding::percent_decode_str;
use tidings::reload::{ANYONE, OPAQUE_ORIGIN};

use request::{Purpose, Requester, ResourceRequest};

/// The limit of recorded requests. A large site with workers has a few hundred different ones.
const MAX_REQUESTS: usize = 16_384;
/// The limit of the length of all recorded paths together.
const MAX_PATH_BYTES: usize = 4 << 20;
/// The limit of users that are listed; beyond it, any page is taken for a user.
const MAX_USERS: usize = 32;
/// The limit of files that are visited to find the users of one.
const MAX_VISITED: usize = 4096;

#[derive(Debug, Default)]
pub(crate) struct Referrers {
    hasher: RandomState,
    // Held to look up or insert one request, or to find the users of one file.
    graph: RwLock<Graph>,
}

#[derive(Debug, Default)]
struct Graph {
    /// The hashes of all recorded requests.
    seen: HashSet<u64>,
    /// The requested files by their decoded paths.
    files: HashMap<String, File>,
    path_bytes: usize,
    /// A limit was exceeded, and nothing is recorded any more.
    full: bool,
}

#[derive(Debug, Default)]
struct File {
    /// It was loaded as a page, which contains the script.
    is_page: bool,
    /// A worker was started from it.
    is_worker: bool,
    /// The decoded paths of the resources that requested it.
    requesters: BTreeSet<String>,
    /// It was requested without a referrer.
    anyone: bool,
    /// It was requested from an opaque origin.
    opaque: bool,
}

impl File {
    fn has_no_requesters(&self) -> bool {
        self.requesters.is_empty() && !self.anyone && !self.opaque
    }
}

impl Referrers {
    /// Records a request.
    pub(crate) fn record(&self, parts: &Parts) {
        let Some(request) = ResourceRequest::of(parts) else {
            return;
        };
        let hash = self.hasher.hash_one(request);
        if self.read().seen.contains(&hash) {
            return;
        }
        self.write().insert(hash, request);
    }

    /// The users of a changed file that a page cannot observe. `path` is decoded. With `below`, the users of
    /// all files in this removed directory.
    pub(crate) fn users_of(&self, path: &str, below: bool) -> Vec<String> {
        let graph = self.read();
        let mut visit = addresses_of(path);
        if below {
            let inside = |other: &&String| {
                let rest = other.strip_prefix(path);
                rest.is_some_and(|rest| rest.starts_with('/'))
            };
            visit.extend(graph.files.keys().filter(inside).cloned());
        }
        graph.users_of(visit).into_iter().collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, Graph> {
        self.graph.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Graph> {
        self.graph.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Graph {
    fn insert(&mut self, hash: u64, request: ResourceRequest<'_>) {
        if self.full {
            return;
        }
        self.seen.insert(hash);
        let path = decoded(request.path);
        let requester = match request.requester {
            Requester::Path(path) => Some(decoded(path)),
            Requester::Unknown | Requester::Opaque | Requester::Untracked => None,
        };
        self.path_bytes += path.len() + requester.as_ref().map_or(0, String::len);
        if self.seen.len() > MAX_REQUESTS || self.path_bytes > MAX_PATH_BYTES {
            *self = Graph {
                full: true,
                ..Graph::default()
            };
            return;
        }
        let known = requester.as_ref().and_then(|path| self.files.get(path));
        let by_known_page = known.is_some_and(|file| file.is_page);
        let by_unknown_page = requester.is_some() && known.is_none();
        let file = self.files.entry(path).or_default();
        match request.purpose {
            Purpose::Page => file.is_page = true,
            // The page observes it.
            Purpose::Script if by_known_page => return,
            Purpose::Script | Purpose::Other => {}
            Purpose::Worker => {
                file.is_worker = true;
                // The requester is a page whose URL was changed by a script.
                file.anyone |= by_unknown_page;
            }
            // Other pages may connect to the running worker without a request.
            Purpose::SharedWorker => {
                file.is_worker = true;
                file.anyone = true;
            }
        }
        match request.requester {
            Requester::Path(_) => file.requesters.extend(requester),
            Requester::Unknown => file.anyone = true,
            Requester::Opaque => file.opaque = true,
            Requester::Untracked => {}
        }
    }

    fn users_of(&self, mut visit: Vec<String>) -> BTreeSet<String> {
        let anyone = || BTreeSet::from([ANYONE.to_owned()]);
        let mut users = BTreeSet::new();
        if self.full {
            return anyone();
        }
        // Most files are seen by the pages that use them.
        if !visit.iter().any(|path| self.files.contains_key(path)) {
            return users;
        }
        let mut visited: HashSet<String> = visit.iter().cloned().collect();
        while let Some(path) = visit.pop() {
            let Some(file) = self.files.get(&path) else {
                continue;
            };
            if file.opaque {
                users.insert(OPAQUE_ORIGIN.to_owned());
            }
            for requester in &file.requesters {
                if !visited.insert(requester.clone()) {
                    continue;
                }
                let by = self.files.get(requester);
                // A module that imports another is not a user itself.
                if by.is_none_or(|by| by.is_page || by.is_worker || by.has_no_requesters()) {
                    users.insert(requester.clone());
                }
                // A page listens itself: the page that has it in a frame is not a user.
                if by.is_some_and(|by| !by.is_page) {
                    visit.push(requester.clone());
                }
            }
            if file.anyone || users.len() > MAX_USERS || visited.len() > MAX_VISITED {
                return anyone();
            }
        }
        users
    }
}

/// The paths under which a file may have been requested.
fn addresses_of(path: &str) -> Vec<String> {
    let mut addresses = vec![path.to_owned()];
    for end in [".html", ".htm"] {
        addresses.extend(path.strip_suffix(end).map(str::to_owned));
        let folder = path.strip_suffix(end).and_then(|p| p.strip_suffix("index"));
        addresses.extend(folder.map(str::to_owned));
    }
    addresses
}

fn decoded(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}
